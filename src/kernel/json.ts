import { DomainError } from './errors.ts'

/**
 * A scanner for JSON text (RFC 8259) that finds where values stand instead of building them, so that a pushed value
 * is kept as the bytes it came in: integers past 2^53, `1.0`, key order and `__proto__` all stay what they were.
 * It reads bytes (UTF-8, whose validity the caller checks) and refuses what JSON.parse refuses.
 */

/** Where a piece of text stands: bytes[start, end). */
export interface Span {
  start: number
  end: number
}

/** What is wrong with a JSON text, and the byte it was seen at. */
export class JsonError extends DomainError {
  readonly at: number
  constructor(message: string, at: number) {
    super('VALIDATION_ERROR', `${message} at byte ${at}`)
    this.at = at
  }
}

/** The index of the first byte at or after `i` that is not white space. */
export function skipSpace(b: Uint8Array, i: number, end: number): number {
  while (i < end) {
    const c = b[i]!
    if (c !== 32 && c !== 10 && c !== 13 && c !== 9) break
    i++
  }
  return i
}

/**
 * Checks the value that starts at `i` and returns the index after it.
 * `depth` is how many levels of objects and arrays it may still open.
 */
export function skipValue(b: Uint8Array, i: number, end: number, depth: number): number {
  if (i >= end) throw new JsonError('the text ends where a value was expected', i)
  const c = b[i]!
  if (c === 34) return skipString(b, i, end)
  if (c === 123) return skipMembers(b, i, end, depth, undefined)
  if (c === 91) return skipElements(b, i, end, depth, undefined)
  if (c === 45 || (c >= 48 && c <= 57)) return skipNumber(b, i, end)
  if (c === 116) return skipWord(b, i, end, 'true')
  if (c === 102) return skipWord(b, i, end, 'false')
  if (c === 110) return skipWord(b, i, end, 'null')
  throw new JsonError(`unexpected ${shown(c)} where a value was expected`, i)
}

/** Called for each member with the spans of its key (quotes included) and of its value. */
export type OnMember = (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => void

/** As skipValue, for the object that starts at `i`; tells its members when `onMember` is given. */
export function skipMembers(
  b: Uint8Array,
  i: number,
  end: number,
  depth: number,
  onMember: OnMember | undefined,
): number {
  if (depth <= 0) throw new JsonError('nested too deep', i)
  i = skipSpace(b, i + 1, end)
  if (i < end && b[i] === 125) return i + 1
  for (;;) {
    if (i >= end || b[i] !== 34) throw expected('a member name in double quotes', b, i, end)
    const keyStart = i
    i = skipString(b, i, end)
    const keyEnd = i
    i = skipSpace(b, i, end)
    if (i >= end || b[i] !== 58) throw expected('":"', b, i, end)
    i = skipSpace(b, i + 1, end)
    const valueStart = i
    i = skipValue(b, i, end, depth - 1)
    if (onMember !== undefined) onMember(keyStart, keyEnd, valueStart, i)
    i = skipSpace(b, i, end)
    if (i < end && b[i] === 125) return i + 1
    if (i >= end || b[i] !== 44) throw expected('"," or "}"', b, i, end)
    i = skipSpace(b, i + 1, end)
  }
}

/** As skipValue, for the array that starts at `i`; tells its elements when `onElement` is given. */
export function skipElements(
  b: Uint8Array,
  i: number,
  end: number,
  depth: number,
  onElement: ((start: number, end: number) => void) | undefined,
): number {
  if (depth <= 0) throw new JsonError('nested too deep', i)
  i = skipSpace(b, i + 1, end)
  if (i < end && b[i] === 93) return i + 1
  for (;;) {
    const start = i
    i = skipValue(b, i, end, depth - 1)
    if (onElement !== undefined) onElement(start, i)
    i = skipSpace(b, i, end)
    if (i < end && b[i] === 93) return i + 1
    if (i >= end || b[i] !== 44) throw expected('"," or "]"', b, i, end)
    i = skipSpace(b, i + 1, end)
  }
}

/** Checks that bytes[start, end) hold exactly one value, white space around it allowed, and returns its span. */
export function wholeValue(b: Uint8Array, start: number, end: number, depth: number): Span {
  const from = skipSpace(b, start, end)
  const to = skipValue(b, from, end, depth)
  const after = skipSpace(b, to, end)
  if (after < end) throw expected('the end of the text', b, after, end)
  return { start: from, end: to }
}

function skipString(b: Uint8Array, i: number, end: number): number {
  const start = i
  i++
  while (i < end) {
    const c = b[i]!
    if (c === 34) return i + 1
    if (c < 32) throw new JsonError(`the control character ${shown(c)} must be escaped`, i)
    if (c === 92) i = skipEscape(b, i + 1, end)
    else i++
  }
  throw new JsonError('a string is not closed', start)
}

function skipEscape(b: Uint8Array, i: number, end: number): number {
  const c = i < end ? b[i]! : 0
  if (c === 117) {
    for (let n = 1; n <= 4; n++)
      if (i + n >= end || !isHex(b[i + n]!)) throw new JsonError('\\u wants four hex digits', i)
    return i + 5
  }
  // " \ / b f n r t
  if (c === 34 || c === 92 || c === 47 || c === 98 || c === 102 || c === 110 || c === 114 || c === 116) return i + 1
  throw new JsonError('a backslash is followed by no known escape', i)
}

function skipNumber(b: Uint8Array, i: number, end: number): number {
  if (b[i] === 45) i++
  if (i < end && b[i] === 48) i++
  else i = skipDigits(b, i, end)
  if (i < end && b[i] === 46) i = skipDigits(b, i + 1, end)
  if (i < end && (b[i] === 101 || b[i] === 69)) {
    i++
    if (i < end && (b[i] === 43 || b[i] === 45)) i++
    i = skipDigits(b, i, end)
  }
  return i
}

function skipDigits(b: Uint8Array, i: number, end: number): number {
  const start = i
  while (i < end && b[i]! >= 48 && b[i]! <= 57) i++
  if (i === start) throw expected('a digit', b, i, end)
  return i
}

function skipWord(b: Uint8Array, i: number, end: number, word: string): number {
  for (let n = 0; n < word.length; n++) {
    if (i + n >= end || b[i + n] !== word.charCodeAt(n)) throw expected(`"${word}"`, b, i, end)
  }
  return i + word.length
}

function isHex(c: number): boolean {
  return (c >= 48 && c <= 57) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102)
}

function expected(what: string, b: Uint8Array, i: number, end: number): JsonError {
  return new JsonError(`expected ${what}, found ${i < end ? shown(b[i]!) : 'the end of the text'}`, i)
}

function shown(c: number): string {
  return c > 32 && c < 127 ? `"${String.fromCharCode(c)}"` : `byte 0x${c.toString(16).padStart(2, '0')}`
}
