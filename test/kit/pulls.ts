import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { type Answer, call, type Target } from './api.ts'
import { type JobAnswer, jobEnd } from './forms.ts'
import { type Source, sourceConfig } from './rows-source.ts'

export interface PullAnswer extends JobAnswer {
  name: string
  connector: { type: string; config: { [name: string]: unknown } }
  schedule: { type: string }
  transformations: { type: string; config: { [name: string]: unknown } }[]
  destination: { [name: string]: unknown }
  next_runs: string[]
  created_at: string
  waiting_until: string | null
}

/** Makes a job and returns the answer, whatever it is. */
export function postJob(target: Target, body: object): Promise<Answer<PullAnswer>> {
  return call<PullAnswer>(target, '/jobs', { method: 'POST', body })
}

/** Makes a job that must be taken. */
export async function makeJob(target: Target, body: object): Promise<PullAnswer> {
  const { status, text, body: job } = await postJob(target, body)
  if (status !== 201) throw new Error(`${status} ${text}`)
  return job
}

export async function startJob(target: Target, id: string): Promise<void> {
  const { status, text } = await call(target, `/jobs/${id}/start`, { method: 'POST', body: {} })
  if (status !== 202) throw new Error(`${status} ${text}`)
}

/** Makes a job, runs it and gives back how it ended. */
export async function runJob(target: Target, body: object, ms?: number): Promise<JobAnswer> {
  const { id } = await makeJob(target, body)
  await startJob(target, id)
  return jobEnd(target, id, ms)
}

export interface LogEntry {
  timestamp: string
  level: string
  message: string
  metadata: { [name: string]: unknown }
}

export async function logsOf(target: Target, id: string, level = 'debug'): Promise<LogEntry[]> {
  return (await call<{ logs: LogEntry[] }>(target, `/jobs/${id}/logs?level=${level}&limit=1000`)).body.logs
}

/** The rows of a query on a SQLite file. */
export function sqliteRows(file: string, sql: string): { [column: string]: unknown }[] {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db.prepare(sql).all() as { [column: string]: unknown }[]
  } finally {
    db.close()
  }
}

/** The rows of a query on a PostgreSQL database. */
export async function postgresRows(url: string, sql: string): Promise<{ [column: string]: unknown }[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

export const SOURCE_TOKEN = 'the-token-of-the-source'

/** The job that the API's reference has as its example, at a source that wants SOURCE_TOKEN. */
export function exampleJob(source: Source, more: object = {}) {
  const auth = { type: 'bearer', token: SOURCE_TOKEN }
  return {
    name: 'Customer Data Sync',
    connector: { type: 'rest_api', config: { ...sourceConfig(source.url), auth } },
    schedule: { type: 'cron', expression: '0 */6 * * *' } as object,
    transformations: [
      { type: 'field_mapping', config: { mappings: { customer_id: 'id', customer_name: 'name' } } },
    ] as object[],
    destination: { type: 'database', table: 'customers', mode: 'upsert', key_columns: ['id'] } as object,
    ...more,
  }
}

/** The same by hand, with rows that stay as they are. */
export function plainJob(source: Source, more: object = {}) {
  return exampleJob(source, { transformations: [], schedule: { type: 'manual' }, ...more })
}
