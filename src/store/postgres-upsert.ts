import type { PoolClient } from 'pg'
import type { Table } from '../kernel/projection.ts'
import { binaryArray } from './postgres-arrays.ts'
import { upsertSql } from './postgres-sql.ts'
import { isShared, sharedColumns } from './shared-columns.ts'
import type { TableChange } from './store.ts'

/** Large enough that what a statement costs by itself does not show, small enough that none keeps others waiting. */
export const ROWS_A_STATEMENT = 5000
/** Upserts that a connection keeps prepared: one for each table and set of columns that rows have had in common. */
const MOST_PREPARED = 200
const preparedOn = new WeakMap<PoolClient, Set<string>>()

/** PostgreSQL's unique_violation. */
const TAKEN = '23505'

/**
 * Writes rows over what has their keys, in a transaction. Rows of a table whose rows are all new are added, which takes
 * PostgreSQL a third less; if one is there after all the transaction is begun anew, and they are written over it.
 */
export async function upsertAll(client: PoolClient, changes: readonly TableChange[]): Promise<void> {
  try {
    for (const change of changes) await upsert(client, change, change.table.appended === true)
  } catch (error) {
    if ((error as { code?: string }).code !== TAKEN) throw error
    await client.query('rollback')
    await client.query('begin')
    for (const change of changes) await upsert(client, change, false)
  }
}

async function upsert(client: PoolClient, { table, rows }: TableChange, added: boolean): Promise<void> {
  const columns = Object.entries(table.columns)
  const names = Object.keys(table.columns)
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    const some = rows.slice(at, at + ROWS_A_STATEMENT)
    const common = sharedColumns(names, some, 0, some.length)
    const shared = keepsPrepared(client, statementOf(table, common, added)) ? common : 0
    const values = columns.map(([name, type], c) =>
      isShared(shared, c) ? some[0]![name] : binaryArray(type, some.length, i => some[i]![name]),
    )
    await client.query({ name: statementOf(table, shared, added), text: upsertSql(table, shared, added), values })
  }
}

function statementOf(table: Table, shared: number, added: boolean): string {
  return `${added ? 'add' : 'upsert'} ${shared.toString(36)} ${table.name}`
}

/** Notes that a connection keeps a statement prepared; false when it has no room for one more. */
function keepsPrepared(client: PoolClient, name: string): boolean {
  const names = preparedOn.get(client) ?? new Set()
  preparedOn.set(client, names)
  if (names.size < MOST_PREPARED) names.add(name)
  return names.has(name)
}
