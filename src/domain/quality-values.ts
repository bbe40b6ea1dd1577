import { canonicalNumber } from '../kernel/canonical.ts'
import { endOfString } from '../kernel/members.ts'

/**
 * Reads one value of a JSON text that has been checked already: where it ends, what type it has, how a text is written,
 * and a hash of what it says, whatever its spelling. All in one pass and without building anything: this is done for
 * every record that is ever pushed.
 */

/** What a value is; missing values are nulls and texts of nothing but blanks. */
export const TYPES = ['null', 'blank', 'integer', 'number', 'string', 'boolean', 'object', 'array'] as const
export type ValueType = (typeof TYPES)[number]
export const [NULL, BLANK, INTEGER, NUMBER, STRING, BOOLEAN, OBJECT, ARRAY] = [0, 1, 2, 3, 4, 5, 6, 7] as const

/** How a text is written: with letters by their case, without them by the signs between its digits. */
export const LETTERS = [
  ...['upper case', 'lower case', 'mixed case', 'with @', 'with stray blanks or control characters'],
  'an abbreviation',
]
export const [UPPER, LOWER, MIXED, AT, UNTIDY, SHORT] = [0, 1, 2, 3, 4, 5] as const
/** In capitals, no text that is longer counts as an abbreviation: those stand among other words as they are, "USA". */
const LONGEST_SHORT = 5
const SIGNS = ['-', '/', ':', '.', 'other signs']
export const SHAPES = LETTERS.length + 2 ** SIGNS.length
/** A text longer than this is prose, which is written as it likes. */
export const LONGEST_SHAPED = 64

/** What a shape is called. */
export function shapeName(shape: number): string {
  if (shape < LETTERS.length) return LETTERS[shape]!
  const signs = SIGNS.filter((_, bit) => ((shape - LETTERS.length) >> bit) & 1)
  return signs.length === 0 ? 'digits' : `digits with ${signs.join(' ')}`
}

/** Whether a text of one shape is written as those of another are. */
export function agrees(shape: number, most: number): boolean {
  return shape === most || (shape === SHORT && (most === UPPER || most === MIXED))
}

/** What the last value that was read is. One object for all: to make one for each would cost more than the reading. */
export const seen = {
  /** Its place in TYPES. */
  type: 0,
  /** -1 for what is no text, or is blank or prose. */
  shape: -1,
  /** 64 bits of hash, as two 32-bit integers. */
  high: 0,
  low: 0,
}

const [M1, M2, M3] = [0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f]
// 1 and "1" are two.
const [TEXT, DECIMAL] = [0x2545f491, 0x6c8e9cf5]

// What characters are in a text.
const [IS_UPPER, IS_LOWER, IS_OTHER, IS_AT, IS_CONTROL, IS_BACKSLASH, IS_SPACE, IS_DIGIT] = [
  1, 2, 4, 8, 16, 32, 64, 128,
] as const
const FIRST_SIGN = 8
const HAS_LETTER = IS_UPPER | IS_LOWER | IS_OTHER
const CLASSES = Int32Array.from({ length: 128 }, (_, c) => classOf(c))

function classOf(c: number): number {
  if (c >= 65 && c <= 90) return IS_UPPER
  if (c >= 97 && c <= 122) return IS_LOWER
  if (c >= 48 && c <= 57) return IS_DIGIT
  if (c < 32 || c === 127) return IS_CONTROL
  if (c === 32) return IS_SPACE
  if (c === 64) return IS_AT
  if (c === 92) return IS_BACKSLASH | (1 << (FIRST_SIGN + 4))
  const sign = '-/:.'.indexOf(String.fromCharCode(c))
  return 1 << (FIRST_SIGN + (sign < 0 ? 4 : sign))
}

/** Reads the value that begins at `i`; gives back where it ends. What it is stands in `seen`. */
export function readValue(text: string, i: number): number {
  const c = text.charCodeAt(i)
  if (c === 34) return readString(text, i)
  seen.shape = -1
  if (c === 45 || (c >= 48 && c <= 57)) return readNumber(text, i)
  if (c === 123) return readObject(text, i)
  if (c === 91) return readArray(text, i)
  seen.type = c === 110 ? NULL : BOOLEAN
  seen.high = seen.low = c
  return i + (c === 102 ? 5 : 4)
}

function readString(text: string, i: number): number {
  let end = text.indexOf('"', i + 1)
  let classes = hash(text, i + 1, end, TEXT)
  if ((classes & IS_BACKSLASH) !== 0) {
    end = endOfString(text, i) - 1
    const said: string = JSON.parse(text.slice(i, end + 1))
    classes = hash(said, 0, said.length, TEXT)
    describe(classes, said, 0, said.length)
  } else describe(classes, text, i + 1, end)
  return end + 1
}

/** Hashes text[i, end) into `seen` and gives back which characters there are. Four ASCII characters make one step. */
function hash(text: string, i: number, end: number, kind: number): number {
  let high = kind ^ (end - i)
  let low = M3
  let classes = 0
  for (; i + 4 <= end; i += 4) {
    const a = text.charCodeAt(i)
    const b = text.charCodeAt(i + 1)
    const c = text.charCodeAt(i + 2)
    const d = text.charCodeAt(i + 3)
    let four = a | (b << 8) | (c << 16) | (d << 24)
    if ((a | b | c | d) < 128) classes |= CLASSES[a]! | CLASSES[b]! | CLASSES[c]! | CLASSES[d]!
    else {
      classes |= classesOf(a) | classesOf(b) | classesOf(c) | classesOf(d)
      four = mix(mix(a, b), mix(c, d))
    }
    high = Math.imul(high ^ four, M1)
    low = Math.imul(low + four, M2)
    low ^= low >>> 15
  }
  for (; i < end; i++) {
    const c = text.charCodeAt(i)
    classes |= classesOf(c)
    high = Math.imul(high ^ c, M1)
    low = Math.imul(low + c, M2)
    low ^= low >>> 15
  }
  seen.high = high
  seen.low = low
  return classes
}

