import { unquoted } from '../../../kernel/members.ts'
import type { SinkRefusal, SinkRow } from '../destination.ts'
import type { Column, Dialect, Value } from './connection.ts'
import type { Field, PageRow } from './page.ts'

/** A row as a table takes it: its values at the places of a list of columns. */
export interface BoundRow {
  readonly row: SinkRow
  readonly gone: boolean
  readonly values: readonly Value[]
}

/** Rows of which each value stands at the place of its column. */
export interface Batch {
  readonly columns: readonly Column[]
  readonly rows: readonly BoundRow[]
}

/** A JSON string that says a number, true or false. */
const PLAIN = /^"(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false)"$/

/** Makes values of JSON texts; a row with one that its column does not take goes to `refused`. */
export function bindRows(
  dialect: Dialect,
  fields: readonly Field[],
  columns: readonly Column[],
  rows: readonly PageRow[],
  refused: SinkRefusal[],
): Batch {
  const bound: BoundRow[] = []
  // An id is always a text, whatever the key that it was made of.
  const bind = (column: Column, text: string, isId: boolean) =>
    dialect.bind(column, text) ?? (isId && PLAIN.test(text) ? dialect.bind(column, unquoted(text)) : undefined)
  for (const { row, gone, cells } of rows) {
    const values: Value[] = new Array(columns.length)
    let wrong = -1
    for (let i = 0; i < columns.length; i++) {
      const text = cells[i]
      const value = text === undefined || text === 'null' ? null : bind(columns[i]!, text, gone)
      if (value === undefined) {
        wrong = i
        break
      }
      values[i] = value
    }
    if (wrong < 0) bound.push({ row, gone, values })
    // A key that the column cannot have is no row's: it is gone already.
    else if (!gone) refused.push(misfit(row, fields[wrong]!.name, columns[wrong]!, cells[wrong]!))
  }
  return withoutGenerated({ columns, rows: bound })
}

/** Leaves out the columns that nobody can give a value: no row that is left has one. */
function withoutGenerated(batch: Batch): Batch {
  const places = batch.columns.flatMap(({ settable }, place) => (settable === 'never' ? [] : [place]))
  if (places.length === batch.columns.length) return batch
  const rows = batch.rows.map(bound => ({ ...bound, values: places.map(place => bound.values[place]!) }))
  return { columns: places.map(place => batch.columns[place]!), rows }
}

function misfit(row: SinkRow, field: string, { sqlType, settable }: Column, text: string): SinkRefusal {
  if (settable === 'never') {
    return { row, code: 'INVALID_FIELD', field, message: `${field}: the database works this column out by itself` }
  }
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return { row, code: 'INVALID_VALUE', field, message: `${field}: ${shown} does not fit the type ${sqlType}` }
}
