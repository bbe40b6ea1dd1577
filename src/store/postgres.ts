import { Pool, type PoolClient, types } from 'pg'
import { DomainError } from '../kernel/errors.ts'
import type { Row, Table, Value } from '../kernel/projection.ts'
import { pageInSlices, readerOfThePast, type SliceReader } from './as-of.ts'
import { allTables } from './generations.ts'
import { migrate, readMigrations } from './migrations.ts'
import { binaryArray } from './postgres-arrays.ts'
import { countThenSql, loadThenSql, type Query, sliceCountSql, sliceEndSql, sliceRowsSql } from './postgres-as-of.ts'
import { claimIn, epochOf, forgetIn, keptIn, offsetsIn } from './postgres-checkpoints.ts'
import { postgresGenerations } from './postgres-generations.ts'
import { loadSql, MARKERS, markerValues, otherMarkers, readColumns } from './postgres-load.ts'
import { unavailable } from './postgres-pool.ts'
import { addColumnsSql, COLUMNS_SQL, countSql, createSql, pageSql } from './postgres-sql.ts'
import { ROWS_A_STATEMENT, upsertAll } from './postgres-upsert.ts'
import { type Moment, PAGE_BYTES, type PageQuery, refusedCommit, rowBytes, rowOf, type Store } from './store.ts'

export interface PostgresOptions {
  url: string
  readOnly?: boolean
  /** The id of the log whose rows are written: a database that has those of another is refused. */
  log?: string | undefined
  /** Most connections at once. */
  connections?: number
  /** How long a connection may take to be made, and how long a statement may take, milliseconds. */
  connectMs?: number
  statementMs?: number
}

/**
 * How long a transaction may wait for its client: longer than an append to the log takes. A projector that sleeps in the
 * middle of one, or whose network is cut, would else keep its rows locked against whoever takes over.
 */
const IDLE_IN_TRANSACTION_MS = 15_000
/** Any number, the same for all: who starts at the same time makes tables one after the other. */
const STARTING = 7_381_640_291
/** What is read and written are keys by the thousand in tables that have just been filled and are not analysed yet. */
const BY_INDEX = '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off'

const INT8 = 20

/**
 * The read models in PostgreSQL 14 or newer, in the schema `superinsight`.
 */
