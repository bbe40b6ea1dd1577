import type { PoolClient } from 'pg'
import type { Row, Table } from '../kernel/projection.ts'
import { binaryArray } from './postgres-arrays.ts'
import { upsertSql } from './postgres-sql.ts'
import type { TableChange } from './store.ts'

/** Large enough that what a statement costs by itself does not show, small enough that none keeps others waiting. */
export const ROWS_A_STATEMENT = 5000
/** Upserts that a connection keeps prepared: one for each table and set of columns that rows have had in common. */
const MOST_PREPARED = 200
const preparedOn = new WeakMap<PoolClient, Set<string>>()

/** Writes rows over what has their keys. */
export async function upsert(client: PoolClient, { table, rows }: TableChange): Promise<void> {
  for (const some of chunks(rows)) {
    let shared = sharedColumns(table, some)
    if (!keepsPrepared(client, statementOf(table, shared))) shared = new Set()
    const values = Object.entries(table.columns).map(([name, type]) =>
      shared.has(name)
        ? some[0]![name]
        : binaryArray(
            type,
            some.map(row => row[name]!),
          ),
    )
    await client.query({ name: statementOf(table, shared), text: upsertSql(table, shared), values })
  }
}

/** The columns that are the same in all rows, as most are in rows of one push; never the last one of the key. */
function sharedColumns(table: Table, rows: readonly Row[]): ReadonlySet<string> {
  const [first] = rows as [Row]
  const own = table.key.at(-1)
  // One row by itself has all columns in common, and another one of the same table others.
  if (rows.length === 1) return new Set()
  // A column that is missing is for binaryArray to refuse.
  const isShared = (name: string) =>
    name !== own && first[name] !== undefined && rows.every(row => row[name] === first[name])
  return new Set(Object.keys(table.columns).filter(isShared))
}

function statementOf(table: Table, shared: ReadonlySet<string>): string {
  const bits = Object.keys(table.columns).map(name => (shared.has(name) ? '1' : '0'))
  return `upsert ${BigInt(`0b${bits.join('')}`).toString(36)} ${table.name}`
}

/** Notes that a connection keeps a statement prepared; false when it has no room for one more. */
function keepsPrepared(client: PoolClient, name: string): boolean {
  const names = preparedOn.get(client) ?? new Set()
  preparedOn.set(client, names)
  if (names.size < MOST_PREPARED) names.add(name)
  return names.has(name)
}

function* chunks<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += ROWS_A_STATEMENT) yield all.slice(at, at + ROWS_A_STATEMENT)
}
