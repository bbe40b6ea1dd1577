import { Broken } from '../broken.ts'
import type { FormatLimits } from '../format.ts'
import { BadCell, type CellReader, columnOf } from './cells.ts'
import { createTextCollector } from './strings.ts'
import { attribute, type XmlHandler } from './xml.ts'

/** A row of a sheet that has at least one cell that is not empty. */
export interface SheetRow {
  /** Its number in the sheet, from 1. */
  number: number
  /** JSON texts by column, from 0. Empty cells are undefined. */
  cells: (string | undefined)[]
  /** The first cell that cannot be read. */
  wrong: { column: number; value: string; message: string } | undefined
  /** The length of all its texts; those past the limit of a row are left out. */
  chars: number
}

/** Reads the rows of a sheet's XML. What is empty, or holds empty texts only, is no row. */
export function createSheetHandler(
  readCell: CellReader,
  limits: FormatLimits,
  onRow: (row: SheetRow) => void,
): XmlHandler {
  const inline = createTextCollector(limits.maxRowBytes)
  let row: SheetRow = { number: 0, cells: [], wrong: undefined, chars: 0 }
  let filled = false
  let column = -1
  let type = ''
  let style = 0
  let value = ''
  /** Whether the cell has a value at all, if only an empty text. */
  let given = false
  let inValue = false
  let inInline = false

  function openCell(attributes: string): void {
    column = columnOf(attribute(attributes, 'r')) ?? column + 1
    if (column >= limits.maxColumns) throw new Broken(`it has more than ${limits.maxColumns} columns`)
    type = attribute(attributes, 't') ?? 'n'
    style = Number(attribute(attributes, 's') ?? 0)
    value = ''
    given = false
  }

  function closeCell(): void {
    if (!given) return
    try {
      const text = readCell(type, style, value)
      if (text === undefined) return
      if (text !== '""') filled = true
      row.chars += text.length
      if (row.chars <= limits.maxRowBytes) row.cells[column] = text
    } catch (error) {
      if (!(error instanceof BadCell)) throw error
      filled = true
      row.wrong ??= { column, value, message: error.message }
    }
  }

  return {
    open(name, attributes) {
      if (inInline) inline.open(name)
      else if (name === 'c') openCell(attributes)
      else if (name === 'v') inValue = given = true
      else if (name === 'is') {
        inInline = given = true
        inline.begin()
      } else if (name === 'row') {
        const number = Number(attribute(attributes, 'r') ?? row.number + 1)
        row = { number: Number.isSafeInteger(number) ? number : row.number + 1, cells: [], wrong: undefined, chars: 0 }
        filled = false
        column = -1
      }
    },
    text(text) {
      if (inInline) inline.text(text)
      else if (inValue) {
        value += text
        if (value.length > limits.maxRowBytes) throw new Broken(`a cell has more than ${limits.maxRowBytes} characters`)
      }
    },
    close(name) {
      if (name === 'is') {
        value = inline.end()
        inInline = false
      } else if (inInline) inline.close(name)
      else if (name === 'v') inValue = false
      else if (name === 'c') closeCell()
      else if (name === 'row' && filled) onRow(row)
    },
  }
}
