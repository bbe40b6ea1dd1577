import { Broken } from '../broken.ts'
import { numbered, uniqueColumns } from '../columns.ts'
import { type ReadControl, type Refusal, type RowSink, shown, tooLong } from '../format.ts'
import type { SheetRow } from './sheet.ts'

/** Makes rows with names of a sheet's rows, and hands them on. */
export interface Table {
  /** The number of the last row, the header not counted. */
  readonly number: number
  row(row: SheetRow): void | Promise<void>
  /** After the last row: throws a Broken when the row that should have the names has not come. */
  end(): void
}

export interface TableOptions {
  header: boolean
  header_row?: number | undefined
}

/**
 * The columns are those from the first name to the last. A cell beside them goes in under the number of its column, where it
 * is not empty: no value is lost, and none is refused for standing there.
 */
export function createTable(options: TableOptions, sink: RowSink | undefined, control: ReadControl): Table {
  const { limits, after = 0, onNotice, onColumns } = control
  let keys: string[] | undefined
  /** What stands before each value in the JSON text. */
  let prefixes: string[] = []
  let first = 0
  let number = 0

  function readHeader({ cells, wrong }: SheetRow): void {
    if (wrong) throw new Broken(`the header: ${columnName(wrong.column)}: ${wrong.message}`)
    first = cells.findIndex(cell => cell !== undefined)
    const given = Array.from({ length: cells.length - first }, (_, i) => nameOf(cells[first + i], first + i))
    const { names, notices } = uniqueColumns(given)
    for (const notice of notices) onNotice?.(notice)
    keys = names
    onColumns?.(names)
    prefixes = names.map((name, i) => `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)
  }

  /** A name is a text, or the text of a number, a date or what else stands there. */
  function nameOf(cell: string | undefined, column: number): string {
    if (!options.header || cell === undefined || cell === 'null') return numbered(column)
    const name = cell.startsWith('"') ? (JSON.parse(cell) as string) : cell
    return name === '' ? numbered(column) : name
  }

  function columnName(column: number): string {
    return keys?.[column - first] ?? numbered(column)
  }

  function jsonOf({ cells }: SheetRow): string {
    let json = ''
    for (let i = 0; i < prefixes.length; i++) json += prefixes[i]! + (cells[first + i] ?? 'null')
    const end = first + prefixes.length
    for (let column = 0; column < cells.length; column++) {
      if (column === first) column = end
      if (cells[column] !== undefined) json += `,${JSON.stringify(besideName(column))}:${cells[column]}`
    }
    return `${json}}`
  }

  /** `column_7`, or a name that no column has. */
  function besideName(column: number): string {
    let name = numbered(column)
    while (keys!.includes(name)) name += '_'
    return name
  }

  function refuse(row: SheetRow, refusal: Refusal): void | Promise<void> {
    const all = Buffer.from(jsonOf(row))
    return sink!.refuse(number, refusal, all.subarray(0, limits.maxRowBytes), Math.max(all.length, row.chars))
  }

  const nameless = () => new Broken(`row ${options.header_row} of the sheet, which should have the names, is empty`)

  return {
    get number() {
      return number
    },
    end() {
      if (keys === undefined && options.header_row !== undefined) throw nameless()
    },
    row(row) {
      if (keys === undefined) {
        if (options.header_row !== undefined && row.number < options.header_row) return
        if (options.header_row !== undefined && row.number > options.header_row) throw nameless()
        readHeader(row)
        if (options.header) return
      }
      number++
      if (number <= after || !sink) return
      if (row.wrong) {
        const { column, value, message } = row.wrong
        const name = columnName(column)
        return refuse(row, { code: 'INVALID_VALUE', column: name, value: shown(value), message: `${name}: ${message}` })
      }
      if (row.chars > limits.maxRowBytes) return refuse(row, tooLong(row.chars, limits))
      const json = jsonOf(row)
      const bytes = json.length * 3 > limits.maxRowBytes ? Buffer.byteLength(json) : json.length
      if (bytes > limits.maxRowBytes) return refuse(row, tooLong(bytes, limits, 'the row as JSON'))
      return sink.row(number, json)
    },
  }
}
