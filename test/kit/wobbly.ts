import { expect } from 'vitest'
import { call } from './api.ts'
import { LONG } from './faults.ts'
import type { JobAnswer } from './forms.ts'
import { answer, type Source, sourceConfig, startSource } from './rows-source.ts'
import type { Service } from './service.ts'

export const ROWS = LONG ? 60_000 : 3000
export const PAGE = LONG ? 200 : 50
export const KILLS = LONG ? 30 : 2
/** Rows whose amount is no number, which a table's numeric column refuses. */
const BAD_EVERY = 611
export const env = { ALLOW_PRIVATE_ADDRESSES: '1' }

export const rows = Array.from({ length: ROWS }, (_, n) => {
  const amount = n % BAD_EVERY === 5 ? '"much"' : `${n}.25`
  return `{"id":${n},"name":"row ${n}","amount":${amount}}`
})
const bad = rows.filter(row => row.includes('"much"')).length
const good = ROWS - bad
/** Columns of a table in PostgreSQL that takes the good rows only. */
export const COLUMNS = `("id" bigint primary key, "name" text, "amount" double precision)`

/** The source of those rows. Now and then it fails, as sources do. */
export function startWobblySource(): Promise<Source> {
  return startSource({
    rows: () => rows,
    instead: (_request, response, n) => n % 37 === 0 && answer(response, 500, '{"error":"out of order"}'),
  })
}

/** A job that brings them into a table of a database, or without a url into a data set. */
export function jobInto(source: Source, url: string | undefined, mode: string): object {
  return {
    name: 'customers',
    connector: { type: 'rest_api', config: sourceConfig(source.url, PAGE) },
    destination: { type: 'database', ...(url && { url }), table: 'customers', mode, key_columns: ['id'] },
  }
}

/** The table has each good row of the source, once, and the bad ones are refused, once each. */
export async function expectWhole(
  service: Service,
  job: JobAnswer,
  table: { [column: string]: unknown }[],
): Promise<void> {
  expect(job).toMatchObject({ status: 'completed', records_processed: ROWS, records_rejected: bad, progress: 100 })
  const wanted = rows.filter(row => !row.includes('"much"')).map(row => JSON.parse(row))
  expect(table.length).toBe(good)
  expect(table).toEqual(wanted)
  const path = `/rejected?job_id=${job.id}&limit=1000&min_position=${job.position}`
  const { items } = (await call<{ items: { record_id: string; stage: string }[] }>(service, path)).body
  expect(new Set(items.map(({ record_id }) => record_id)).size).toBe(bad)
  expect(items).toHaveLength(bad)
  expect(items.every(({ stage }) => stage === 'destination')).toBe(true)
}
