import type { Row, Table } from '../kernel/projection.ts'
import { goneIn, type Moment, notKept, PAGE_BYTES, type PageQuery, rowBytes } from './store.ts'

/**
 * A page as of a moment, slice by slice. A table has its rows in the order of their keys, those too that were not there
 * yet: whoever passes over a million of them does it in steps, between which others have their turn. What is written
 * meanwhile does not show: rows of the past stay as they were.
 */

/** Rows of a table that one slice looks at; it stops before when it has what it wants. */
const SLICE_ROWS = 20_000

/** More than a table has. */
export const ALL_ROWS = Number.MAX_SAFE_INTEGER

export interface Slice {
  /** Look at so many of the table's rows, in the order of the last key column, or backwards for the newest. */
  readonly rows: number
  /** Beyond this key, in that direction. */
  readonly from: string | undefined
  /** Of those that fit pass over so many, and give so many. */
  readonly offset: number
  readonly limit: number
}

export interface SliceReader {
  /** The rows that fit; `cut` when their text has come to PAGE_BYTES before the end of the slice. */
  rows(slice: Slice): Promise<{ rows: readonly Row[]; cut: boolean }>
  /** How many fit. */
  count(slice: Slice): Promise<number>
  /** The key of a slice's last row, whether it fits or not; undefined when the table ends before. */
  end(slice: Slice): Promise<string | undefined>
}

export async function pageInSlices(query: PageQuery, read: SliceReader): Promise<Row[]> {
  const column = query.table.key.at(-1)!
  const page: Row[] = []
  let bytes = 0
  let offset = query.offset ?? 0
  let from: string | undefined
  while (page.length < query.limit) {
    const slice: Slice = { rows: SLICE_ROWS, from, offset, limit: query.limit - page.length }
    const found = await read.rows(slice)
    for (const row of found.rows) {
      page.push(row)
      bytes += rowBytes(row)
      if (bytes >= PAGE_BYTES) return inOrder(query, page)
    }
    if (page.length === query.limit) break
    if (found.cut) {
      // Cut by its bytes in UTF-8, of which there are more than a text is long.
      from = String(found.rows.at(-1)![column])
      offset = 0
      continue
    }
    if (offset > 0) offset = found.rows.length > 0 ? 0 : offset - (await read.count(slice))
    from = await read.end(slice)
    if (from === undefined) break
  }
  return inOrder(query, page)
}

/** How far back the past goes. */
export interface Kept {
  /** `Store.floors`. */
  readonly floors: ReadonlyMap<string, number>
  /** The numbers of the live generations, added up: it grows with each swap. */
  readonly live: number
}

/**
 * Gives what reads what was true at a moment, if all that it needs was still there afterwards: a floor moves before versions
 * go. A swap takes floors back, those of what it has put in place: what was read before it is read again.
 */
export function readerOfThePast(look: () => Promise<Kept>) {
  let live: number | undefined
  return async function read<Found>(table: Table, moment: Moment, reading: () => Promise<Found>): Promise<Found> {
    live ??= (await look()).live
    for (;;) {
      const before = live
      const found = await reading()
      const kept = await look()
      live = kept.live
      const gone = goneIn(moment, kept.floors, table)
      if (gone) throw notKept(...gone)
      if (kept.live === before) return found
    }
  }
}

function inOrder(query: PageQuery, page: Row[]): Row[] {
  return query.newest ? page.reverse() : page
}

/** The columns with the place from which on a row counts. */
export function sinceOf(table: Table): readonly [stream: string, offset: string] {
  return table.since ?? ['stream', 'offset']
}

/** What is asked of columns that stay as they are, and what of those that may have been different. */
export function splitEqual({ table, equal }: Pick<PageQuery, 'table' | 'equal'>) {
  const stays = (column: string) => table.key.includes(column) || table.fixed?.includes(column)
  const all = Object.entries(equal)
  return { stays: all.filter(([column]) => stays(column)), varies: all.filter(([column]) => !stays(column)) }
}
