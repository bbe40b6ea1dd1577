import { Client, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Table } from '../../src/kernel/projection.ts'
import { storeBeside } from '../../src/store/generations.ts'
import { type Migration, migrate, readMigrations } from '../../src/store/migrations.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { forgetIn } from '../../src/store/postgres-checkpoints.ts'
import { workingSet } from '../../src/workers/working-set.ts'
import { storeContract } from '../contracts/store.ts'
import { pastTable, writePast } from '../kit/past.ts'
import { createDatabase, runSql } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { seeded } from '../kit/random.ts'
import { startWire } from '../kit/wire.ts'

const url = inject('postgres')

describe.skipIf(!url)('over PostgreSQL', () => {
  // One database for all of them: the contract's tables have names of their own.
  let shared: Awaited<ReturnType<typeof createDatabase>>
  beforeAll(async () => {
    shared = await createDatabase(url!)
  })
  afterAll(() => shared.drop())
  storeContract('postgres', async () => ({
    open: async () => openPostgresStore({ url: shared.url }),
    end: async () => undefined,
  }))

  it('refuses a database that has the rows of another log', async () => {
    const database = await createDatabase(url!)
    const open = async (log: string) => {
      const store = openPostgresStore({ url: database.url, log })
      await store.declare([]).finally(() => store.stop())
    }
    await open('one')
    await open('one')
    await expect(open('two')).rejects.toThrow('has the read model of log one, and this is log two')
    await database.drop()
  })

  it('has no past before where it was when the first version that keeps one took over', async () => {
    const database = await createDatabase(url!)
    const store = openPostgresStore({ url: database.url })
    await store.declare([])
    // As a version without a past would have left it, and as it does when it comes back.
    const without = `(projection, stream, "offset", epoch) values ('p', 's-0', 41, 3)
      on conflict (projection, stream) do update set epoch = checkpoints.epoch + 1, "offset" = 60`
    await runSql(database.url, `insert into superinsight.checkpoints ${without}`)
    expect(await store.floors()).toEqual(new Map([['s-0', 41]]))
    const { epoch } = await store.claim('p', 's-0')
    await store.commit([], { projection: 'p', stream: 's-0', offset: 50, epoch })
    await store.claim('p', 's-0')
    expect(await store.floors()).toEqual(new Map([['s-0', 41]]))
    await runSql(database.url, `insert into superinsight.checkpoints ${without}`)
    expect(await store.floors()).toEqual(new Map([['s-0', 60]]))
    await store.claim('p', 's-0')
    expect(await store.floors()).toEqual(new Map([['s-0', 60]]))
    await store.stop()
    await database.drop()
  })

  it('does not forget what a swap has put in place in the middle of it', async () => {
    const database = await createDatabase(url!)
    const store = openPostgresStore({ url: database.url })
    const table = pastTable('things')
    const tables = [table, table.versions]
    await store.declare(tables)
    await store.generations.adopt([{ name: 'p', version: 1, tables }])
    const row = (offset: number) => ({
      ...{ owner: 'o', id: 'a', kind: 'k', data: '{}', count: 0, stream: 's-0', offset },
    })
    const past = [0, 1, 2].map(row)
    await writePast(store, table, past, 'p', seeded(1))
    const epochs = new Map<string, number>()
    const plan = { projection: 'p', version: 2, tables, rebuild: 'r', at: 5 }
    const generation = await store.generations.begin(plan)
    const below = { ...store, ...storeBeside(store, generation.number, epochs) }
    await writePast(below, table, past, 'p', seeded(1))
    const { epoch } = await store.claim('p', 's-0')
    const client = new Client({ connectionString: database.url })
    await client.connect()
    const query = async (text: string, values: unknown[]) => {
      if (text.startsWith('delete')) await (await store.generations.hold('p', tables)).swap(generation, epochs, '{}')
      return client.query(text, values)
    }
    const late = { query } as unknown as PoolClient
    expect(await forgetIn(late, table, { projection: 'p', stream: 's-0', epoch }, 1, 10)).toBe(0)
    const asOf = new Map([['s-0', 0]])
    expect(await store.page({ table, equal: {}, limit: 9, asOf })).toEqual([row(0)])
    await client.end()
    await store.stop()
    await database.drop()
  })

  it('keeps out a writer that slept in the middle of a commit while another claimed', async () => {
    const database = await createDatabase(url!)
    const [sleeper, other] = [openPostgresStore({ url: database.url }), openPostgresStore({ url: database.url })]
    const table: Table = { name: 'things', columns: { id: 'text', n: 'integer' }, key: ['id'] }
    await sleeper.declare([table])
    const { epoch } = await sleeper.claim('p', 's')
    const asleep = Promise.withResolvers<void>()
    const at = { projection: 'p', stream: 's', offset: 1 }
    const late = sleeper.commit([{ table, rows: [{ id: 'a', n: 1 }] }], { ...at, epoch }, asleep.promise)
    const claim = await other.claim('p', 's')
    expect(claim).toEqual({ epoch: epoch + 1, offset: -1 })
    asleep.resolve()
    await expect(late).rejects.toMatchObject({ code: 'CONFLICT' })
    await other.commit([{ table, rows: [{ id: 'a', n: 2 }] }], { ...at, epoch: claim.epoch })
    expect(await other.load(table, [['a']])).toEqual([{ id: 'a', n: 2 }])
    await Promise.all([sleeper.stop(), other.stop()])
    await database.drop()
  })

  it('is usable again after the server has dropped its connections, and never tells the password', async () => {
    const database = await createDatabase(url!)
    const store = openPostgresStore({ url: database.url })
    await store.declare([])
    await runSql(
      url!,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${new URL(database.url).pathname.slice(1)}'`,
    )
    await until('the store to answer again', async () => (await store.checkpoints(['p'])).size === 0)
    await store.stop()
    await database.drop()
    const wrong = new URL(database.url)
    wrong.password = 's3cret'
    const refused = await openPostgresStore({ url: wrong.href })
      .claim('p', 's')
      .catch(error => error)
    expect(refused).toMatchObject({ code: 'UNAVAILABLE' })
    expect(`${refused.message}${refused.stack}`).not.toContain('s3cret')
  })

  it('gives up on a server that is silent', async () => {
    const database = await createDatabase(url!)
    const direct = new URL(database.url)
    const wire = await startWire(Number(direct.port))
    direct.port = String(wire.port)
    const store = openPostgresStore({ url: direct.href, statementMs: 300 })
    await store.declare([])
    wire.silence()
    await expect(store.checkpoints(['p'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    wire.heal()
    await until('the store to answer again', async () => (await store.checkpoints(['p'])).size === 0)
    await store.stop()
    await wire.stop()
    await database.drop()
  })

  it('commits of many streams that meet in shared rows do not lock each other up', async () => {
    const database = await createDatabase(url!)
    const store = openPostgresStore({ url: database.url, connections: 8 })
    const table: Table = { name: 'shared', columns: { id: 'text', n: 'integer' }, key: ['id'] }
    await store.declare([table])
    const random = seeded(7)
    const streams = Array.from({ length: 8 }, (_, n) => `s-${n}`)
    await Promise.all(
      streams.map(async stream => {
        const { epoch } = await store.claim('p', stream)
        for (let offset = 0; offset < 30; offset++) {
          const working = workingSet([table])
          for (let n = 0; n < 20; n++) {
            const id = `r${random.int(30)}`
            working.put(table, id, { id, n: offset })
          }
          await store.commit(working.changes(), { projection: 'p', stream, offset, epoch })
        }
      }),
    )
    expect([...(await store.checkpoints(['p'])).values()]).toEqual(Array(8).fill(29))
    await store.stop()
    await database.drop()
  })

  describe('migrations', () => {
    const inTransaction = async (database: string, migrations: readonly Migration[]) => {
      const client = new Client({ connectionString: database })
      await client.connect()
      try {
        await client.query('begin')
        await migrate(client, migrations)
        await client.query('commit')
      } finally {
        await client.end()
      }
    }
    const [first, ...rest] = readMigrations()

    it('are applied once, in order, by many who start at the same time', async () => {
      const database = await createDatabase(url!)
      const stores = Array.from({ length: 5 }, () => openPostgresStore({ url: database.url }))
      await Promise.all(stores.map(store => store.declare([])))
      await Promise.all(stores.map(store => store.stop()))
      await inTransaction(database.url, [first!, ...rest])
      await database.drop()
    })

    it('stop the start when one differs from what was applied, or is not known', async () => {
      const database = await createDatabase(url!)
      await inTransaction(database.url, [first!, ...rest])
      const changed = inTransaction(database.url, [{ ...first!, sql: `${first!.sql} -- changed` }, ...rest])
      await expect(changed).rejects.toThrow(`migration ${first!.name} differs from ${first!.name}`)
      await expect(inTransaction(database.url, [first!])).rejects.toThrow('which this version does not know')
      await database.drop()
    })
  })
})
