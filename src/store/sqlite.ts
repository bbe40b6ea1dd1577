import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Row } from '../kernel/projection.ts'
import { pageInSlices, readerOfThePast, type SliceReader } from './as-of.ts'
import { allTables } from './generations.ts'
import { countSlice, countThen, endOfSlice, loadThen, readSlice } from './sqlite-as-of.ts'
import { claimIn, epochOf, forgetIn, keptIn, offsetsIn } from './sqlite-checkpoints.ts'
import { sqliteGenerations } from './sqlite-generations.ts'
import { sqliteRows } from './sqlite-rows.ts'
import { countNow, pageSql, rowsUntilFull } from './sqlite-sql.ts'
import { declareOwn, declareTable } from './sqlite-tables.ts'
import { MOST_WAL_PAGES, WRITTEN_BACK_PAGES, writeBackInThread } from './sqlite-wal.ts'
import { type PageQuery, refusedCommit, type Store } from './store.ts'

/** Statements that stay prepared: what callers ask may have any number of texts. */
const MOST_PREPARED = 500

export interface SqliteOptions {
  file: string
  readOnly?: boolean
  cacheMb?: number
  /** Whether a thread of its own writes commits back into the file: who commits much need not wait for that. */
  walThread?: boolean
}

/**
 * The read models in one SQLite file. Commits are not fsynced one by one (synchronous = NORMAL): after a power cut the
 * file is at some earlier commit, rows and checkpoint alike, and the projector reads on from there.
 */
export function openSqliteStore(options: SqliteOptions): Store {
  const db = new DatabaseSync(options.file, { timeout: 10_000, readOnly: options.readOnly ?? false })
  db.exec(`pragma cache_size = -${(options.cacheMb ?? 64) * 1024}; pragma busy_timeout = 10000;`)
  if (!options.readOnly) {
    const pages = options.walThread ? MOST_WAL_PAGES : WRITTEN_BACK_PAGES
    db.exec(`pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = ${pages}`)
    declareOwn(db)
  }
  const writingBack = options.walThread ? writeBackInThread(options.file) : undefined
  const prepared = new Map<string, StatementSync>()

  function statement(sql: string): StatementSync {
    let found = prepared.get(sql)
    if (!found) {
      if (prepared.size === MOST_PREPARED) prepared.clear()
      found = db.prepare(sql)
      prepared.set(sql, found)
    }
    return found
  }

  const { load, upsert } = sqliteRows(db)

  let last: Promise<unknown> = Promise.resolve()
  /** One at a time: a commit may wait in the middle, and nobody may see it half done. */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return done
  }

  const closed = new Map<string, Promise<void>>()
  /** Like `exclusively`, once nobody holds the projection. */
  async function inTurn<T>(projection: string, work: () => Promise<T>): Promise<T> {
    for (;;) {
      await closed.get(projection)
      const done = await exclusively(async () => (closed.has(projection) ? undefined : { result: await work() }))
      if (done) return done.result
    }
  }

  async function close(projection: string): Promise<() => void> {
    while (closed.has(projection)) await closed.get(projection)
    const { promise, resolve } = Promise.withResolvers<void>()
    closed.set(projection, promise)
    // Whoever began before has finished then.
    await exclusively(async () => undefined)
    let over = false
    return () => {
      if (!over) closed.delete(projection)
      over = true
      resolve()
    }
  }

  async function transaction<T>(work: () => Promise<T>): Promise<T> {
    db.exec('begin immediate')
    try {
      const result = await work()
      db.exec('commit')
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('rollback')
      throw error
    }
  }

  function pageNow(query: PageQuery): Promise<Row[]> {
    return exclusively(async () => {
      const { sql, values } = pageSql(query)
      return rowsUntilFull(statement(sql), query.table, values).rows
    })
  }

  function slices(query: PageQuery): SliceReader {
    return {
      rows: slice => exclusively(async () => readSlice(statement, query, slice)),
      count: slice => exclusively(async () => countSlice(statement, query, slice)),
      end: slice => exclusively(async () => endOfSlice(statement, query, slice)),
    }
  }

  const kept = () => exclusively(async () => keptIn(statement))
  const readThen = readerOfThePast(kept)

  return {
    parallel: false,
    generations: sqliteGenerations({ db, file: options.file, exclusively, transaction, close }),
    // In turn as well: inside a commit that fails, a new table would be rolled back with it.
    declare: tables =>
      exclusively(async () => {
        for (const table of allTables(tables)) declareTable(db, table)
      }),
    claim: (projection, stream) => inTurn(projection, async () => claimIn(statement, projection, stream)),
    load: (table, keys, asOf) =>
      asOf
        ? readThen(table, asOf, () => exclusively(async () => loadThen(statement, table, keys, asOf)))
        : exclusively(async () => load(table, keys)),
    commit: (changes, checkpoint, before) =>
      inTurn(checkpoint.projection, async () => {
        const { projection, stream, offset, epoch } = checkpoint
        await transaction(async () => {
          const moved = statement(
            'update checkpoints set "offset" = ? where projection = ? and stream = ? and epoch = ?',
          ).run(offset, projection, stream, epoch)
          if (moved.changes === 0) throw refusedCommit(checkpoint, epochOf(statement, projection, stream))
          for (const change of changes) upsert(change)
          await before
        })
        await writingBack?.room()
      }),
    checkpoints: projections => exclusively(async () => offsetsIn(statement, projections)),
    page: query =>
      query.asOf ? readThen(query.table, query.asOf, () => pageInSlices(query, slices(query))) : pageNow(query),
    count: query =>
      query.asOf
        ? readThen(query.table, query.asOf, () => exclusively(async () => countThen(statement, query)))
        : exclusively(async () => countNow(statement, query)),
    floors: async () => (await kept()).floors,
    forget: (table, claimed, through, limit) =>
      exclusively(() => transaction(async () => forgetIn(statement, table, claimed, through, limit))),
    async stop() {
      await writingBack?.stop()
      db.close()
    },
  }
}
