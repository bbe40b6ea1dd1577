import { eachMember, unquoted } from '../../../kernel/members.ts'
import type { SinkRow } from '../destination.ts'
import type { Batch, BoundRow } from './bind.ts'
import type { Column, Table, Value } from './connection.ts'
import { OWN_PREFIX } from './names.ts'
import type { PageRules } from './page.ts'

/** A member as it stands in a row, with the column that it is of. */
interface Known {
  /** Its name as the row has it, quotes included. */
  readonly name: string
  readonly place: number
}

/**
 * The rows of a page when there is nothing new about any of them: every value fits the column that is there. Else undefined,
 * and the page is to be taken apart with more care. Nearly all pages are like this, and this costs a third.
 */
export function readKnown(
  rows: readonly SinkRow[],
  { dialect, keys, reserved }: PageRules,
  table: Table,
): Batch | undefined {
  const byKey = new Map(table.columns.map(column => [dialect.nameKey(column.name), column]))
  for (const name of reserved) byKey.delete(dialect.nameKey(name))
  const columns: Column[] = []
  const places = new Map<string, number>()
  /** The members of the rows before: the next row's are mostly the same, in the same order. */
  const expected: Known[] = []
  /** By place, the row that had a value for it last. */
  const lastIn: number[] = []
  const bound: BoundRow[] = []

  function placeOf(name: string): number {
    const key = dialect.nameKey(unquoted(name))
    const column = byKey.get(key)
    if (!column || column.settable === 'never' || key.startsWith(OWN_PREFIX)) return -1
    let place = places.get(key)
    if (place === undefined) {
      place = columns.push(column) - 1
      places.set(key, place)
    }
    return place
  }

  /** The place of the member with a name that stands in `data`, which is the `nth` of its row; -1 when it has none. */
  function placeIn(data: string, nth: number, nameStart: number, nameEnd: number): number {
    const guess = expected[nth]
    if (guess?.name.length === nameEnd - nameStart && data.startsWith(guess.name, nameStart)) return guess.place
    const name = data.slice(nameStart, nameEnd)
    const place = placeOf(name)
    if (place >= 0) expected[nth] = { name, place }
    return place
  }

  function valuesOf(data: string): Value[] | undefined {
    const values: Value[] = new Array(columns.length).fill(null)
    let members = 0
    const isKnown = eachMember(data, (nameStart, nameEnd, start, end) => {
      const place = placeIn(data, members++, nameStart, nameEnd)
      // A name that is there twice needs more care.
      if (place < 0 || lastIn[place] === bound.length) return false
      lastIn[place] = bound.length
      const value = data.charCodeAt(start) === 110 ? null : valueIn(columns[place]!, data.slice(start, end))
      if (value === undefined) return false
      values[place] = value
      return true
    })
    return isKnown && members > 0 ? values : undefined
  }

  function valueIn(column: Column, text: string): Value | undefined {
    const value = dialect.bind(column, text)
    // What needs no escape can be held by every database.
    const isOdd = typeof value === 'string' && text.includes('\\u') && dialect.wrongText(value) !== undefined
    return isOdd ? undefined : value
  }

  for (const row of rows) {
    if (row.op === 'delete') return undefined
    const values = valuesOf(row.data)
    if (values === undefined) return undefined
    bound.push({ row, gone: false, values })
  }
  const keyPlaces = keys.map(key => places.get(dialect.nameKey(key)) ?? -1)
  for (const { values } of bound) {
    for (const place of keyPlaces) if ((values[place] ?? null) === null) return undefined
    // Rows before the first one with some column.
    while (values.length < columns.length) (values as Value[]).push(null)
  }
  return { columns, rows: bound }
}
