/** The past of every read model: what its tables and their versions say of a moment is what a fold up to there gives. */
import { describe, expect, it } from 'vitest'
import type { Row, Table } from '../../src/kernel/projection.ts'
import { conflicts, conflictsProjection } from '../../src/projections/conflicts.ts'
import { countAt, datasetCounts } from '../../src/projections/datasets.ts'
import { jobs, jobsProjection, runs } from '../../src/projections/jobs.ts'
import { recordKey, records } from '../../src/projections/records.ts'
import { settings, settingsProjection } from '../../src/projections/settings.ts'
import type { Moment } from '../../src/store/store.ts'
import { foldedTables, type Sourced } from '../kit/fold.ts'
import { randomConflicts } from '../kit/made-conflicts.ts'
import { randomJobEvents, randomSettings } from '../kit/made-events.ts'
import { cut, property, type Random } from '../kit/random.ts'
import { memory, randomEvents } from '../kit/record-events.ts'

const CASES = {
  jobs: { projection: jobsProjection, make: randomJobEvents, tables: [jobs, runs] },
  settings: { projection: settingsProjection, make: randomSettings, tables: [settings] },
  conflicts: { projection: conflictsProjection, make: randomConflicts, tables: [conflicts] },
}

const within = (moment: Moment) => (source: { stream: string; offset: number }) =>
  source.offset <= (moment.get(source.stream) ?? -1)

function momentIn(random: Random, events: readonly { source: { stream: string; offset: number } }[]): Moment {
  const ends = new Map(events.map(({ source }) => [source.stream, source.offset]))
  return new Map([...ends].map(([stream, end]) => [stream, random.int(end + 2) - 1]))
}

/** The rows of a moment by their events' places, from a table and its versions. */
function rowsAt(table: Table, rows: (table: Table) => readonly Row[], moment: Moment): Row[] {
  const had = within(moment)
  const place = (row: Row) => ({ stream: row.stream as string, offset: row.offset as number })
  const own = rows(table).filter(row => had(place(row)))
  const earlier = rows(table.versions!).filter(
    row => had(place(row)) && !had({ stream: row.stream as string, offset: row.until as number }),
  )
  return [...own, ...earlier.map(({ until, ...row }) => row)]
}

const sorted = (rows: readonly Row[]) => rows.map(row => JSON.stringify(Object.entries(row).sort())).sort()

describe.each(Object.entries(CASES))('%s', (_, { projection, make, tables: asked }) => {
  it('were what a fold up to then gives, at any moment', () =>
    property(60, random => {
      const events: Sourced[] = make(random, 1 + random.int(150))
      const whole = foldedTables(projection)
      for (const batch of cut(events, 40, random)) whole.fold(batch)
      for (let n = 0; n < 5; n++) {
        const moment = momentIn(random, events)
        const then = foldedTables(projection)
        then.fold(events.filter(({ source }) => within(moment)(source)))
        for (const table of asked) expect(sorted(rowsAt(table, whole.rows, moment))).toEqual(sorted(then.rows(table)))
      }
    }))
})

describe('records', () => {
  it('were what a fold up to then gives, and so many, at any moment', () =>
    property(40, random => {
      const events = randomEvents(random, 1 + random.int(900))
      const whole = memory()
      for (const batch of cut(events, 200, random)) whole.fold(batch)
      const rowsOf = (all: ReturnType<typeof memory>) => (table: Table) => all.rows(table.name)
      for (let n = 0; n < 5; n++) {
        const moment = momentIn(random, events)
        const then = memory()
        then.fold(events.filter(({ source }) => within(moment)(source)))
        expect(sorted(rowsAt(records, rowsOf(whole), moment))).toEqual(sorted(then.rows(records.name)))
        const counts = rowsAt(datasetCounts, rowsOf(whole), moment)
        const counted = counts.map(row => ({ dataset: row.dataset, ...countAt(row, moment.get(row.stream as string)) }))
        const expected = then.rows(datasetCounts.name).map(row => ({ dataset: row.dataset, ...countAt(row) }))
        expect(sorted(counted as unknown as Row[])).toEqual(sorted(expected as unknown as Row[]))
      }
    }))
})

it('the counts of a data set have a version for many changes, not for each', () => {
  const all = memory()
  const push = {
    dataset: 'd',
    op: 'upsert',
    data: '{}',
    version: null,
    updated_at: null,
    upsert: true,
    source: 's',
  } as const
  const more = {
    actor: 'a',
    request_id: 'r',
    line: 1,
    received_at: 1_750_000_000_000,
    job_id: null,
    conflict: null,
    origin: null,
    keeps_rules: null,
  }
  const events = Array.from({ length: 1000 }, (_, offset) => ({
    event: { ...push, ...more, id: `${offset}` },
    source: { stream: 'sync.records-0', offset, key: recordKey('d', `${offset}`) },
  }))
  all.fold(events)
  const rows = all.rows(datasetCounts.versions.name)
  expect(rows.map(({ offset, until, size }) => [offset, until, size])).toEqual([
    [0, 256, 256],
    [256, 512, 256],
    [512, 768, 256],
  ])
  // A batch costs a character for each.
  expect((rows[1]!.changes as string).length).toBeLessThan(256 + 20)
})
