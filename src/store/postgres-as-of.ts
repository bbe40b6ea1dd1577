import type { Table } from '../kernel/projection.ts'
import { ALL_ROWS, type Slice, sinceOf, splitEqual } from './as-of.ts'
import { keyedSql, loadedSql } from './postgres-load.ts'
import { cutSql, fieldSql, nameOf, quoted } from './postgres-sql.ts'
import type { Moment, PageQuery } from './store.ts'

/*
 * Rows of the past in PostgreSQL: the table's own in the order of their keys, and for each that is newer than the moment
 * one look into its versions.
 */

export interface Query {
  readonly text: string
  readonly values: readonly unknown[]
}

type Value = (given: unknown) => string

/** The last offset that counts, by the stream that an expression names. */
function momentSql(stream: string, moment: Moment, value: Value): string {
  if (moment.size === 0) return '-1'
  const cases = [...moment].map(([name, offset]) => `when ${value(name)}::text then ${value(offset)}::bigint`)
  return `case ${stream} ${cases.join(' ')} else -1 end`
}

/** The place from which on a row of `alias` counts, as two expressions. */
function placeOf(table: Table, alias: string): readonly [stream: string, offset: string] {
  const [stream, offset] = sinceOf(table).map(column => `${alias}.${quoted(column)}`) as [string, string]
  if (!table.since) return [stream, offset]
  return [`coalesce(${stream}, ${alias}."stream")`, `coalesce(${offset}, ${alias}."offset")`]
}

/** The rows that `inner` gives of a table, with what else it gives, as they were: those that were not there yet are left out. */
export function thenSql(
  table: Table,
  moment: Moment,
  inner: string,
  value: Value,
  more: readonly string[] = [],
): string {
  if (!table.versions) throw new Error(`${table.name} keeps no versions`)
  const same = table.key.map(column => `x.${quoted(column)} = t.${quoted(column)}`).join(' and ')
  const [stream, offset] = placeOf(table, 't')
  const [stream2, offset2] = placeOf(table, 'x')
  // A row's versions are of its own stream, unless it says otherwise.
  const until = table.since ? momentSql(stream2, moment, value) : 't."#moment"'
  // A key is the same in both; taken from where it is in order, that order is known.
  const columns = Object.keys(table.columns).map(name =>
    table.key.includes(name)
      ? `t.${quoted(name)}`
      : `case when v."offset" is null then t.${quoted(name)} else v.${quoted(name)} end as ${quoted(name)}`,
  )
  return `select ${[...columns, ...more].join(', ')} from (select t.*, ${momentSql(stream, moment, value)} as "#moment" from (${inner}) t) t
    left join lateral (select * from ${nameOf(table.versions)} x
      where ${offset} > t."#moment" and ${same} and ${offset2} <= ${until} order by x."offset" desc limit 1) v on true
    where ${offset} <= t."#moment" or v."offset" is not null`
}

/** The rows of a table that a slice looks at, in their order. */
function sliceSql(query: PageQuery, { rows, from }: Slice, value: Value): string {
  const { table, after, upTo, newest } = query
  const last = quoted(table.key.at(-1)!)
  const conditions = splitEqual(query).stays.map(([column, given]) => `${quoted(column)} = ${value(given)}`)
  if (after !== undefined) conditions.push(`${last} > ${value(after)}`)
  if (upTo !== undefined) conditions.push(`${last} <= ${value(upTo)}`)
  if (from !== undefined) conditions.push(`${last} ${newest ? '<' : '>'} ${value(from)}`)
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return `select * from ${nameOf(table)} ${where} order by ${last} ${newest ? 'desc' : ''} limit ${value(rows)}`
}

function fittingSql(query: PageQuery, inner: string, value: Value): string {
  const conditions = splitEqual(query).varies.map(([column, given]) => `${quoted(column)} = ${value(given)}`)
  for (const field of query.fields ?? []) conditions.push(fieldSql(field, value))
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return `select * from (${thenSql(query.table, query.asOf!, inner, value)}) fitting ${where}`
}

/** Rows with whether they were cut after them. */
export function sliceRowsSql(query: PageQuery, slice: Slice): Query {
  return withValues(value => {
    const rows = fittingSql(query, sliceSql(query, slice, value), value)
    const order = `${quoted(query.table.key.at(-1)!)} ${query.newest ? 'desc' : ''}`
    const some = `${rows} order by ${order} limit ${value(slice.limit)} offset ${value(slice.offset)}`
    return cutSql(query.table, some, order)
  })
}

export function sliceCountSql(query: PageQuery, slice: Slice): Query {
  return withValues(
    value => `select count(*) as rows from (${fittingSql(query, sliceSql(query, slice, value), value)}) fitting`,
  )
}

export function sliceEndSql(query: PageQuery, slice: Slice): Query {
  const last = quoted(query.table.key.at(-1)!)
  return withValues(
    value =>
      `select ${last} as "end" from (${sliceSql(query, slice, value)}) slice limit 1 offset ${value(slice.rows - 1)}`,
  )
}

export function countThenSql({ table, equal, asOf }: Pick<PageQuery, 'table' | 'equal' | 'asOf'>): Query {
  return sliceCountSql({ table, equal, asOf, limit: 0 }, { rows: ALL_ROWS, from: undefined, limit: 0, offset: 0 })
}

/** As `loadSql`, with the values that come between the keys and the markers. */
export function loadThenSql(table: Table, moment: Moment): Query {
  const values: unknown[] = []
  const value = (given: unknown) => `$${table.key.length + values.push(given)}`
  const then = thenSql(table, moment, keyedSql(table), value, ['t."#place"'])
  const [separator, none] = [1, 2].map(n => `$${table.key.length + values.length + n}`) as [string, string]
  return { text: loadedSql(table, then, separator, none), values }
}

function withValues(build: (value: Value) => string): Query {
  const values: unknown[] = []
  return { text: build(given => `$${values.push(given)}`), values }
}
