import type { DatabaseSync } from 'node:sqlite'
import type { Table } from '../kernel/projection.ts'
import { declareCheckpoints } from './sqlite-checkpoints.ts'
import { quoted } from './sqlite-sql.ts'

/** Makes the tables of the store itself, and what those of older files lack. */
export function declareOwn(db: DatabaseSync): void {
  declareCheckpoints(db)
  db.exec(`create table if not exists generations(projection text, number integer, version integer not null, state text not null,
    rebuild text, started_at integer, result text, tables text not null,
    done integer not null default 0, total integer not null default 0, primary key(projection, number)) strict, without rowid`)
}

/** Makes a table, or the columns and indexes that it lacks. */
export function declareTable(db: DatabaseSync, table: Table): void {
  const columns = Object.entries(table.columns).map(([name, type]) => `${quoted(name)} ${type}`)
  const body = `${columns.join(', ')}, primary key(${table.key.map(quoted).join(', ')})`
  db.exec(`create table if not exists ${quoted(table.name)}(${body}) strict, without rowid`)
  const there = columnsOf(db, table.name)
  for (const [name, type] of Object.entries(table.columns))
    if (!there.has(name)) db.exec(`alter table ${quoted(table.name)} add column ${quoted(name)} ${type}`)
  const indexed = indexesOf(db, table.name)
  for (const index of table.indexes ?? []) {
    // Whatever its name: a table takes its indexes along when it is renamed, and they keep theirs.
    if (indexed.has(index.join())) continue
    const name = freeName(db, `${table.name} by ${index.join(', ')}`)
    db.exec(`create index ${quoted(name)} on ${quoted(table.name)}(${index.map(quoted).join(', ')})`)
  }
}

function columnsOf(db: DatabaseSync, table: string): Set<unknown> {
  return new Set(
    db
      .prepare('select name from pragma_table_info(?)')
      .all(table)
      .map(row => row.name),
  )
}

/** The columns of each index of a table. */
function indexesOf(db: DatabaseSync, table: string): Set<string> {
  const columns = db.prepare('select name from pragma_index_info(?) order by seqno')
  const indexes = db.prepare('select name from pragma_index_list(?)').all(table)
  return new Set(
    indexes.map(({ name }) =>
      columns
        .all(name as string)
        .map(row => row.name)
        .join(),
    ),
  )
}

function freeName(db: DatabaseSync, wanted: string): string {
  const taken = db.prepare('select 1 from sqlite_schema where name = ?')
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted} (${n})`
    if (!taken.get(name)) return name
  }
}
