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

/** Writes rows over what has their keys. */
export async function upsert(client: PoolClient, { table, rows }: TableChange): Promise<void> {
  const columns = Object.entries(table.columns)
  const names = Object.keys(table.columns)
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    const some = rows.slice(at, at + ROWS_A_STATEMENT)
    const common = sharedColumns(names, some, 0, some.length)
    const shared = keepsPrepared(client, statementOf(table, common)) ? common : 0
    const values = columns.map(([name, type], c) =>
      isShared(shared, c)
        ? some[0]![name]
        : binaryArray(
            type,
            some.map(row => row[name]!),
          ),
    )
    await client.query({ name: statementOf(table, shared), text: upsertSql(table, shared), values })
  }
}

function statementOf(table: Table, shared: number): string {
  return `upsert ${shared.toString(36)} ${table.name}`
}

/** Notes that a connection keeps a statement prepared; false when it has no room for one more. */
function keepsPrepared(client: PoolClient, name: string): boolean {
  const names = preparedOn.get(client) ?? new Set()
  preparedOn.set(client, names)
  if (names.size < MOST_PREPARED) names.add(name)
  return names.has(name)
}
