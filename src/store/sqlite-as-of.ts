import type { SQLInputValue, StatementSync } from 'node:sqlite'
import type { Row, Table, Value } from '../kernel/projection.ts'
import { ALL_ROWS, type Slice, sinceOf, splitEqual } from './as-of.ts'
import { fieldSql, quoted, rowsUntilFull } from './sqlite-sql.ts'
import { type Moment, PAGE_BYTES, type PageQuery, rowBytes } from './store.ts'

/*
 * Rows of the past in SQLite: the table's own in the order of their keys, and for each that is newer than the moment one
 * look into its versions.
 */

interface Sql {
  readonly sql: string
  readonly values: readonly SQLInputValue[]
}

/** The last offset that counts, by the stream that a column names. */
function momentSql(column: string, moment: Moment): Sql {
  if (moment.size === 0) return { sql: '-1', values: [] }
  const cases = [...moment].map(() => 'when ? then ?').join(' ')
  return { sql: `case ${column} ${cases} else -1 end`, values: [...moment].flat() }
}

/** The place from which on a row of `alias` counts, as two expressions. */
function placeOf(table: Table, alias: string): readonly [stream: string, offset: string] {
  const [stream, offset] = sinceOf(table).map(column => `${alias}.${quoted(column)}`) as [string, string]
  if (!table.since) return [stream, offset]
  return [`coalesce(${stream}, ${alias}."stream")`, `coalesce(${offset}, ${alias}."offset")`]
}

/**
 * The rows that `inner` gives of a table, as they were: those that were not there yet are left out. Its values come between
 * the others.
 */
function thenSql(
  table: Table,
  moment: Moment,
  inner: string,
): { sql: string; before: readonly SQLInputValue[]; after: readonly SQLInputValue[] } {
  if (!table.versions) throw new Error(`${table.name} keeps no versions`)
  const versions = quoted(table.versions.name)
  const same = (a: string, b: string, from = 0) =>
    table.key
      .slice(from)
      .map(column => ` and ${a}.${quoted(column)} = ${b}.${quoted(column)}`)
      .join('')
  const [first] = table.key.map(quoted) as [string]
  const [stream, offset] = placeOf(table, 't')
  const [stream2, offset2] = placeOf(table, 'x')
  const [here, there] = [momentSql(stream, moment), momentSql(stream2, moment)]
  // A row's versions are of its own stream, unless it says otherwise.
  const until = table.since ? there : { sql: 't."#moment"', values: [] }
  // A key is the same in both; taken from where it is in order, that order is known.
  const columns = Object.keys(table.columns).map(name =>
    table.key.includes(name)
      ? `t.${quoted(name)}`
      : `case when v."offset" is null then t.${quoted(name)} else v.${quoted(name)} end as ${quoted(name)}`,
  )
  // The key is null for a row that is no newer: the look ends there.
  const sql = `select ${columns.join(', ')} from (select t.*, ${here.sql} as "#moment" from (${inner}) t) t
    left join ${versions} v on v.${first} = case when ${offset} > t."#moment" then t.${first} end${same('v', 't', 1)}
      and v."offset" = (select x."offset" from ${versions} x where x.${first} = t.${first}${same('x', 't', 1)}
        and ${offset2} <= ${until.sql} order by x."offset" desc limit 1)
    where ${offset} <= t."#moment" or v."offset" is not null`
  return { sql, before: here.values, after: until.values }
}

/** The rows of a table that a slice looks at, in their order. */
function sliceSql(query: PageQuery, { rows, from }: Slice): Sql {
  const { table, after, upTo, newest } = query
  const last = quoted(table.key.at(-1)!)
  const conditions: string[] = []
  const values: SQLInputValue[] = []
  const add = (condition: string, value: SQLInputValue) => {
    conditions.push(condition)
    values.push(value)
  }
  for (const [column, value] of splitEqual(query).stays) add(`${quoted(column)} = ?`, value)
  if (after !== undefined) add(`${last} > ?`, after)
  if (upTo !== undefined) add(`${last} <= ?`, upTo)
  if (from !== undefined) add(`${last} ${newest ? '<' : '>'} ?`, from)
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  const sql = `select * from ${quoted(table.name)} ${where} order by ${last} ${newest ? 'desc' : ''} limit ?`
  return { sql, values: [...values, rows] }
}

/**
 * The rows of a slice that fit, in its order: it is the outer loop, and the looks into versions are the inner one. To sort
 * them again would be a third of the work.
 */
function fittingSql(query: PageQuery, inner: Sql): Sql {
  const { sql, before, after } = thenSql(query.table, query.asOf!, inner.sql)
  const varies = splitEqual(query).varies
  const conditions = varies.map(([column]) => `${quoted(column)} = ?`)
  const values = [...before, ...inner.values, ...after, ...varies.map(([, value]) => value)]
  for (const field of query.fields ?? []) {
    const condition = fieldSql(field)
    conditions.push(condition.sql)
    values.push(...condition.values)
  }
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return { sql: `select * from (${sql}) ${where}`, values }
}

type Statement = (sql: string) => StatementSync

export function readSlice(statement: Statement, query: PageQuery, slice: Slice): { rows: Row[]; cut: boolean } {
  const { sql, values } = fittingSql(query, sliceSql(query, slice))
  return rowsUntilFull(statement(`${sql} limit ? offset ?`), query.table, [...values, slice.limit, slice.offset])
}

export function countSlice(statement: Statement, query: PageQuery, slice: Slice): number {
  const { sql, values } = fittingSql(query, sliceSql(query, slice))
  return statement(`select count(*) as rows from (${sql})`).get(...values)!.rows as number
}

export function endOfSlice(statement: Statement, query: PageQuery, slice: Slice): string | undefined {
  const { sql, values } = sliceSql(query, slice)
  const last = quoted(query.table.key.at(-1)!)
  const found = statement(`select ${last} as "end" from (${sql}) limit 1 offset ?`).get(...values, slice.rows - 1)
  return found && String(found.end)
}

export function countThen(statement: Statement, query: Pick<PageQuery, 'table' | 'equal' | 'asOf'>): number {
  const all = { ...query, limit: 0 }
  return countSlice(statement, all, { rows: ALL_ROWS, from: undefined, limit: 0, offset: 0 })
}

/** The rows with these keys, as they were, until their text comes to PAGE_BYTES. */
export function loadThen(
  statement: Statement,
  table: Table,
  keys: readonly (readonly Value[])[],
  moment: Moment,
): Row[] {
  const conditions = table.key.map(column => `${quoted(column)} = ?`).join(' and ')
  const own = `select * from ${quoted(table.name)} where ${conditions}`
  const { sql, before, after } = thenSql(table, moment, own)
  const rows: Row[] = []
  let bytes = 0
  for (const key of keys) {
    const row = statement(sql).get(...before, ...table.key.map((_, i) => key[i] ?? null), ...after) as Row | undefined
    if (!row) continue
    rows.push(row)
    bytes += rowBytes(row)
    if (bytes >= PAGE_BYTES) break
  }
  return rows
}
