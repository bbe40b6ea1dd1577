import type { Table } from '../kernel/projection.ts'
import { isShared } from './shared-columns.ts'
import { type FieldCondition, PAGE_BYTES, type PageQuery } from './store.ts'

export const TYPES = { text: 'text collate "C"', integer: 'bigint' } as const
const SCALARS = { text: 'text', integer: 'bigint' } as const
export const ARRAYS = { text: 'text[]', integer: 'bigint[]' } as const

export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

export function nameOf(table: Table): string {
  return `superinsight.${quoted(table.name)}`
}

/** Half of each page is left free where rows change, so that one that does stays on its page and no index has to be told. */
export function createSql(table: Table): string {
  const columns = Object.entries(table.columns).map(([name, type]) => `${quoted(name)} ${TYPES[type]}`)
  const key = table.key.map(quoted).join(', ')
  const indexes = (table.indexes ?? []).map(
    index =>
      `create index if not exists ${quoted(`${table.name} by ${index.join(', ')}`)} on ${nameOf(table)}(${index.map(quoted).join(', ')})`,
  )
  const body = `${columns.join(', ')}, primary key(${key})`
  const fill = table.appended ? 100 : 50
  return [`create table if not exists ${nameOf(table)}(${body}) with (fillfactor = ${fill})`, ...indexes].join('; ')
}

/** The columns that a table has, by its name $1. */
export const COLUMNS_SQL = `select column_name as name from information_schema.columns
  where table_schema = 'superinsight' and table_name = $1`

/** Adds the columns that `there` has not. */
export function addColumnsSql(table: Table, there: ReadonlySet<string>): string[] {
  return Object.entries(table.columns)
    .filter(([name]) => !there.has(name))
    .map(([name, type]) => `alter table ${nameOf(table)} add column ${quoted(name)} ${TYPES[type]}`)
}

/** How much text a row holds; octet_length needs no look at a long value itself, only at what stands for it in the row. */
export function bytesSql(table: Table): string {
  const texts = Object.entries(table.columns).filter(([, type]) => type === 'text')
  return texts.map(([name]) => `coalesce(octet_length(${quoted(name)}), 0)`).join(' + ')
}

/**
 * Writes rows over what has their keys, or, `added`, fails with a unique_violation where there is anything: the columns are
 * parameters $1, $2 …, arrays but for those that all rows share.
 */
export function upsertSql(table: Table, shared: number, added: boolean): string {
  const columns = Object.entries(table.columns)
  const names = columns.map(([name]) => quoted(name)).join(', ')
  const own = columns.flatMap(([name, type], i) =>
    isShared(shared, i) ? [] : [{ name, array: `$${i + 1}::${ARRAYS[type]}` }],
  )
  const list = columns.map(([name, type], i) => (isShared(shared, i) ? `$${i + 1}::${SCALARS[type]}` : quoted(name)))
  const rest = columns.map(([name]) => name).filter(name => !table.key.includes(name))
  const set = rest.map(name => `${quoted(name)} = excluded.${quoted(name)}`).join(', ')
  const action = rest.length > 0 ? `do update set ${set}` : 'do nothing'
  const over = added ? '' : `on conflict(${table.key.map(quoted).join(', ')}) ${action}`
  return `insert into ${nameOf(table)}(${names}) select ${list.join(', ')}
    from unnest(${own.map(({ array }) => array).join(', ')}) as own(${own.map(({ name }) => quoted(name)).join(', ')}) ${over}`
}

/** A page of rows, cut where the text of those before comes to PAGE_BYTES. */
export function pageSql(query: PageQuery): { text: string; values: unknown[] } {
  const { table } = query
  const values: unknown[] = []
  const value = (given: unknown) => `$${values.push(given)}`
  const last = quoted(table.key.at(-1)!)
  const conditions = Object.entries(query.equal).map(([column, given]) => `${quoted(column)} = ${value(given)}`)
  if (query.after !== undefined) conditions.push(`${last} > ${value(query.after)}`)
  if (query.upTo !== undefined) conditions.push(`${last} <= ${value(query.upTo)}`)
  for (const field of query.fields ?? []) conditions.push(fieldSql(field, value))
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  const rows = `select * from ${nameOf(table)} ${where} order by ${last}${query.newest ? ' desc' : ''} limit ${value(query.limit)} offset ${value(query.offset ?? 0)}`
  return { text: cutSql(table, rows, last), values }
}

/** The rows that `rows` gives, in an order, cut after the one with which their text comes to PAGE_BYTES; last whether they were. */
export function cutSql(table: Table, rows: string, order: string): string {
  const names = Object.keys(table.columns).map(quoted).join(', ')
  return `select ${names}, "#before" + "#bytes" >= ${PAGE_BYTES} as "#cut" from (
      select *, coalesce(sum("#bytes") over (order by ${order} rows between unbounded preceding and 1 preceding), 0) as "#before"
      from (select *, ${bytesSql(table)} as "#bytes" from (${rows}) rows) counted
    ) page where "#before" < ${PAGE_BYTES} order by ${order}`
}

export function countSql({ table, equal }: Pick<PageQuery, 'table' | 'equal'>): { text: string; values: unknown[] } {
  const conditions = Object.keys(equal).map((column, i) => `${quoted(column)} = $${i + 1}`)
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return { text: `select count(*) as rows from ${nameOf(table)} ${where}`, values: Object.values(equal) }
}

/** Only what may be beyond PostgreSQL's json goes through the function that is slower and bears it. */
export function fieldSql(
  { column, field, comparison, value: wanted }: FieldCondition,
  value: (given: unknown) => string,
): string {
  const text = quoted(column)
  const json = `(case when ${text} like '%\\\\u%' then superinsight.json_of(${text}) else ${text}::json end -> ${value(field)}::text)`
  const type = `coalesce(json_typeof(${json}), 'null')`
  const operator = comparison === '!=' ? '=' : comparison
  const holds = () => {
    if (wanted === null) return `${type} = 'null'`
    if (typeof wanted === 'boolean') return `${type} = 'boolean' and (${json} #>> '{}') = ${value(String(wanted))}`
    if (typeof wanted === 'string') {
      return `case ${type} when 'string' then (${json} #>> '{}') collate "C" ${operator} ${value(wanted)} else false end`
    }
    const number = `superinsight.number_of(${json} #>> '{}')`
    return `case ${type} when 'number' then ${number} ${operator} ${value(String(wanted))}::numeric else false end`
  }
  return comparison === '!=' ? `not (${holds()})` : `(${holds()})`
}
