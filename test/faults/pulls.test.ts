import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { call, readRecords } from '../kit/api.ts'
import { available, between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { type JobAnswer, jobEnd } from '../kit/forms.ts'
import { createDatabase } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { makeJob, postgresRows, sqliteRows, startJob } from '../kit/pulls.ts'
import { answer, type Source, sourceConfig, startSource } from '../kit/rows-source.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const ROWS = LONG ? 60_000 : 6000
const PAGE = LONG ? 200 : 50
const KILLS = LONG ? 30 : 4
/** Rows whose amount is no number, which a table's numeric column refuses. */
const BAD_EVERY = 611
const env = { ALLOW_PRIVATE_ADDRESSES: '1' }

const rows = Array.from({ length: ROWS }, (_, n) => {
  const amount = n % BAD_EVERY === 5 ? '"much"' : `${n}.25`
  return `{"id":${n},"name":"row ${n}","amount":${amount}}`
})
const bad = rows.filter(row => row.includes('"much"')).length
const good = ROWS - bad
const COLUMNS = `("id" bigint primary key, "name" text, "amount" double precision)`

let folder: string
let source: Source
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sync-pulls-'))
  // Now and then it fails, as sources do.
  source = await startSource({
    rows: () => rows,
    instead: (_request, response, n) => n % 37 === 0 && answer(response, 500, '{"error":"out of order"}'),
  })
})
afterAll(async () => {
  await source?.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Target {
  readonly url: string
  /** Makes the table, whose amounts are numbers. */
  make(): Promise<void>
  rows(): Promise<{ [column: string]: unknown }[]>
}

const databases: Record<string, () => Promise<Target | undefined>> = {
  async sqlite() {
    const file = join(folder, `${Math.random()}.db`)
    return {
      url: `sqlite://${file}`,
      async make() {
        const { DatabaseSync } = await import('node:sqlite')
        const db = new DatabaseSync(file)
        db.exec(`create table customers("id" integer primary key, "name" text, "amount" real) strict`)
        db.close()
      },
      rows: async () => sqliteRows(file, 'select * from customers order by id'),
    }
  },
  async postgres() {
    const server = inject('postgres')
    if (!available('pulls into PostgreSQL', server ? undefined : 'They need PostgreSQL.')) return undefined
    const { url } = await createDatabase(server!)
    return {
      url,
      make: async () => void (await postgresRows(url, `create table customers ${COLUMNS}`)),
      rows: () => postgresRows(url, 'select id::integer, name, amount from customers order by id'),
    }
  },
}

function jobInto(url: string | undefined, mode: string): object {
  return {
    name: 'customers',
    connector: { type: 'rest_api', config: sourceConfig(source.url, PAGE) },
    destination: { type: 'database', ...(url && { url }), table: 'customers', mode, key_columns: ['id'] },
  }
}

/** The table has each good row of the source, once, and the bad ones are refused, once each. */
async function expectWhole(service: Service, job: JobAnswer, table: { [column: string]: unknown }[]): Promise<void> {
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

describe.each(Object.entries(databases))('a pull into %s whose service dies', (_name, open) => {
  it.each(['upsert', 'append'])(
    `by kill -9, ${KILLS} times at random moments, with mode %s: the table is the source`,
    async mode => {
      const target = await open()
      if (!target) return
      await target.make()
      const random = randomFor(`pulls, ${mode}`)
      let service = await startService(env)
      const { dataDir } = service
      try {
        const { id } = await makeJob(service, jobInto(target.url, mode))
        await startJob(service, id)
        for (let kill = 0; kill < KILLS; kill++) {
          await lasting(between(random, 0, 1500))
          await service.stop('SIGKILL')
          service = await startService(env, { dataDir })
        }
        await expectWhole(service, await jobEnd(service, id, 240_000), await target.rows())
      } finally {
        await service.stop('SIGKILL')
        removeData(service)
      }
    },
    900_000,
  )
})

describe('a pull whose service dies at a point', () => {
  /** Each point, and the first and the last time that it may die there. */
  const points: Record<string, [first: number, last: number]> = {
    'runner.begun': [1, 1],
    'runner.page-read': [1, 10],
    'runner.page-appended': [1, 10],
    'runner.page-delivered': [1, 10],
    'runner.all-read': [1, 1],
    'runner.completed': [1, 1],
  }

  it.each(Object.entries(points))(
    '%s: the table is the source',
    async (point, [first, last]) => {
      const random = randomFor(point)
      const target = (await databases.sqlite!())!
      await target.make()
      let service = await startService({ ...env, CRASH_AT: `${point}:${between(random, first, last)}` })
      const { dataDir } = service
      try {
        const { child } = service.process
        const { id } = await makeJob(service, jobInto(target.url, 'append'))
        await startJob(service, id)
        await until(`the service to die at ${point}`, () => child.signalCode === 'SIGKILL', 120_000)
        service = await startService(env, { dataDir })
        await expectWhole(service, await jobEnd(service, id, 240_000), await target.rows())
      } finally {
        await service.stop('SIGKILL')
        removeData(service)
      }
    },
    300_000,
  )
})

describe('a pull into a data set', () => {
  it('whose service is killed brings each row in its first version', async () => {
    const random = randomFor('pulls into a data set')
    let service = await startService(env)
    const { dataDir } = service
    try {
      const { id } = await makeJob(service, jobInto(undefined, 'upsert'))
      await startJob(service, id)
      for (let kill = 0; kill < 2; kill++) {
        await lasting(between(random, 0, 1000))
        await service.stop('SIGKILL')
        service = await startService(env, { dataDir })
      }
      const job = await jobEnd(service, id, 240_000)
      expect(job).toMatchObject({ status: 'completed', records_processed: ROWS, records_rejected: 0 })
      const records = await readRecords(service, 'customers', job.position)
      expect(records).toHaveLength(ROWS)
      expect(records.filter(({ version }) => version !== 1)).toEqual([])
    } finally {
      await service.stop('SIGKILL')
      removeData(service)
    }
  }, 600_000)
})
