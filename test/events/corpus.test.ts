import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Fixture } from '../../scripts/make-fixtures.ts'
import type { Row } from '../../src/kernel/projection.ts'
import { type CorpusEvent, type CorpusRows, replayCorpus } from '../kit/corpus.ts'

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url))
const read = (path: string) => JSON.parse(readFileSync(FIXTURES + path, 'utf8'))
const versions = readdirSync(`${FIXTURES}events`).map(file => file.replace('.json', ''))

/** Columns that came since say nothing about the ones that there were. */
function within(columns: readonly string[], row: Row): Row {
  return Object.fromEntries(columns.map(column => [column, row[column]!]))
}

describe.each(versions)('what %s has written', version => {
  it('gives the rows that it always gave, by today’s code', async () => {
    const known = read(`events/${version}.json`) as Fixture[]
    const { events, rows } = read(`corpus/${version}.json`) as { events: CorpusEvent[]; rows: CorpusRows }
    const types = new Set(events.map(({ type }) => type))
    expect(types.size).toBeGreaterThanOrEqual(version === 'v1' || version === 'v2' ? 2 : 10)
    const found = await replayCorpus(known, events)
    expect(Object.values(rows).flat().length).toBeGreaterThan(20)
    for (const [table, wanted] of Object.entries(rows)) {
      const columns = Object.keys(wanted[0] ?? {})
      expect(
        found[table]!.map(row => within(columns, row)),
        table,
      ).toEqual(wanted)
    }
  })
})
