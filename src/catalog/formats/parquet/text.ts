import { isUtf8 } from 'node:buffer'
import { JsonError, wholeValue } from '../../../kernel/json.ts'
import { Broken } from '../broken.ts'
import type { FormatLimits } from '../format.ts'
import { clockText, dateText, instantText } from '../time.ts'
import type { Meaning, Node } from './schema.ts'

/**
 * Values as JSON text. Whole numbers and decimals are written with all their digits; a float is the exact number it is,
 * and NaN and the infinities are text. Binary without a meaning is base64.
 */
export interface Texts {
  int32(value: number): string
  /** A 64 bit number by its lower and upper half, both signed. */
  int64(low: number, high: number): string
  float(value: number): string
  bytes(bytes: Buffer, from: number, to: number): string
}

/** What a value is instead of text when its row must be refused. */
export const TOO_LONG = '\0long'
export const NOT_UTF8 = '\0utf8'

const SHORT = 48
const MAX_DECIMAL_BYTES = 256
const TWO_32 = 4_294_967_296
/** Upper halves below this belong to numbers that a double has exactly. */
const EXACT_HIGH = 1 << 20

export function textsOf(leaf: Node, limits: FormatLimits): Texts {
  const { meaning } = leaf
  return {
    int32: int32Of(meaning),
    int64: int64Of(meaning),
    float: floatText,
    bytes: leaf.physical === 'INT96' ? int96Text : bytesOf(meaning, limits),
  }
}

function big(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0)
}

function isExact(high: number): boolean {
  return high < EXACT_HIGH && high >= -EXACT_HIGH
}

function int32Of(meaning: Meaning): (value: number) => string {
  if (meaning.kind === 'date') return days => `"${dateText(days)}"`
  if (meaning.kind === 'unsigned') return value => String(value >>> 0)
  if (meaning.kind === 'decimal') return value => pointed(String(value), meaning.scale)
  if (meaning.kind === 'time') return value => timeText(BigInt(value), meaning.digits)
  return String
}

function int64Of(meaning: Meaning): (low: number, high: number) => string {
  if (meaning.kind === 'timestamp') return (low, high) => timestampText(low, high, meaning.digits)
  if (meaning.kind === 'time') return (low, high) => timeText(big(low, high), meaning.digits)
  if (meaning.kind === 'decimal') return (low, high) => pointed(int64Text(low, high), meaning.scale)
  if (meaning.kind === 'unsigned')
    return (low, high) => (high >= 0 ? int64Text(low, high) : String(BigInt.asUintN(64, big(low, high))))
  return int64Text
}

function int64Text(low: number, high: number): string {
  return isExact(high) ? String(high * TWO_32 + (low >>> 0)) : String(big(low, high))
}

function timestampText(low: number, high: number, digits: 3 | 6 | 9): string {
  if (digits < 9 && isExact(high)) {
    const units = high * TWO_32 + (low >>> 0)
    const perSecond = digits === 3 ? 1000 : 1_000_000
    const seconds = Math.floor(units / perSecond)
    return `"${instantText(seconds, units - seconds * perSecond, digits)}"`
  }
  const units = big(low, high)
  const perSecond = 10n ** BigInt(digits)
  const fraction = ((units % perSecond) + perSecond) % perSecond
  return `"${instantText(Number((units - fraction) / perSecond), Number(fraction), digits)}"`
}

function timeText(units: bigint, digits: 3 | 6 | 9): string {
  const perSecond = 10n ** BigInt(digits)
  const size = units < 0n ? -units : units
  const clock = clockText(Number(size / perSecond), Number(size % perSecond), digits)
  return `"${units < 0n ? '-' : ''}${clock}"`
}

export function floatText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  return Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"'
}

/** A whole number's digits with the decimal point where its scale puts it. */
export function pointed(digits: string, scale: number): string {
  if (scale === 0) return digits
  const sign = digits.startsWith('-') ? '-' : ''
  const padded = digits.slice(sign.length).padStart(scale + 1, '0')
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

function bytesOf(meaning: Meaning, limits: FormatLimits): (bytes: Buffer, from: number, to: number) => string {
  const text = (bytes: Buffer, from: number, to: number) => {
    const quick = to - from < SHORT ? plainText(bytes, from, to) : undefined
    if (quick !== undefined) return quick
    if (to - from > limits.maxRowBytes) return TOO_LONG
    if (!isUtf8(bytes.subarray(from, to))) return NOT_UTF8
    return JSON.stringify(bytes.toString('utf8', from, to))
  }
  switch (meaning.kind) {
    case 'text':
      return text
    case 'json':
      return (bytes, from, to) =>
        isJson(bytes, from, to, limits) ? bytes.toString('utf8', from, to) : text(bytes, from, to)
    case 'decimal':
      return (bytes, from, to) => pointed(bigEndianText(bytes, from, to), meaning.scale)
    case 'uuid':
      return (bytes, from, to) =>
        `"${bytes.toString('hex', from, to).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}"`
    case 'float16':
      return (bytes, from, to) => (to - from === 2 ? floatText(halfAt(bytes, from)) : base64(bytes, from, to))
    case 'interval':
      return (bytes, from, to) => (to - from === 12 ? intervalText(bytes, from) : base64(bytes, from, to))
    default:
      return (bytes, from, to) => (to - from > limits.maxRowBytes ? TOO_LONG : base64(bytes, from, to))
  }
}

/** The text of bytes that are all ASCII and need no escape; undefined for others. */
function plainText(bytes: Buffer, from: number, to: number): string | undefined {
  for (let i = from; i < to; i++) {
    const b = bytes[i]!
    if (b < 32 || b > 126 || b === 34 || b === 92) return undefined
  }
  return `"${bytes.toString('latin1', from, to)}"`
}

function base64(bytes: Buffer, from: number, to: number): string {
  return `"${bytes.toString('base64', from, to)}"`
}

function isJson(bytes: Buffer, from: number, to: number, limits: FormatLimits): boolean {
  if (to - from > limits.maxRowBytes || !isUtf8(bytes.subarray(from, to))) return false
  try {
    wholeValue(bytes, from, to, limits.maxDepth)
    return true
  } catch (error) {
    if (error instanceof JsonError) return false
    throw error
  }
}

/** The number that bytes are as two's complement, the highest byte first. */
function bigEndianText(bytes: Buffer, from: number, to: number): string {
  const length = to - from
  if (length === 0) return '0'
  if (length <= 6) return String(bytes.readIntBE(from, length))
  if (length > MAX_DECIMAL_BYTES) throw new Broken(`a decimal of ${length} bytes`)
  return String(BigInt.asIntN(length * 8, BigInt(`0x${bytes.toString('hex', from, to)}`)))
}

function halfAt(bytes: Buffer, at: number): number {
  const half = bytes.readUInt16LE(at)
  const sign = half >> 15 ? -1 : 1
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  if (exponent === 0) return sign * 2 ** -24 * fraction
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * 2 ** (exponent - 25) * (1024 + fraction)
}

function intervalText(bytes: Buffer, at: number): string {
  const millis = bytes.readUInt32LE(at + 8)
  return `"P${bytes.readUInt32LE(at)}M${bytes.readUInt32LE(at + 4)}DT${pointed(String(millis), 3)}S"`
}

/** Nanoseconds of a day and a Julian day, as Impala and old Spark write times. */
function int96Text(bytes: Buffer, from: number): string {
  const nanos = bytes.readBigUInt64LE(from)
  const days = bytes.readInt32LE(from + 8) - 2_440_588
  return `"${instantText(days * 86_400 + Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n), 9)}"`
}
