import type { SQLInputValue, StatementSync } from 'node:sqlite'
import type { Row, Table, Value } from '../kernel/projection.ts'
import { type FieldCondition, PAGE_BYTES, type PageQuery, rowBytes, rowOf } from './store.ts'

export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

export function pageSql(query: PageQuery): { sql: string; values: SQLInputValue[] } {
  const names = Object.keys(query.table.columns).map(quoted).join(', ')
  const last = quoted(query.table.key.at(-1)!)
  const conditions: string[] = []
  const values: SQLInputValue[] = []
  for (const [column, value] of Object.entries(query.equal)) {
    conditions.push(`${quoted(column)} = ?`)
    values.push(value)
  }
  if (query.after !== undefined) {
    conditions.push(`${last} > ?`)
    values.push(query.after)
  }
  if (query.upTo !== undefined) {
    conditions.push(`${last} <= ?`)
    values.push(query.upTo)
  }
  for (const field of query.fields ?? []) {
    const condition = fieldSql(field)
    conditions.push(condition.sql)
    values.push(...condition.values)
  }
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return {
    // By name: a statement that was prepared before a table was replaced would count its columns as they were.
    sql: `select ${names} from (
      select ${names} from ${quoted(query.table.name)} ${where} order by ${last} ${query.newest ? 'desc' : ''} limit ? offset ?
    ) order by ${last}`,
    values: [...values, query.limit, query.offset ?? 0],
  }
}

/** The rows of a table that a statement gives, in the order of its columns, until their text comes to PAGE_BYTES. */
export function rowsUntilFull(
  statement: StatementSync,
  table: Table,
  values: readonly SQLInputValue[],
): { rows: Row[]; cut: boolean } {
  const columns = Object.keys(table.columns)
  // As objects these would be slow ones, without a shape.
  statement.setReturnArrays(true)
  const rows: Row[] = []
  let bytes = 0
  for (const each of statement.iterate(...values)) {
    const row = rowOf(columns, each as unknown as readonly Value[])
    rows.push(row)
    bytes += rowBytes(row)
    if (bytes >= PAGE_BYTES) return { rows, cut: true }
  }
  return { rows, cut: false }
}

export function countNow(
  statement: (sql: string) => StatementSync,
  { table, equal }: Pick<PageQuery, 'table' | 'equal'>,
): number {
  const conditions = Object.keys(equal).map(column => `${quoted(column)} = ?`)
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  const sql = `select count(*) as rows from ${quoted(table.name)} ${where}`
  return statement(sql).get(...Object.values(equal))!.rows as number
}

/** `->>` gives a JSON number as a number, true as 1, a missing field as null; json_type tells them apart. */
export function fieldSql({ column, field, comparison, value }: FieldCondition): {
  sql: string
  values: SQLInputValue[]
} {
  // As a JSON string: SQLite reads escapes in a path when it has a backslash.
  const path = `$.${JSON.stringify(field)}`
  const type = `json_type(${quoted(column)}, ?)`
  if (value === null) {
    return { sql: `coalesce(${type}, 'null') ${comparison === '!=' ? '<>' : '='} 'null'`, values: [path] }
  }
  if (typeof value === 'boolean') {
    return { sql: `coalesce(${type}, 'null') ${comparison === '!=' ? '<>' : '='} ?`, values: [path, String(value)] }
  }
  const types = typeof value === 'string' ? "('text')" : "('integer', 'real')"
  const compared = `(${type} in ${types} and ${quoted(column)} ->> ? ${comparison === '!=' ? '=' : comparison} ?)`
  return { sql: comparison === '!=' ? `not coalesce(${compared}, 0)` : compared, values: [path, path, bound(value)] }
}

/** An integer past 64 bits as a real number, which is what SQLite makes of one in JSON text. */
function bound(value: string | number | bigint): SQLInputValue {
  return typeof value === 'bigint' && BigInt.asIntN(64, value) !== value ? Number(value) : value
}
