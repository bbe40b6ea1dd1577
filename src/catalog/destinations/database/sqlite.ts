import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { checkFolder } from '../../reach/folder.ts'
import type { SinkContext } from '../destination.ts'
import { sqlitePath } from './config.ts'
import { type Column, type Connection, type Insert, type NewColumn, ShapeFault, type Value } from './connection.ts'
import { newIndexName, quoted, quotedList, quotedTable, type TableName } from './names.ts'
import { createCatalog, MADE_BY_US } from './sqlite/catalog.ts'
import { sqliteDialect as dialect, NUMBER_TEXT } from './sqlite/dialect.ts'
import { isBusy, sqliteFault } from './sqlite/faults.ts'

/** Values in one statement: what a statement costs by itself is more than what a row does. */
const VALUES_A_STATEMENT = 320
const STATEMENTS_KEPT = 50
const CACHE_KB = 16 * 1024
/** How long to wait before asking again for a database that somebody else writes to. */
const BUSY_MS = 10

/**
 * A SQLite file. Its calls hold up the thread that they are made in, so nothing is waited for within one: a database that
 * is busy is asked again later.
 */
export async function openSqlite(
  url: string,
  table: string,
  { signal, answerMs, folders }: Pick<SinkContext, 'signal' | 'answerMs' | 'folders'>,
): Promise<{ connection: Connection; target: TableName }> {
  const path = sqlitePath(url)
  checkFolder(path, folders, 'destination.url')
  const told = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw sqliteFault(error, path)
    }
  }

  /** Does something as soon as nobody else has the database. */
  async function patiently<T>(work: () => T): Promise<T> {
    for (const end = Date.now() + answerMs; ; ) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error) || Date.now() > end) throw sqliteFault(error, path)
        await delay(BUSY_MS, undefined, { signal })
      }
    }
  }

  const db = told(() => new DatabaseSync(path, { timeout: 0 }))
  const prepared = new Map<string, StatementSync>()

  function statement(sql: string): StatementSync {
    let found = prepared.get(sql)
    if (!found) {
      if (prepared.size >= STATEMENTS_KEPT) prepared.clear()
      found = db.prepare(sql)
      prepared.set(sql, found)
    }
    return found
  }

  /** $1, $2 … by their names, which SQLite has as well. */
  function named(values: readonly Value[] = []): Record<string, SQLInputValue> {
    return Object.fromEntries(values.map((value, i) => [`$${i + 1}`, value as SQLInputValue]))
  }

  const run = async (sql: string, values?: readonly Value[]) => void told(() => statement(sql).run(named(values)))

  /** Many rows to a statement; the last ones one by one. */
  function insert({ into, columns, nulls = [], rows, tail = '' }: Insert): void {
    const names = quotedList([...columns, ...nulls].map(({ name }) => name))
    const row = `(${[...columns.map(() => '?'), ...nulls.map(() => 'null')].join(', ')})`
    const most = Math.max(1, Math.floor(VALUES_A_STATEMENT / columns.length))
    const sqlOf = (count: number) =>
      `insert into ${quotedTable(into)} as held (${names}) values ${Array(count).fill(row).join(', ')} ${tail}`
    for (let at = 0; at < rows.length; ) {
      const count = rows.length - at >= most ? most : 1
      const values: SQLInputValue[] = []
      for (let i = at; i < at + count; i++) for (const value of rows[i]!) values.push(value as SQLInputValue)
      statement(sqlOf(count)).run(...values)
      at += count
    }
  }

  /** SQLite cannot give a column another type: another table takes the place of its. */
  function rebuild({ name }: TableName, changed: Column, type: keyof typeof dialect.types, mark: string): void {
    if (catalog.refersTo(name)) throw new ShapeFault(`a foreign key refers to ${name}, which cannot be made anew`)
    const around = catalog.around({ schema: null, name })
    const columns = catalog.columnsOf(name)
    const made = columns.map(column => {
      const declared = column.name === changed.name ? dialect.types[type] : column.type
      const initially = column.dflt_value === null ? '' : ` default ${column.dflt_value}`
      return `${quoted(column.name)} ${declared}${initially}`
    })
    const values = columns.map(column =>
      column.name === changed.name ? dialect.widened(changed.type, type, quoted(column.name)) : quoted(column.name),
    )
    const other = newIndexName()
    db.exec(`create table ${quoted(other)} ${mark} (${made.join(', ')})`)
    db.exec(`insert into ${quoted(other)} select ${values.join(', ')} from ${quoted(name)} order by rowid`)
    db.exec(`drop table ${quoted(name)}`)
    db.exec(`alter table ${quoted(other)} rename to ${quoted(name)}`)
    for (const sql of around) db.exec(sql)
  }

  const catalog = await patiently(() => {
    // Another connection of the same process may have it: it is asked again, and not waited for.
    db.exec(`pragma journal_mode = wal`)
    // A page that is reported to be in is on the disk, or the log would be the only one to know of it.
    db.exec(`pragma synchronous = full; pragma wal_autocheckpoint = 8000; pragma cache_size = -${CACHE_KB};`)
    // Views that name a table are about whichever table has the name.
    db.exec('pragma legacy_alter_table = on')
    return createCatalog(db)
  }).catch(error => {
    db.close()
    throw error
  })
  db.function(NUMBER_TEXT, { deterministic: true, useBigIntArguments: true }, value =>
    value === null ? null : String(value),
  )

  const connection: Connection = {
    dialect,
    async transaction(work) {
      signal.throwIfAborted()
      await patiently(() => db.exec('begin immediate'))
      try {
        const result = await work()
        await patiently(() => db.exec('commit'))
        return result
      } catch (error) {
        if (db.isTransaction) db.exec('rollback')
        throw error
      }
    },
    async attempt(work) {
      told(() => db.exec('savepoint part'))
      try {
        const result = await work()
        told(() => db.exec('release part'))
        return result
      } catch (error) {
        // Some failures, such as a full disk, end the whole transaction.
        if (db.isTransaction) db.exec('rollback to part; release part')
        throw error
      }
    },
    run,
    rows: async (sql, values) => told(() => statement(sql).all(named(values))),
    exists: async name => told(() => catalog.exists(name)),
    describe: async name => told(() => catalog.describe(name)),
    // A transaction that is to write has the whole database to itself.
    hold: async () => undefined,
    version: async () => String(told(() => statement('pragma schema_version').get())!.schema_version),
    create: async (name, columns) =>
      told(() => db.exec(`create table ${quotedTable(name)} ${MADE_BY_US} (${columns.map(columnSql).join(', ')})`)),
    async createLike(name, like) {
      const made = told(() => catalog.sqlOf(like.name))!.sql
      told(() => db.exec(made.replace(TABLE_NAME, () => `CREATE TABLE ${quotedTable(name)}`)))
    },
    createKeys: async (keys, _of, columns) =>
      told(() => db.exec(`create table ${quotedTable(keys)} (${columns.map(keySql).join(', ')})`)),
    addColumn: (name, column) => run(`alter table ${quotedTable(name)} add column ${columnSql(column)}`),
    widen: async ({ name }, column, type) => told(() => rebuild(name, column, type, MADE_BY_US)),
    widenKey: async (keys, column, type) => told(() => rebuild(keys, column, type, '')),
    uniqueIndexes: async (name, columns) => told(() => catalog.uniqueIndexes(name, columns)),
    isTiedTo: async name => told(() => catalog.isTiedTo(name)),
    insert: async rows => told(() => insert(rows)),
    stop: async () => {
      if (db.isOpen) db.close()
    },
  }
  return { connection, target: { schema: null, name: table } }
}

/** A table's name in the text that made it, which SQLite keeps without what may stand before. */
const TABLE_NAME = /^CREATE TABLE (?:"(?:[^"]|"")*"|\[[^\]]*\]|`(?:[^`]|``)*`|'(?:[^']|'')*'|[^\s("'`[]+)/

function columnSql({ name, type, sqlType, initially }: NewColumn): string {
  return `${quoted(name)} ${sqlType ?? dialect.types[type as keyof typeof dialect.types]}${initially ? ` default ${initially}` : ''}`
}

function keySql({ name, sqlType }: Column): string {
  return `${quoted(name)} ${sqlType}`
}
