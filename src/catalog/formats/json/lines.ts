import { skipSpace, wholeValue } from '../../../kernel/json.ts'
import { FileDamaged, type Refusal, shown, tooLong } from '../format.ts'
import type { Rows } from './rows.ts'
import { beginning, check } from './values.ts'
import type { Window } from './window.ts'

const NEWLINE = 10

/** Takes each line that is not blank as a row. One that is broken is refused; a last one that is cut off is damage. */
export async function takeLines(window: Window, rows: Rows): Promise<void> {
  for (;;) {
    const newline = window.bytes.subarray(0, window.filled).indexOf(NEWLINE, window.at)
    if (newline >= 0) {
      const wait = takeLine(window, newline, rows, false)
      if (wait) await wait
      window.at = newline + 1
    } else if (window.ended) {
      await takeLine(window, window.filled, rows, true)
      window.at = window.filled
      return
    } else if (window.filled - window.at > rows.limits.maxRowBytes + 1) await passOver(window, rows)
    else await window.more()
  }
}

function takeLine(window: Window, end: number, rows: Rows, last: boolean): void | Promise<void> {
  const { bytes } = window
  const start = skipSpace(bytes, window.at, end)
  while (end > start && bytes[end - 1]! <= 32) end--
  if (start === end) return
  window.at = start
  const length = end - start
  if (length > rows.limits.maxRowBytes) return refuse(window, end, rows, tooLong(length, rows.limits, 'the line'))
  const wrong = check(() => wholeValue(bytes, start, end, rows.limits.maxDepth).end, end)
  if (typeof wrong === 'number') return rows.take(window, wrong)
  if (wrong.kind === 'cut' && last)
    throw new FileDamaged('the last line is cut off', { row: rows.number + 1, byte: window.place(wrong.at) })
  const value = shown(bytes.toString('utf8', start, end))
  const deep = wrong.kind === 'deep'
  const message = deep
    ? `nested deeper than ${rows.limits.maxDepth} levels`
    : `${wrong.message} at byte ${wrong.at - start}`
  return refuse(window, end, rows, { code: deep ? 'TOO_DEEP' : 'INVALID_JSON', column: null, value, message })
}

function refuse(window: Window, end: number, rows: Rows, refusal: Refusal): void | Promise<void> {
  const original = Buffer.from(window.bytes.subarray(window.at, Math.min(end, window.at + rows.limits.maxRowBytes)))
  return rows.refuse({ refusal, original, length: end - window.at })
}

/** Refuses the line at the window's place, which is too long to be held, and moves to its end. */
async function passOver(window: Window, rows: Rows): Promise<void> {
  const original = beginning(window, rows.limits)
  const start = window.place(window.at)
  for (;;) {
    const newline = window.bytes.subarray(0, window.filled).indexOf(NEWLINE, window.at)
    window.at = newline >= 0 ? newline : window.filled
    if (newline >= 0 || window.ended) break
    await window.more()
  }
  const length = window.place(window.at) - start
  await rows.refuse({ refusal: tooLong(length, rows.limits, 'the line'), original, length })
}
