import { isUtf8 } from 'node:buffer'
import { FileDamaged, type FormatLimits, type ReadControl, type RowSink, shown } from '../format.ts'
import { findEnd, quickEnd, toText, type Value } from './values.ts'
import type { Window } from './window.ts'

const OPEN = 123

/** Numbers the values of a file and hands them to the sink. */
export interface Rows {
  readonly limits: FormatLimits
  /** The number of the last one. */
  readonly number: number
  /** Takes the value in the window's bytes from its place to `end`, and moves the window behind it. */
  take(window: Window, end: number): void | Promise<void>
  /** Refuses a value whose first bytes are `original`. */
  refuse(fault: NonNullable<Value['fault']>): void | Promise<void>
}

export function createRows(sink: RowSink | undefined, { limits, after = 0 }: ReadControl): Rows {
  let number = 0
  const rows: Rows = {
    limits,
    get number() {
      return number
    },
    take(window, end) {
      const { bytes, at, ascii } = window
      window.at = end
      if (number < after || !sink) {
        number++
        return
      }
      if (!ascii && !isUtf8(bytes.subarray(at, end))) {
        const value = shown(bytes.toString('utf8', at, end))
        return refuse('INVALID_ENCODING', value, 'the row is not UTF-8', bytes, at, end)
      }
      if (bytes[at] !== OPEN) {
        const value = shown(bytes.toString('utf8', at, end))
        return refuse('NOT_AN_OBJECT', value, `a row is a JSON object, this is ${value}`, bytes, at, end)
      }
      return sink.row(++number, bytes.toString(ascii ? 'latin1' : 'utf8', at, end))
    },
    refuse({ refusal, original, length }) {
      number++
      if (number > after && sink) return sink.refuse(number, refusal, original, length)
    },
  }
  function refuse(
    code: 'INVALID_ENCODING' | 'NOT_AN_OBJECT',
    value: string,
    message: string,
    bytes: Buffer,
    from: number,
    to: number,
  ): void | Promise<void> {
    const original = Buffer.from(bytes.subarray(from, to))
    return rows.refuse({ refusal: { code, column: null, value, message }, original, length: to - from })
  }
  return rows
}

/** Takes the value at the window's place as a row. */
export async function takeValue(window: Window, rows: Rows): Promise<void> {
  const { end, fault } = await findEnd(window, rows.limits, rows.number + 1)
  if (!fault) return rows.take(window, end)
  window.at = end
  return rows.refuse(fault)
}

/** Takes the elements of the array whose opening bracket is at the window's place, and moves behind its end. */
export async function takeElements(window: Window, rows: Rows): Promise<void> {
  window.at++
  await toText(window)
  if (window.bytes[window.at] === 93 && window.at < window.filled) {
    window.at++
    return
  }
  for (;;) {
    await takeQuickly(window, rows)
    if (!(await toText(window))) throw endOf(window, rows, 'the file ends within the array')
    await takeValue(window, rows)
    if (!(await toText(window))) throw endOf(window, rows, 'the file ends within the array')
    const next = window.bytes[window.at++]
    if (next === 93) return
    if (next !== 44) throw unexpected(window, window.at - 1, rows, '"," or "]"')
  }
}

/** As many elements with the comma behind them as are in the window, without waiting for anything but the sink. */
async function takeQuickly(window: Window, rows: Rows): Promise<void> {
  const { maxDepth, maxRowBytes } = rows.limits
  for (;;) {
    skipBlank(window)
    const from = window.at
    const end = quickEnd(window, maxDepth)
    if (end < 0 || end - from > maxRowBytes) return
    window.at = end
    skipBlank(window)
    const comma = window.at
    window.at = from
    if (comma >= window.filled || window.bytes[comma] !== 44) return
    const wait = rows.take(window, end)
    if (wait) await wait
    window.at = comma + 1
  }
}

function skipBlank(window: Window): void {
  const { bytes, filled } = window
  let i = window.at
  while (i < filled && bytes[i]! <= 32 && (bytes[i] === 32 || bytes[i] === 10 || bytes[i] === 13 || bytes[i] === 9)) i++
  window.at = i
}

export function endOf(window: Window, rows: Rows, what: string): FileDamaged {
  return new FileDamaged(what, { row: rows.number + 1, byte: window.place(window.filled) })
}

export function unexpected(window: Window, at: number, rows: Rows, wanted: string): FileDamaged {
  const found = JSON.stringify(String.fromCharCode(window.bytes[at]!))
  const what = `the JSON is broken: expected ${wanted}, found ${found}`
  return new FileDamaged(what, { row: rows.number + 1, byte: window.place(at) })
}
