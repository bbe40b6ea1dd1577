import type { PoolClient } from 'pg'
import { DomainError } from '../kernel/errors.ts'
import type { Row, Table, Value } from '../kernel/projection.ts'
import { compareTables, type Dialect } from './differences.ts'
import {
  allTables,
  beside,
  besideName,
  type Generation,
  type Generations,
  type Hold,
  type Key,
  madeNoMore,
  replacedBy,
  type Snapshot,
} from './generations.ts'
import { keptIn, offsetsIn, replaceIn } from './postgres-checkpoints.ts'
import { createSql, quoted, TYPES } from './postgres-sql.ts'

/** How long a hold waits for commits under way, and how long it lasts at most: commits wait for it in turn. */
const COMMITS_MS = 3000
const HELD_MS = 10_000
/** How long a swap waits for reads under way, which is how long the reads behind it wait; and how often it tries. */
const READS_MS = 100
const TRIES = 20
const RETRY_MS = 50
/** PostgreSQL's lock_not_available. */
const NOT_AVAILABLE = '55P03'

/** What generations need of the store that they are in. */
export interface PostgresParts {
  withClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T>
  inTransaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T>
}

const nameOf = (name: string) => `superinsight.${quoted(name)}`
const COLUMNS = 'projection, number, version, state, rebuild, started_at as "startedAt", result, tables, done, total'

