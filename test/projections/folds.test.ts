/** The read models without outputs: rows do not show how their events were cut into batches, or that they came twice. */
import { describe, expect, it } from 'vitest'
import { conflictsProjection } from '../../src/projections/conflicts.ts'
import { jobsProjection } from '../../src/projections/jobs.ts'
import { rejectionsProjection } from '../../src/projections/rejections.ts'
import { settingsProjection } from '../../src/projections/settings.ts'
import { batchesOf, foldedTables } from '../kit/fold.ts'
import { randomConflicts } from '../kit/made-conflicts.ts'
import { randomJobEvents, randomRejections, randomSettings } from '../kit/made-events.ts'
import { property } from '../kit/random.ts'

const CASES = {
  conflicts: { projection: conflictsProjection, make: randomConflicts },
  jobs: { projection: jobsProjection, make: randomJobEvents },
  rejections: { projection: rejectionsProjection, make: randomRejections },
  settings: { projection: settingsProjection, make: randomSettings },
}

describe.each(Object.entries(CASES))('the projection of %s', (_, { projection, make }) => {
  it('gives the same rows whatever the batches, and however streams go side by side', () =>
    property(150, random => {
      const events = make(random, 1 + random.int(150))
      const single = foldedTables(projection)
      for (const event of events) single.fold([event])
      const whole = foldedTables(projection)
      whole.fold(events)
      expect(whole.text()).toBe(single.text())
      const batched = foldedTables(projection)
      for (const batch of batchesOf(events, 40, random)) batched.fold(batch)
      expect(batched.text()).toBe(single.text())
    }))

  it('changes no row for events that it has had', () =>
    property(150, random => {
      const tables = foldedTables(projection)
      const had: typeof events = []
      const events = make(random, 80)
      for (const batch of batchesOf(events, 20, random)) {
        tables.fold(batch)
        had.push(...batch)
        const before = tables.text()
        const { stream } = random.pick(had).source
        const ofStream = had.filter(({ source }) => source.stream === stream)
        const from = random.int(ofStream.length)
        tables.fold(ofStream.slice(from, from + 1 + random.int(ofStream.length)))
        expect(tables.text()).toBe(before)
      }
    }))

  it('writes no text that a database does not take', () =>
    property(50, random => {
      const tables = foldedTables(projection)
      tables.fold(make(random, 100))
      for (const row of projection.tables.flatMap(table => tables.rows(table))) {
        for (const value of Object.values(row)) if (typeof value === 'string') expect(value).not.toContain('\0')
      }
    }))
})