export function openPostgresStore(options: PostgresOptions): Store {
  const { url, readOnly = false, log, connections = 8, connectMs = 10_000, statementMs = 30_000 } = options
  const pool = new Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    // The server's own limit does not help when the network is silent.
    query_timeout: statementMs + 2000,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    application_name: readOnly ? 'superinsight reads' : 'superinsight projector',
    ...(readOnly ? {} : { options: BY_INDEX }),
    types: { getTypeParser: (oid: number) => (oid === INT8 ? Number : types.getTypeParser(oid)) },
  })
  // A connection that breaks while nobody uses it: the pool has dropped it, the next use makes another.
  pool.on('error', () => undefined)

  /** Works on one connection; after a failure that connection is not used again: nobody knows what state it is in. */
  async function withClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined
    try {
      client = await pool.connect()
      // Between two statements a broken connection tells itself; the next statement fails for it.
      client.on('error', () => undefined)
      const result = await work(client)
      client.removeAllListeners('error')
      client.release()
      return result
    } catch (error) {
      client?.release(true)
      throw error instanceof DomainError ? error : unavailable(error as Error)
    }
  }

  function inTransaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return withClient(async client => {
      await client.query('begin')
      const result = await work(client)
      await client.query('commit')
      return result
    })
  }

  function load(table: Table, keys: readonly (readonly Value[])[], asOf?: Moment): Promise<Row[]> {
    return withClient(async client => {
      const rows: Row[] = []
      const then = asOf && loadThenSql(table, asOf)
      let markers = MARKERS
      for (let at = 0, bytes = 0; at < keys.length && bytes < PAGE_BYTES; ) {
        const some = keys.slice(at, at + ROWS_A_STATEMENT)
        const parts = table.key.map((column, i) => binaryArray(table.columns[column]!, some.length, n => some[n]![i]))
        const query = then
          ? // Its text depends on how many streams a moment names, and on nothing else.
            { name: `as of ${asOf.size}: ${table.name}`, text: then.text, values: [...parts, ...then.values] }
          : { name: `load ${table.name}`, text: loadSql(table), values: parts }
        const values = [...query.values, ...markerValues(table, markers)]
        const answer = await client.query<unknown[]>({ ...query, values, rowMode: 'array' })
        const found = readColumns(table, some, answer.rows[0]!, markers)
        if (!found) {
          if (markers !== MARKERS) throw new Error(`the rows of ${table.name} cannot be told apart`)
          markers = otherMarkers()
          continue
        }
        markers = MARKERS
        for (const row of found.rows) {
          rows.push(row)
          bytes += rowBytes(row)
        }
        // Bytes in UTF-8 are more than a text is long: a cut there may come early.
        at += found.upTo < PAGE_BYTES ? some.length : found.place
      }
      return rows
    })
  }

  /** Rows, and whether more were left out for their bytes. */
  function rowsOf(table: Table, query: Query): Promise<{ rows: Row[]; cut: boolean }> {
    return withClient(async client => {
      const columns = Object.keys(table.columns)
      const { rows } = await client.query<Value[]>({ ...query, values: [...query.values], rowMode: 'array' })
      return { rows: rows.map(values => rowOf(columns, values)), cut: (rows.at(-1)?.at(-1) as unknown) === true }
    })
  }

  function counted(query: Query): Promise<number> {
    return withClient(
      async client => (await client.query<{ rows: number }>(query.text, [...query.values])).rows[0]!.rows,
    )
  }

  /** Cut by its bytes in UTF-8, of which there are more than a text is long, a page goes on until its text comes to PAGE_BYTES. */
  async function pageNow(query: PageQuery): Promise<Row[]> {
    const { table, limit, newest } = query
    const page: Row[] = []
    let bytes = 0
    for (let next = query; ; ) {
      const { rows, cut } = await rowsOf(table, pageSql(next))
      for (const row of rows) {
        page.push(row)
        bytes += rowBytes(row)
        if (bytes >= PAGE_BYTES) return page
      }
      if (!cut || page.length === limit) return page
      const after = String(page.at(-1)![table.key.at(-1)!])
      next = { ...query, after, limit: limit - page.length, ...(newest ? {} : { offset: 0 }) }
    }
  }

  function slices(query: PageQuery): SliceReader {
    return {
      rows: slice => rowsOf(query.table, sliceRowsSql(query, slice)),
      count: slice => counted(sliceCountSql(query, slice)),
      async end(slice) {
        const { text, values } = sliceEndSql(query, slice)
        const { rows } = await withClient(client => client.query<{ end: Value }>(text, [...values]))
        return rows[0] && String(rows[0].end)
      },
    }
  }

  const kept = () => withClient(keptIn)
  const readThen = readerOfThePast(kept)

  return {
    parallel: true,
    generations: postgresGenerations({ withClient, inTransaction }),
    declare: tables =>
      inTransaction(async client => {
        await client.query('select pg_advisory_xact_lock($1)', [STARTING])
        await migrate(client, readMigrations())
        if (log !== undefined) await belongTo(client, log)
        for (const table of allTables(tables)) {
          await client.query(createSql(table))
          const { rows } = await client.query<{ name: string }>(COLUMNS_SQL, [table.name])
          for (const sql of addColumnsSql(table, new Set(rows.map(({ name }) => name)))) await client.query(sql)
        }
      }),
    claim: (projection, stream) => withClient(client => claimIn(client, projection, stream)),
    async load(table, asked, asOf) {
      const keys = asked.filter(key => !key.some(hasNul))
      if (keys.length === 0) return []
      return asOf ? readThen(table, asOf, () => load(table, keys, asOf)) : load(table, keys)
    },
    async commit(changes, checkpoint, before) {
      // What was waited for may fail before it is waited for, and its failure is not the store's.
      let failure: { error: unknown } | undefined
      before?.catch(error => {
        failure = { error }
      })
      const { projection, stream, offset, epoch } = checkpoint
      const work = async (client: PoolClient) => {
        await upsertAll(client, changes)
        await before
        // Last: it locks the checkpoint, and whoever claims it waits for this transaction.
        const moved = await client.query({
          name: 'checkpoint',
          text: `update superinsight.checkpoints set "offset" = $1 where projection = $2 and stream = $3 and epoch = $4`,
          values: [offset, projection, stream, epoch],
        })
        if (moved.rowCount === 0) throw refusedCommit(checkpoint, await epochOf(client, projection, stream))
      }
      try {
        await inTransaction(work)
      } catch (error) {
        throw failure ? failure.error : error
      }
    },
    checkpoints: projections => withClient(client => offsetsIn(client, projections)),
    async page(asked) {
      if (Object.values(asked.equal).some(hasNul)) return []
      const query = withoutNul(asked)
      return query.asOf ? readThen(query.table, query.asOf, () => pageInSlices(query, slices(query))) : pageNow(query)
    },
    async count(query) {
      if (Object.values(query.equal).some(hasNul)) return 0
      return query.asOf
        ? readThen(query.table, query.asOf, () => counted(countThenSql(query)))
        : counted(countSql(query))
    },
    floors: async () => (await kept()).floors,
    forget: (table, claimed, through, limit) => withClient(client => forgetIn(client, table, claimed, through, limit)),
    stop: () => pool.end(),
  }
}

/** PostgreSQL takes no text with a NUL in it, so no row has one: what is asked for by one is not there. */
function hasNul(value: Value): boolean {
  return typeof value === 'string' && value.includes('\0')
}

/** Where a bound of a page has a NUL there is no text between it and what comes before that. */
function withoutNul(query: PageQuery): PageQuery {
  const { after, upTo } = query
  return {
    ...query,
    ...(after !== undefined && { after: after.split('\0')[0]! }),
    ...(upTo !== undefined && { upTo: upTo.split('\0')[0]! }),
  }
}

async function belongTo(client: PoolClient, log: string): Promise<void> {
  const { rows } = await client.query<{ log: string }>('select log from superinsight.source')
  if (rows.length === 0) await client.query('insert into superinsight.source(log) values ($1)', [log])
  else if (rows[0]!.log !== log) {
    const message = `DATABASE_URL: the database has the read model of log ${rows[0]!.log}, and this is log ${log}`
    throw new DomainError('VALIDATION_ERROR', `${message}; name an empty one, or drop its schema superinsight`)
  }
}
