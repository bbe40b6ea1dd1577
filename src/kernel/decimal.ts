import { canonicalNumber } from './canonical.ts'
import { endOfString } from './members.ts'

/**
 * JSON numbers reckoned with as the decimals they are written as. A JavaScript number has 53 bits: it takes
 * 9007199254740993 for its neighbour, 1e400 for infinity and 0.3 for no multiple of 0.1.
 */

/** digits × 10^power, the digits without outer zeros; zero has none. */
interface Decimal {
  readonly negative: boolean
  readonly digits: string
  readonly power: number
}

/** Zeros that are written out at most. */
const MAX_ZEROS = 10_000
const MAX_POWER = 2 ** 50

function decimal(text: string): Decimal {
  const canonical = canonicalNumber(text)
  const negative = canonical.startsWith('-')
  const [digits, power = '0'] = (negative ? canonical.slice(1) : canonical).split(/[eE]/)
  // An exponent of a hundred digits comes back as it was written: it counts as a very large one.
  const bounded = Math.max(-MAX_POWER, Math.min(MAX_POWER, Number(power)))
  return { negative, digits: digits === '0' ? '' : digits!.replace('.', ''), power: bounded }
}

/** How many digits stand before the point: 1 for 5, 0 for 0.5, -1 for 0.05. */
function magnitude({ digits, power }: Decimal): number {
  return digits === '' ? Number.NEGATIVE_INFINITY : digits.length + power
}

/** Below 0, 0 or above 0, as `a` is less than, equal to or more than `b`. Both are JSON numbers. */
export function compareNumbers(a: string, b: string): number {
  // Fifteen digits survive a JavaScript number, and so does their order.
  if (a.length <= 15 && b.length <= 15 && !hasExponent(a) && !hasExponent(b)) return Number(a) - Number(b)
  const [left, right] = [decimal(a), decimal(b)]
  if (left.digits === '' || right.digits === '' || left.negative !== right.negative) return signOf(left) - signOf(right)
  return compareSizes(left, right) * (left.negative ? -1 : 1)
}

function compareSizes(a: Decimal, b: Decimal): number {
  const [sizeA, sizeB] = [magnitude(a), magnitude(b)]
  if (sizeA !== sizeB) return sizeA - sizeB
  // Both begin at the same place: the digits compare like words.
  const length = Math.max(a.digits.length, b.digits.length)
  const [left, right] = [a.digits.padEnd(length, '0'), b.digits.padEnd(length, '0')]
  return left === right ? 0 : left < right ? -1 : 1
}

function signOf({ negative, digits }: Decimal): number {
  return digits === '' ? 0 : negative ? -1 : 1
}

function hasExponent(text: string): boolean {
  return text.includes('e') || text.includes('E')
}

const PLAIN_INTEGER = /^-?\d+$/

/** Whether a JSON number has no fraction; 1.0 and 1e3 have none. */
export function isIntegral(text: string): boolean {
  return PLAIN_INTEGER.test(text) || decimal(text).power >= 0
}

/** A JSON number without a fraction written with digits only; undefined when it has one, or needs too many digits. */
export function integerText(text: string): string | undefined {
  if (PLAIN_INTEGER.test(text)) return text === '-0' ? '0' : text
  const { negative, digits, power } = decimal(text)
  if (power < 0 || power > MAX_ZEROS) return undefined
  return digits === '' ? '0' : `${negative ? '-' : ''}${digits}${'0'.repeat(power)}`
}

/** Whether one JSON number is a whole multiple of another that is not 0. */
export function isMultiple(text: string, of: string): boolean {
  const [value, step] = [decimal(text), decimal(of)]
  if (value.digits === '') return true
  // The digits end with no zero, so they are no multiple of ten.
  if (step.power > value.power) return false
  const zeros = value.power - step.power
  const digits = BigInt(value.digits)
  if (zeros > MAX_ZEROS) return digits % withoutTwosAndFives(BigInt(step.digits)) === 0n
  return (digits * 10n ** BigInt(zeros)) % BigInt(step.digits) === 0n
}

function withoutTwosAndFives(value: bigint): bigint {
  while (value % 2n === 0n) value /= 2n
  while (value % 5n === 0n) value /= 5n
  return value
}

/** Whether a JSON number and the JavaScript number it becomes are the same decimal. */
export function survivesParsing(text: string): boolean {
  if (text.length <= 15 && !hasExponent(text)) return true
  const value = Number(text)
  return Number.isFinite(value) && canonicalNumber(String(value)) === canonicalNumber(text)
}

/**
 * Calls `onNumber` for each number in a JSON text that JSON.parse would change, with where it stands, until it answers
 * false.
 */
export function changingNumbers(json: string, onNumber: (start: number, end: number) => boolean): void {
  for (let i = 0; i < json.length; ) {
    const c = json.charCodeAt(i)
    if (c === 34) {
      i = endOfString(json, i)
      continue
    }
    const start = i++
    if (c !== 45 && (c < 48 || c > 57)) continue
    let exponent = false
    for (; i < json.length; i++) {
      const part = json.charCodeAt(i)
      if (part === 101 || part === 69) exponent = true
      else if ((part < 48 || part > 57) && part !== 46 && part !== 43 && part !== 45) break
    }
    // Fifteen digits survive.
    if ((exponent || i - start > 15) && !survivesParsing(json.slice(start, i)) && !onNumber(start, i)) return
  }
}

/** The first number in a JSON text that JSON.parse would change. */
export function numberThatChanges(json: string): string | undefined {
  let found: string | undefined
  changingNumbers(json, (start, end) => {
    found = json.slice(start, end)
    return false
  })
  return found
}

/** A JSON text in which each number that JSON.parse would change is replaced by what `replace` says. */
export function replaceChangingNumbers(json: string, replace: (text: string) => string): string {
  let out = ''
  let from = 0
  changingNumbers(json, (start, end) => {
    out += json.slice(from, start) + replace(json.slice(start, end))
    from = end
    return true
  })
  return from === 0 ? json : out + json.slice(from)
}
