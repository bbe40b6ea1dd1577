import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readRecords } from '../kit/api.ts'
import { available, between, lasting, randomFor } from '../kit/faults.ts'
import { jobEnd } from '../kit/forms.ts'
import { createDatabase } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { makeJob, postgresRows, sqliteRows, startJob } from '../kit/pulls.ts'
import type { Source } from '../kit/rows-source.ts'
import { removeData, startService } from '../kit/service.ts'
import { COLUMNS, env, expectWhole, jobInto, KILLS, ROWS, startWobblySource } from '../kit/wobbly.ts'

let folder: string
let source: Source
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sync-pulls-'))
  source = await startWobblySource()
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
        const { id } = await makeJob(service, jobInto(source, target.url, mode))
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
        const { id } = await makeJob(service, jobInto(source, target.url, 'append'))
        // Its answer may go with it.
        await startJob(service, id).catch(() => undefined)
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
      const { id } = await makeJob(service, jobInto(source, undefined, 'upsert'))
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
