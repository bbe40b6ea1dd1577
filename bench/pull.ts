import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { call } from '../test/kit/api.ts'
import { type JobAnswer, jobUntil } from '../test/kit/forms.ts'
import { run, until } from '../test/kit/processes.ts'
import { pythonPrograms } from '../test/kit/python.ts'
import { removeData, startService } from '../test/kit/service.ts'
import type { Bench } from './bench.ts'
import { ratio } from './measure.ts'
import { type Postgres, startPostgres } from './postgres.ts'

const PAGE_SIZE = 1000
const LONGEST_MS = 900_000
const program = (file: string) => fileURLToPath(new URL(file, import.meta.url))

async function startSource(records: number): Promise<{ url: string; stop(): Promise<unknown> }> {
  const source = run(process.execPath, [program('pull-source.ts'), String(records), String(PAGE_SIZE)])
  const url = await until('the source to listen', () => /^http:\S+$/m.exec(source.output())?.[0], 120_000)
  return { url, stop: () => source.end() }
}

function expectAll(rows: number, records: number): void {
  if (rows !== records) throw new Error(`the table has ${rows} rows of ${records}`)
}

/** Pulls with dlt; records a second, from its start to its end without Python's own. */
function throughDlt(url: string, destination: string, records: number, folder: string): number {
  const args = [program('pull-dlt.py'), url, destination, String(PAGE_SIZE), folder]
  const printed = execFileSync(join(pythonPrograms(), 'python'), args, {
    timeout: LONGEST_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, RUNTIME__DLTHUB_TELEMETRY: 'false' },
  })
  const [rows = 0, seconds = 0] = printed.toString().trim().split('\n').at(-1)!.split(' ').map(Number)
  expectAll(rows, records)
  return records / seconds
}

/** Pulls with a job of ours, from its start until it is completed; also the CPU time of the service. */
async function throughJob(source: string, url: string, records: number, profile?: string) {
  const service = await startService(
    { ALLOW_PRIVATE_ADDRESSES: '1' },
    profile ? { nodeArgs: ['--cpu-prof', '--cpu-prof-dir', profile] } : {},
  )
  try {
    const pagination = {
      type: 'offset',
      offset_param: 'offset',
      limit_param: 'limit',
      limit: PAGE_SIZE,
      total_path: '/total',
    }
    const endpoints = [{ path: '/customers', method: 'GET', data_path: '/data', pagination }]
    const body = {
      name: 'Customers',
      connector: { type: 'rest_api', config: { base_url: source, endpoints } },
      destination: { type: 'database', url, table: 'customers', mode: 'upsert', key_columns: ['id'] },
    }
    const made = await call<JobAnswer>(service, '/jobs', { method: 'POST', body })
    if (made.status !== 201) throw new Error(made.text)
    const cpu = service.cpuSeconds()
    const started = performance.now()
    await call(service, `/jobs/${made.body.id}/start`, { method: 'POST', body: {} })
    const job = await jobUntil(
      service,
      made.body.id,
      ({ status }) => status === 'completed' || status === 'failed',
      LONGEST_MS,
    )
    const seconds = (performance.now() - started) / 1000
    if (job.status !== 'completed') throw new Error(JSON.stringify(job))
    const cpu_us_per_record = Math.round(((service.cpuSeconds() - cpu) / records) * 1e8) / 100
    return { perSecond: records / seconds, cpu_us_per_record, peak_mb: Math.round(service.peakMb()) }
  } finally {
    await service.stop()
    removeData(service)
  }
}

function rowsOfSqlite(file: string): number {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return Number(db.prepare('select count(*) as n from customers').get()!.n)
  } finally {
    db.close()
  }
}

async function intoPostgres(postgres: Postgres, source: string, records: number, folder: string, profile?: string) {
  const [theirs, ours] = [await postgres.database(), await postgres.database()]
  const reference = throughDlt(source, theirs.url, records, folder)
  const pulled = await throughJob(source, ours.url, records, profile)
  const [{ n } = { n: 0 }] = await ours.query<{ n: number }>('select count(*)::integer as n from customers')
  expectAll(n, records)
  await Promise.all([theirs.drop(), ours.drop()])
  return { reference, pulled }
}

async function intoSqlite(source: string, records: number, folder: string, profile?: string) {
  const file = join(folder, 'ours.db')
  const reference = throughDlt(source, `sqlite:///${join(folder, 'theirs.db')}`, records, folder)
  const pulled = await throughJob(source, `sqlite://${file}`, records, profile)
  expectAll(rowsOfSqlite(file), records)
  return { reference, pulled }
}

export const pull: Bench = {
  name: 'pull',
  about: "a job that pulls pages of 1,000 from a REST API into a table of PostgreSQL or SQLite, against dlt's rest_api",
  async run(options) {
    const records = Number(options.records ?? 1_000_000)
    const folder = mkdtempSync(join(tmpdir(), 'sync-bench-'))
    const postgres = options.store === 'sqlite' ? undefined : await startPostgres()
    const source = await startSource(records)
    try {
      const { reference, pulled } = postgres
        ? await intoPostgres(postgres, source.url, records, folder, options.profile)
        : await intoSqlite(source.url, records, folder, options.profile)
      const { perSecond, ...more } = pulled
      const [records_per_s, reference_per_s] = [Math.round(perSecond), Math.round(reference)]
      return { records_per_s, reference_per_s, ratio: ratio(records_per_s, reference_per_s), ...more }
    } finally {
      await source.stop()
      await postgres?.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
