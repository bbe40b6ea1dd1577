import type { DatabaseSync } from 'node:sqlite'
import { DomainError } from '../../../../kernel/errors.ts'
import type { Column, Table, UniqueIndex } from '../connection.ts'
import { OWN_PREFIX, type TableName } from '../names.ts'
import { sqliteDialect } from './dialect.ts'
import { wrong } from './faults.ts'

/**
 * What a table of ours has in the text that it was made with, which SQLite keeps: it goes with the table, whoever renames
 * it.
 */
export const MADE_BY_US = '/* made by superinsight */'

/** Tables by which the service's own files are known, with columns that no other table of that name has. */
const OWN_TABLES: readonly { table: string; columns: readonly string[]; file: string }[] = [
  { table: 'checkpoints', columns: ['projection', 'stream', 'epoch'], file: 'read store' },
  { table: 'batches', columns: ['last', 'topic', 'crc', 'bytes'], file: 'log' },
  { table: 'secrets', columns: ['reference', 'sealed'], file: 'secret store' },
  { table: 'keys', columns: ['hash', 'fingerprint', 'until'], file: 'store of idempotency keys' },
]

interface FoundColumn {
  readonly name: string
  readonly type: string
  readonly pk: number
  readonly hidden: number
  readonly dflt_value: string | null
}

/** What SQLite's own tables say of others. */
export function createCatalog(db: DatabaseSync) {
  const known = new Map<string, Column['type']>()
  for (const [type, name] of Object.entries(sqliteDialect.types))
    if (type !== 'time') known.set(name, type as Column['type'])

  const all = <Row>(sql: string, ...values: string[]) => db.prepare(sql).all(...values) as Row[]
  const columnsOf = (table: string) => all<FoundColumn>('select * from pragma_table_xinfo(?)', table)

  const sqlOf = (table: string) =>
    all<{ type: string; sql: string }>(
      "select type, sql from sqlite_master where name = ? collate nocase and type in ('table', 'view')",
      table,
    )[0]

  function serviceFile(): string | undefined {
    const has = ({ table, columns }: (typeof OWN_TABLES)[number]) => {
      const names = columnsOf(table).map(({ name }) => name)
      return columns.every(column => names.includes(column))
    }
    return OWN_TABLES.find(has)?.file
  }

  const file = serviceFile()
  if (file !== undefined && file !== 'read store') throw wrong(`this is the service’s own ${file}`)

  function columnOf({ name, type, hidden }: FoundColumn, ours: boolean): Column {
    const own = ours ? known.get(type.toLowerCase()) : undefined
    return {
      name,
      type: own ?? 'other',
      sqlType: type,
      fixed: own === undefined,
      settable: hidden > 1 ? 'never' : 'always',
    }
  }

  function refersTo(table: string): boolean {
    const sql = `select 1 from sqlite_master m, pragma_foreign_key_list(m.name) f
      where m.type = 'table' and f."table" = ? collate nocase limit 1`
    return all(sql, table).length > 0
  }

  return {
    columnsOf,
    sqlOf,
    /** Whether a foreign key of another table refers to this one. */
    refersTo,
    exists: (table: TableName) => sqlOf(table.name) !== undefined,
    describe(name: TableName): Table | undefined {
      const found = sqlOf(name.name)
      if (!found) return undefined
      if (found.type !== 'table' || /^create virtual/i.test(found.sql))
        throw refused(name, 'is no table that can be written to')
      const ours = found.sql.includes(MADE_BY_US)
      if (file !== undefined && !ours) throw refused(name, `is a table of the service’s own ${file}`)
      return { name, ours, columns: columnsOf(name.name).map(column => columnOf(column, ours)) }
    },
    uniqueIndexes({ name: table }: TableName, columns: readonly string[]): UniqueIndex[] {
      const wanted = columns.toSorted().join('\0')
      const isSame = (names: readonly (string | null)[]) => names.toSorted().join('\0') === wanted
      const keys = columnsOf(table).filter(({ pk }) => pk > 0)
      // A primary key of one integer is no index: the table is in its order.
      const own = isSame(keys.map(({ name }) => name)) ? [{ name: '', partial: false }] : []
      const indexes = all<{ name: string; partial: number }>(
        'select name, partial from pragma_index_list(?) where "unique" = 1',
        table,
      )
      const columnsOfIndex = (index: string) =>
        all<{ name: string | null }>('select name from pragma_index_info(?)', index).map(({ name }) => name)
      const same = indexes.filter(({ name }) => isSame(columnsOfIndex(name)))
      return [...own, ...same.map(({ name, partial }) => ({ name, partial: partial === 1 }))]
    },
    /** Triggers, indexes not of ours, foreign keys of others. */
    isTiedTo({ name }: TableName): boolean {
      const triggers = all("select 1 from sqlite_master where type = 'trigger' and tbl_name = ? collate nocase", name)
      const indexes = all<{ name: string }>('select name from pragma_index_list(?)', name)
      return triggers.length > 0 || indexes.some(index => !index.name.startsWith(OWN_PREFIX)) || refersTo(name)
    },
    /** What makes the indexes and triggers of a table again. */
    around: ({ name }: TableName) =>
      all<{ sql: string }>(
        "select sql from sqlite_master where type in ('index', 'trigger') and tbl_name = ? collate nocase and sql is not null",
        name,
      ).map(({ sql }) => sql),
  }
}

function refused({ name }: TableName, what: string): DomainError {
  const field = 'destination.table'
  const message = `${name} ${what}`
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details: [{ field, message }] })
}
