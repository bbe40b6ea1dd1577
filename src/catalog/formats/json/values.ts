import { JsonError, skipSpace, skipValue } from '../../../kernel/json.ts'
import { FileDamaged, type FormatLimits, type Refusal, tooLong } from '../format.ts'
import type { Window } from './window.ts'

/** Where the value at the window's place ends. */
export interface Value {
  /** Index after it in the window. */
  end: number
  /** Why it cannot be a row, with its first bytes and its length. Its beginning may have left the window. */
  fault?: { refusal: Refusal; original: Buffer; length: number }
}

/** What is wrong with a text: it is too deep, or it is broken, or it is good as far as it goes and ends too early. */
export type Wrong = { kind: 'deep' | 'broken' | 'cut'; at: number; message: string }

/** Calls the scanner; answers where the value ends, or what is wrong with bytes[from, end). */
export function check(scan: () => number, end: number): number | Wrong {
  try {
    return scan()
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    const message = error.message.replace(/ at byte \d+$/, '')
    if (message.startsWith('nested too deep')) return { kind: 'deep', at: error.at, message }
    // An escape or a word that is cut off is seen at its first byte, a string that is not closed at its quote.
    const cut = error.at > end - 8 || message.startsWith('a string is not closed')
    return { kind: cut ? 'cut' : 'broken', at: error.at, message }
  }
}

/** Moves to the next byte that is not white space. False at the end of the file. */
export async function toText(window: Window): Promise<boolean> {
  for (;;) {
    window.at = skipSpace(window.bytes, window.at, window.filled)
    if (window.at < window.filled) return true
    if (window.ended) return false
    await window.more()
  }
}

/** Where the value at the window's place ends, if that is JSON, not too deep and ends within the window; else -1. */
export function quickEnd(window: Window, depth: number): number {
  const { bytes, at, filled } = window
  const end = check(() => skipValue(bytes, at, filled, depth), filled)
  // What reaches the end of the window may go on behind it, as a number does.
  return typeof end === 'number' && (end < filled || window.ended) ? end : -1
}

/**
 * Finds the end of the value at the window's place, with as many bytes as it takes, and holds no more of it than a row
 * may have. Throws a FileDamaged that names the byte that is wrong, or where the file ends too early.
 */
export async function findEnd(window: Window, limits: FormatLimits, row: number): Promise<Value> {
  for (;;) {
    const { bytes, at, filled } = window
    const end = check(() => skipValue(bytes, at, filled, limits.maxDepth), filled)
    if (typeof end !== 'number') {
      if (end.kind === 'broken' || (end.kind === 'cut' && window.ended))
        throw new FileDamaged(`the JSON is broken: ${end.message}`, { row, byte: window.place(end.at) })
    } else if (end < filled || window.ended) {
      const length = end - at
      if (length <= limits.maxRowBytes) return { end }
      return { end, fault: { refusal: tooLong(length, limits), original: beginning(window, limits), length } }
    }
    if (window.ended || filled - at > limits.maxRowBytes) return passOver(window, limits, row)
    await window.more()
  }
}

async function passOver(window: Window, limits: FormatLimits, row: number): Promise<Value> {
  const original = beginning(window, limits)
  const start = window.place(window.at)
  const end = await skipLoosely(window, row)
  const length = window.place(end) - start
  const message = `nested deeper than ${limits.maxDepth} levels`
  const deep: Refusal = { code: 'TOO_DEEP', column: null, value: null, message }
  const refusal = length > limits.maxRowBytes ? tooLong(length, limits) : deep
  return { end, fault: { refusal, original: original.subarray(0, length), length } }
}

export function beginning(window: Window, { maxRowBytes }: FormatLimits): Buffer {
  return Buffer.from(window.bytes.subarray(window.at, Math.min(window.at + maxRowBytes, window.filled)))
}

/**
 * Answers the index after the value at the window's place, of any size, holding one chunk of it. Only strings and brackets
 * are looked at. Throws a FileDamaged when the file ends first.
 */
export async function skipLoosely(window: Window, row: number): Promise<number> {
  const start = window.place(window.at)
  const skip = createSkipper()
  for (;;) {
    const end = skip(window.bytes, window.at, window.filled, window.ended)
    if (end >= 0) return end
    if (window.ended) throw new FileDamaged('the file ends within the value that begins', { row, byte: start })
    window.at = window.filled
    await window.more()
  }
}

const QUOTE = 34
const BACKSLASH = 92

/** A scan that can be cut off anywhere: answers the index after the value, or -1 when it has not ended yet. */
export function createSkipper(): (bytes: Buffer, from: number, to: number, ended: boolean) => number {
  let depth = 0
  let inString = false
  let escaped = false
  let begun = false
  return (bytes, from, to, ended) => {
    for (let i = from; i < to; i++) {
      const b = bytes[i]!
      if (inString) {
        if (escaped) escaped = false
        else if (b === BACKSLASH) escaped = true
        else if (b === QUOTE) {
          inString = false
          if (depth === 0) return i + 1
        }
      } else if (b === QUOTE) inString = true
      else if (b === 123 || b === 91) depth++
      else if (b === 125 || b === 93) {
        if (depth === 0) return i
        if (--depth === 0) return i + 1
      } else if (depth === 0 && begun && (b === 44 || b === 32 || b === 10 || b === 13 || b === 9)) return i
      begun = true
    }
    return ended && begun && depth === 0 && !inString ? to : -1
  }
}
