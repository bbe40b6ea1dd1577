import { skipElements, skipMembers, wholeValue } from './json.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const ANY_DEPTH = 1000
const MAX_EXPONENT = 100

/**
 * The one text that all spellings of a JSON value share: members sorted by name (of two with one name the later, as
 * JSON.parse has it), no white space, strings with the fewest escapes, numbers by exact decimal value (`1`, `1.0` and
 * `10e-1` are one; 2^53 and 2^53 + 1 are two).
 */
export function canonicalJson(text: string): string {
  const bytes = encoder.encode(text)
  const { start, end } = wholeValue(bytes, 0, bytes.length, ANY_DEPTH)
  return canonical(bytes, start, end)
}

function canonical(bytes: Uint8Array, start: number, end: number): string {
  const first = bytes[start]!
  if (first === 123) return canonicalObject(bytes, start, end)
  if (first === 91) {
    const elements: string[] = []
    skipElements(bytes, start, end, ANY_DEPTH, (from, to) => elements.push(canonical(bytes, from, to)))
    return `[${elements.join(',')}]`
  }
  const text = decoder.decode(bytes.subarray(start, end))
  if (first === 34) return JSON.stringify(JSON.parse(text))
  return first === 45 || (first >= 48 && first <= 57) ? canonicalNumber(text) : text
}

function canonicalObject(bytes: Uint8Array, start: number, end: number): string {
  const members = new Map<string, string>()
  skipMembers(bytes, start, end, ANY_DEPTH, (keyStart, keyEnd, from, to) => {
    members.set(canonical(bytes, keyStart, keyEnd), canonical(bytes, from, to))
  })
  const sorted = [...members].sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([name, value]) => `${name}:${value}`).join(',')}}`
}

/** A JSON number as sign, digits without outer zeros, and a power of ten. */
export function canonicalNumber(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)!
  const digits = (whole + fraction).replace(/^0+/, '')
  if (digits === '') return '0'
  // Counted by hand: /0+$/ would try each zero anew, and a number may have a million of them.
  let length = digits.length
  while (digits[length - 1] === '0') length--
  const significant = digits.slice(0, length)
  // An exponent that long is no number anyone reckons with; as text it is at least told from others.
  if (exponent.length > MAX_EXPONENT) return text
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - length)
  return power === 0n ? sign + significant : `${sign}${significant}e${power}`
}
