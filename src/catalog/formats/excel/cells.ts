import { serialText } from './dates.ts'
import { decodeEscapes } from './strings.ts'
import type { Workbook } from './workbook.ts'

/** A cell's value as JSON text; undefined for an empty one. Throws a BadCell when it has a value that its type has not. */
export type CellReader = (type: string, style: number, value: string) => string | undefined

/** What stands in a cell cannot be, which is why its row is refused. */
export class BadCell extends Error {}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/
const DAY = /^\d{4}-\d{2}-\d{2}$/
const MOMENT = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?)(Z|[+-]\d{2}:\d{2})?$/

/** An error such as `#DIV/0!` is null: it says that there is no value. */
export function createCellReader({ styles, strings, from1904 }: Workbook): CellReader {
  function numberText(value: string, style: number): string {
    const kind = styles[style] ?? 'number'
    if (kind !== 'number') {
      const date = serialText(Number(value), kind, from1904)
      if (date !== undefined) return date
    }
    if (NUMBER.test(value)) return value
    const number = value.trim() === '' ? Number.NaN : Number(value)
    if (Number.isFinite(number)) return String(number)
    throw new BadCell(`${JSON.stringify(value)} is no number`)
  }

  return (type, style, value) => {
    switch (type) {
      case 's': {
        if (value === '') return undefined
        const text = strings.get(Number(value))
        if (text === undefined) throw new BadCell(`there is no string number ${value}`)
        return text
      }
      case 'inlineStr':
      case 'str':
        return JSON.stringify(decodeEscapes(value))
      case 'b':
        if (value === '') return undefined
        if (value !== '0' && value !== '1' && value !== 'true' && value !== 'false')
          throw new BadCell(`${JSON.stringify(value)} is neither true nor false`)
        return value === '1' || value === 'true' ? 'true' : 'false'
      case 'e':
        return 'null'
      case 'd': {
        const [, moment, zone] = MOMENT.exec(value) ?? []
        return JSON.stringify(moment && !DAY.test(value) ? `${moment}${zone ?? 'Z'}` : value)
      }
      default:
        return value === '' ? undefined : numberText(value, style)
    }
  }
}

/** The number of a cell's column, from 0, by its reference such as `BC12`; undefined when it has none. */
export function columnOf(reference: string | undefined): number | undefined {
  let column = 0
  for (let i = 0; i < (reference?.length ?? 0); i++) {
    const letter = reference!.charCodeAt(i) & 0xdf
    if (letter < 65 || letter > 90) break
    column = column * 26 + letter - 64
  }
  return column === 0 ? undefined : column - 1
}