function classesOf(c: number): number {
  return c < 128 ? CLASSES[c]! : c === 0xfffd ? IS_CONTROL : IS_OTHER
}

function describe(classes: number, text: string, start: number, end: number): void {
  if ((classes & ~IS_SPACE & ~IS_CONTROL) === 0) {
    seen.type = BLANK
    seen.shape = -1
    return
  }
  seen.type = STRING
  if (end - start > LONGEST_SHAPED) seen.shape = -1
  else if ((classes & IS_CONTROL) !== 0 || text.charCodeAt(start) === 32 || text.charCodeAt(end - 1) === 32)
    seen.shape = UNTIDY
  else if ((classes & HAS_LETTER) === 0) seen.shape = LETTERS.length + ((classes >> FIRST_SIGN) & 31)
  else if ((classes & IS_AT) !== 0) seen.shape = AT
  else if ((classes & HAS_LETTER) === IS_UPPER) seen.shape = end - start > LONGEST_SHORT ? UPPER : SHORT
  else seen.shape = (classes & HAS_LETTER) === IS_LOWER ? LOWER : MIXED
}

const LONGEST_PLAIN = 20

/** Numbers are hashed as the decimals they are: `1`, `1.0` and `10e-1` are one. */
function readNumber(text: string, start: number): number {
  let i = start + 1
  let point = 0
  let exponent = false
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c >= 48 && c <= 57) continue
    if (c === 46) point = i
    else if (c === 101 || c === 69) exponent = true
    else if (c !== 43 && c !== 45) break
  }
  seen.type = point === 0 && !exponent ? INTEGER : NUMBER
  if (exponent || i - start > LONGEST_PLAIN) {
    const canonical = plainNumber(canonicalNumber(text.slice(start, i)))
    hash(canonical, 0, canonical.length, DECIMAL)
    return i
  }
  let end = i
  if (point > 0) {
    while (text.charCodeAt(end - 1) === 48) end--
    if (end - 1 === point) end--
  }
  // Minus nought is nought.
  const from =
    end - start === 2 && text.charCodeAt(start) === 45 && text.charCodeAt(start + 1) === 48 ? start + 1 : start
  hash(text, from, end, DECIMAL)
  return i
}

/** A canonical number without its exponent, where that is short. */
function plainNumber(canonical: string): string {
  const [head, power] = canonical.split('e')
  if (power === undefined || power.length > 4) return canonical
  const minus = head!.startsWith('-') ? '-' : ''
  const digits = head!.slice(minus.length)
  const shift = Number(power)
  const point = digits.length + shift
  if (Math.abs(shift) > LONGEST_PLAIN) return canonical
  const plain =
    shift >= 0
      ? digits + '0'.repeat(shift)
      : point > 0
        ? `${digits.slice(0, point)}.${digits.slice(point)}`
        : `0.${'0'.repeat(-point)}${digits}`
  return plain.length + minus.length <= LONGEST_PLAIN ? minus + plain : canonical
}

/** The sum of the hashes of its members, so that their order is no matter. Of a name that stands twice both count. */
function readObject(text: string, i: number): number {
  let high = OBJECT as number
  let low = 0
  i = skipBlank(text, i + 1)
  while (text.charCodeAt(i) !== 125) {
    i = readString(text, i)
    const nameHigh = seen.high
    const nameLow = seen.low
    i = readValue(text, skipBlank(text, skipBlank(text, i) + 1))
    high = (high + mix(nameHigh, seen.high)) | 0
    low = (low + mix(nameLow ^ M1, seen.low)) | 0
    i = skipBlank(text, i)
    if (text.charCodeAt(i) === 44) i = skipBlank(text, i + 1)
  }
  return finish(OBJECT, high, low, i + 1)
}

function readArray(text: string, i: number): number {
  let high = ARRAY as number
  let low = 0
  i = skipBlank(text, i + 1)
  while (text.charCodeAt(i) !== 93) {
    i = readValue(text, i)
    high = mix(high, seen.high)
    low = mix(low ^ M1, seen.low)
    i = skipBlank(text, i)
    if (text.charCodeAt(i) === 44) i = skipBlank(text, i + 1)
  }
  return finish(ARRAY, high, low, i + 1)
}

function finish(type: number, high: number, low: number, end: number): number {
  seen.type = type
  seen.shape = -1
  seen.high = high
  seen.low = low
  return end
}

/** Two 32-bit hashes as one in which each bit hangs on all of theirs. */
export function mix(a: number, b: number): number {
  let h = Math.imul(a ^ Math.imul(b, M1), M2)
  h = Math.imul(h ^ (h >>> 15) ^ b, M3)
  h = Math.imul(h ^ (h >>> 13), M1)
  return h ^ (h >>> 16)
}

/** A 52-bit hash of what the JSON text of a record says, whatever the order of its keys and the spelling of its values. */
export function hashRecord(data: string): number {
  readValue(data, skipBlank(data, 0))
  return (mix(seen.high, seen.low) >>> 0) * 2 ** 20 + (mix(seen.low, seen.high) >>> 12)
}

/** The index of the first character at or after `i` that is no white space. */
export function skipBlank(text: string, i: number): number {
  for (;;) {
    const c = text.charCodeAt(i)
    if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return i
    i++
  }
}