export function postgresGenerations({ withClient, inTransaction }: PostgresParts): Generations {
  async function list(client: PoolClient, projection?: string): Promise<Generation[]> {
    const { rows } = await client.query(
      `select ${COLUMNS} from superinsight.generations where $1::text is null or projection = $1`,
      [projection ?? null],
    )
    const names = rows.map(row => besideName(row.projection, row.number))
    const offsets = await client.query<{ projection: string; stream: string; offset: number }>(
      'select projection, stream, "offset" from superinsight.checkpoints where projection = any($1) and "offset" >= 0',
      [names],
    )
    return rows.map((row, i) => ({
      ...row,
      tables: JSON.parse(row.tables),
      offsets: new Map(
        offsets.rows.filter(each => each.projection === names[i]).map(each => [each.stream, each.offset]),
      ),
    }))
  }

  /** On a connection of its own, in a transaction that ends with the hold. */
  async function hold(projection: string, tables: readonly Table[]): Promise<Hold> {
    const held = Promise.withResolvers<Hold>()
    const ended = Promise.withResolvers<(client: PoolClient) => Promise<void>>()
    const { promise: over, resolve: isOver, reject: failed } = Promise.withResolvers<void>()
    let timer: NodeJS.Timeout | undefined
    const end = (work: (client: PoolClient) => Promise<void>): Promise<void> => {
      clearTimeout(timer)
      ended.resolve(work)
      return over
    }
    withClient(async client => {
      await client.query('begin')
      await client.query(`set local lock_timeout = ${COMMITS_MS}`)
      // In the order that commits write in. Readers are let in.
      for (const { name } of allTables(tables)) await client.query(`lock table ${nameOf(name)} in exclusive mode`)
      const { offsets: checkpoints } = await lockCheckpoints(client, projection)
      held.resolve({
        checkpoints,
        swap: (made, epochs, result) => end(at => swap(at, made, checkpoints, epochs, result)),
        release: () => end(async () => undefined),
      })
      // Whoever forgets it, or sleeps, keeps nobody out for longer.
      timer = setTimeout(() => ended.resolve(tookTooLong), HELD_MS)
      await (await ended.promise)(client)
      await client.query('commit')
    }).then(isOver, error => {
      held.reject(error)
      failed(error)
    })
    over.catch(() => undefined)
    return held.promise
  }

  async function swap(
    client: PoolClient,
    made: Generation,
    checkpoints: ReadonlyMap<string, number>,
    epochs: ReadonlyMap<string, number>,
    result: string,
  ): Promise<void> {
    const { projection, number } = made
    const beneath = besideName(projection, number)
    // A stream that somebody has begun meanwhile is not in the rows that were made.
    const { offsets } = await lockCheckpoints(client, projection)
    for (const [stream, offset] of offsets) if (checkpoints.get(stream) !== offset) throw moved(projection, stream)
    const filled = await lockCheckpoints(client, beneath)
    const { live, tables } = replacedBy(made, await list(client, projection), filled.epochs, epochs)
    await shutOut(client, [...tables, ...made.tables.map(name => besideName(name, number))])
    for (const name of tables) await rename(client, name, besideName(name, live.number))
    for (const name of made.tables) {
      await rename(client, besideName(name, number), name)
      await client.query(`alter table ${nameOf(name)} reset (autovacuum_enabled)`)
    }
    await replaceIn(client, projection, beneath)
    const set = 'update superinsight.generations set state = $3, result = $4 where projection = $1 and number = $2'
    await client.query(set, [projection, live.number, 'old', live.result])
    const own = 'update superinsight.generations set tables = $3 where projection = $1 and number = $2'
    await client.query(own, [projection, live.number, JSON.stringify(tables)])
    await client.query(set, [projection, number, 'live', result])
  }

  return {
    adopt: projections =>
      inTransaction(async client => {
        for (const { name, version, tables } of projections) {
          const names = JSON.stringify(allTables(tables).map(table => table.name))
          await client.query(
            `insert into superinsight.generations(projection, number, version, state, tables)
             select $1, 1, case when exists(select 1 from superinsight.checkpoints where projection = $1) then 1 else $2 end, 'live', $3
             where not exists (select 1 from superinsight.generations where projection = $1)
             on conflict do nothing`,
            [name, version, names],
          )
        }
      }),
    list: () => withClient(client => list(client)),
    begin: plan =>
      inTransaction(async client => {
        const { projection, version, rebuild, at } = plan
        await client.query(
          `update superinsight.generations set state = 'old' where projection = $1 and state <> 'live'`,
          [projection],
        )
        const all = await list(client, projection)
        const number = Math.max(1, ...all.map(each => each.number)) + 1
        const tables = allTables(plan.tables)
        for (const table of tables) {
          const made = beside(table, number)
          await client.query(createSql(made))
          // Nobody should be at work on it when it is to be renamed.
          await client.query(`alter table ${nameOf(made.name)} set (autovacuum_enabled = false)`)
        }
        const names = JSON.stringify(tables.map(({ name }) => name))
        await client.query(
          `insert into superinsight.generations(projection, number, version, state, rebuild, started_at, tables)
           values ($1, $2, $3, 'filling', $4, $5, $6)`,
          [projection, number, version, rebuild, at, names],
        )
        return (await list(client, projection)).find(each => each.number === number)!
      }),
    mark: (generation, step) =>
      withClient(async client => {
        const { projection, number, rebuild, tables } = generation
        const text = `update superinsight.generations set state = $3
          where projection = $1 and number = $2 and rebuild = $4 and state not in ('live', 'old')`
        const { rowCount } = await client.query(text, [projection, number, step, rebuild])
        if (rowCount === 0) throw madeNoMore(generation)
        // Before it is compared and read: plans would else be for a table of which nothing is known.
        if (step === 'comparing')
          for (const name of tables) await client.query(`analyze ${nameOf(besideName(name, number))}`)
      }),
    tell: ({ projection, number }, done, total) =>
      withClient(async client => {
        const text = 'update superinsight.generations set done = $3, total = $4 where projection = $1 and number = $2'
        await client.query(text, [projection, number, done, total])
      }),
    hold,
    // To drop a table is to unlink its files: it need not be done in pieces.
    removeSome: ({ projection, number, tables }) =>
      inTransaction(async client => {
        const text = `delete from superinsight.generations where projection = $1 and number = $2 and state <> 'live'`
        if ((await client.query(text, [projection, number])).rowCount === 0) return false
        await client.query('delete from superinsight.checkpoints where projection = $1', [
          besideName(projection, number),
        ])
        for (const name of tables) await client.query(`drop table if exists ${nameOf(besideName(name, number))}`)
        return false
      }),
    snapshot: () => openSnapshot(withClient),
  }
}

async function tookTooLong(): Promise<void> {
  throw new DomainError('UNAVAILABLE', `the read model was held for ${HELD_MS} ms`, { retryAfter: 1 })
}

