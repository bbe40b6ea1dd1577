import { randomBytes } from 'node:crypto'
import type { Row, Table, Value } from '../kernel/projection.ts'
import { ARRAYS, bytesSql, nameOf, quoted } from './postgres-sql.ts'
import { PAGE_BYTES, rowOf } from './store.ts'

/*
 * Rows by their keys, thousands at once. They come as one row of texts, one for each column: a text for each value costs
 * several times as much here, in the driver and in garbage, as the database takes to find the row.
 */

/** What stands between values in such a text, and for null. */
export interface Markers {
  readonly separator: string
  readonly none: string
}

/** Short ones, which hardly any text has in it. */
export const MARKERS: Markers = { separator: '\x01', none: '\x02' }

/** Others, for texts that have those in them. */
export function otherMarkers(): Markers {
  const random = randomBytes(16).toString('hex')
  return { separator: `\x01${random}`, none: `\x02${random}` }
}

/** The markers as parameters: none where no column needs them. */
export function markerValues(table: Table, { separator, none }: Markers): string[] {
  const needed = Object.entries(table.columns).some(([name, type]) => type === 'text' && !isKnown(table, name))
  return needed ? [separator, none] : []
}

/**
 * Rows by their keys, in the order of the keys, cut after the one with which their text comes to PAGE_BYTES; the key's
 * columns are arrays $1, $2 …, the markers two more parameters, if it has columns for them.
 */
export function loadSql(table: Table): string {
  const keys = table.key.length
  return loadedSql(table, keyedSql(table), `$${keys + 1}`, `$${keys + 2}`)
}

/** The rows that have keys, each with the place of its key. */
export function keyedSql(table: Table): string {
  const keys = table.key.map(quoted)
  const arrays = table.key.map((column, i) => `$${i + 1}::${ARRAYS[table.columns[column]!]}`)
  return `select t.*, "#place" from unnest(${arrays.join(', ')}) with ordinality as k(${keys.join(', ')}, "#place")
    join ${nameOf(table)} t using (${keys.join(', ')})`
}

export function loadedSql(table: Table, keyed: string, separator: string, none: string): string {
  const bytes = 'sum("#bytes") over (order by "#place" rows unbounded preceding)'
  const rows = `select * from (
      select *, ${bytes} as "#upTo" from (select *, ${bytesSql(table)} as "#bytes" from (${keyed}) keyed) found
    ) counted where "#upTo" - "#bytes" < ${PAGE_BYTES} order by "#place"`
  return columnsSql(table, rows, separator, none)
}

/** Columns that are known already: those of the key that are texts. */
function isKnown(table: Table, column: string): boolean {
  return table.key.includes(column) && table.columns[column] === 'text'
}

/**
 * Turns a query whose rows have "#place" and "#upTo" into one row: how many there are, the last "#upTo", the places, then
 * for each column that is not known its values and, of a text, how many are not null.
 */
function columnsSql(table: Table, rows: string, separator: string, none: string): string {
  const columns = Object.entries(table.columns).flatMap(([name, type]) => {
    if (isKnown(table, name)) return []
    const column = quoted(name)
    if (type === 'integer') return [`string_agg(coalesce(${column}::text, ''), ',')`]
    return [`string_agg(coalesce(${column}, ${none}::text), ${separator}::text)`, `count(${column})::int`]
  })
  // All of them see the rows in one order, which is that of the places: nothing between sorts them anew.
  const all = ['count(*)::int', 'max("#upTo")', `string_agg("#place"::text, ',')`, ...columns]
  return `select ${all.join(', ')} from (${rows}) rows`
}

export interface ReadColumns {
  readonly rows: Row[]
  /** Place of the last row's key among the keys, from 1, and how much text there is up to it; 0 without rows. */
  readonly place: number
  readonly upTo: number
}

/** The rows of such an answer; undefined when a text has a marker in it: it is to be asked for with others. */
export function readColumns(
  table: Table,
  keys: readonly (readonly Value[])[],
  answer: readonly unknown[],
  { separator, none }: Markers,
): ReadColumns | undefined {
  const [count, upTo, places] = answer as [number, number | null, string | null]
  if (count === 0) return { rows: [], place: 0, upTo: 0 }
  const placed = places!.split(',').map(Number)
  let at = 3
  const columns: Value[][] = []
  for (const [name, type] of Object.entries(table.columns)) {
    if (isKnown(table, name)) {
      const part = table.key.indexOf(name)
      columns.push(placed.map(place => keys[place - 1]![part]!))
    } else if (type === 'integer') {
      columns.push((answer[at++] as string).split(',').map(text => (text === '' ? null : Number(text))))
    } else {
      const values: Value[] = (answer[at++] as string).split(separator)
      let nulls = 0
      for (let n = 0; n < values.length; n++) {
        if (values[n] !== none) continue
        values[n] = null
        nulls++
      }
      if (values.length !== count || nulls !== count - (answer[at++] as number)) return undefined
      columns.push(values)
    }
  }
  const names = Object.keys(table.columns)
  const rows = placed.map((_, n) =>
    rowOf(
      names,
      columns.map(values => values[n]),
    ),
  )
  return { rows, place: placed.at(-1)!, upTo: upTo! }
}