function moved(projection: string, stream: string): DomainError {
  return new DomainError('UNAVAILABLE', `${projection} has gone on in ${stream}`, { retryAfter: 1 })
}

/** Where a projection is in each stream, and under which claims; nobody moves or claims these until the transaction ends. */
async function lockCheckpoints(client: PoolClient, projection: string) {
  const { rows } = await client.query<{ stream: string; offset: number; epoch: number }>(
    'select stream, "offset", epoch from superinsight.checkpoints where projection = $1 order by stream for update',
    [projection],
  )
  const begun = rows.filter(({ offset }) => offset >= 0)
  return {
    offsets: new Map(begun.map(({ stream, offset }) => [stream, offset])),
    epochs: new Map(rows.map(({ stream, epoch }) => [stream, epoch])),
  }
}

/** Waits for the reads of tables that are under way, each time only for as long as those behind it may wait. */
async function shutOut(client: PoolClient, names: readonly string[]): Promise<void> {
  const there: string[] = []
  for (const name of names) if (await isThere(client, name)) there.push(nameOf(name))
  for (let tries = 1; ; tries++) {
    await client.query('savepoint readers')
    try {
      await client.query(`set local lock_timeout = ${READS_MS}`)
      await client.query(`lock table ${there.join(', ')} in access exclusive mode`)
      return
    } catch (error) {
      if ((error as { code?: string }).code !== NOT_AVAILABLE || tries === TRIES) throw error
      await client.query('rollback to savepoint readers')
      await new Promise(resolve => setTimeout(resolve, RETRY_MS))
    }
  }
}

async function isThere(client: PoolClient, name: string): Promise<boolean> {
  const { rows } = await client.query('select to_regclass($1) is not null as there', [nameOf(name)])
  return rows[0].there
}

/** Renames a table and its indexes, so that those that are declared later find themselves under their names. */
async function rename(client: PoolClient, from: string, to: string): Promise<void> {
  if (!(await isThere(client, from))) return
  const { rows } = await client.query<{ name: string }>(
    "select indexname as name from pg_indexes where schemaname = 'superinsight' and tablename = $1",
    [from],
  )
  await client.query(`alter table ${nameOf(from)} rename to ${quoted(to)}`)
  for (const { name } of rows)
    if (name.startsWith(from))
      await client.query(`alter index ${nameOf(name)} rename to ${quoted(to + name.slice(from.length))}`)
}

/** A transaction that sees everything as it was when it began. */
async function openSnapshot(withClient: PostgresParts['withClient']): Promise<Snapshot> {
  const opened = Promise.withResolvers<PoolClient>()
  const closed = Promise.withResolvers<void>()
  const over = withClient(async client => {
    await client.query('begin isolation level repeatable read read only')
    await client.query('set local idle_in_transaction_session_timeout = 0')
    await client.query('select 1 from superinsight.checkpoints limit 1')
    opened.resolve(client)
    await closed.promise
    await client.query('commit')
  })
  over.catch(error => opened.reject(error))
  const client = await opened.promise
  const query = async (text: string, values: readonly Value[]): Promise<Key[]> =>
    (await client.query({ text, values: [...values], rowMode: 'array' })).rows
  const dialect: Dialect = {
    nameOf: table => nameOf(table.name),
    quoted,
    isNot: 'is distinct from',
    parameter: (number, type) => `$${number}${type ? `::${TYPES[type]}` : ''}`,
    query,
  }
  return {
    checkpoints: projections => offsetsIn(client, projections),
    floors: async () => (await keptIn(client)).floors,
    async rows(table, after, limit) {
      const key = table.key.map(quoted).join(', ')
      const columns = Object.keys(table.columns).map(quoted).join(', ')
      const where = after ? `where (${key}) > (${after.map((_, i) => `$${i + 2}`)})` : ''
      const text = `select ${columns} from ${nameOf(table.name)} ${where} order by ${key} limit $1`
      return (await client.query<Row>(text, [limit, ...(after ?? [])])).rows
    },
    differences: (live, made, floors, after, limit) => compareTables(dialect, live, made, floors, after, limit),
    async close() {
      closed.resolve()
      await over
    },
  }
}
