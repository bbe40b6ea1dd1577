import { compareNumbers, integerText } from '../../../../kernel/decimal.ts'
import { typeOf, unquoted } from '../../../../kernel/members.ts'

/**
 * The values of a cursor field, as plain texts: a number's digits, or what a text says. Numbers compare by value to the
 * last digit, and so do texts of digits; dates and times compare as moments, all other texts as texts. Where a field has
 * values of several kinds, numbers come before times and times before texts.
 */

const NUMBER = /^-?\d+(?:\.\d+)?$/
const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:([Tt ])(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,30}))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/
/** Longer values are no cursors. */
export const MAX_VALUE = 1000

/** A value of a cursor field by its JSON text; undefined for what is none: null, an empty text, an object, a boolean. */
export function plainOf(json: string | undefined): string | undefined {
  if (json === undefined || json.length > MAX_VALUE) return undefined
  const type = typeOf(json)
  if (type === 'string') return unquoted(json) || undefined
  if (type !== 'number') return undefined
  return NUMBER.test(json) ? json : (integerText(json) ?? json)
}

/** A moment: whole seconds since 1970 and the digits of the fraction behind them, with the form it is written in. */
interface Moment {
  readonly seconds: number
  readonly fraction: string
  readonly form: {
    readonly separator: string | undefined
    readonly withSeconds: boolean
    readonly zone: string
    readonly offset: number
  }
}

function momentOf(text: string): Moment | undefined {
  const [all, year, month, day, separator, hour = '00', minute = '00', second, fraction = '', zone = ''] =
    TIME.exec(text) ?? []
  if (all === undefined || Number(hour) > 24 || Number(minute) > 59 || Number(second ?? 0) > 60) return undefined
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`)
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) return undefined
  const offset = offsetOf(zone)
  const clock = Number(hour) * 3600 + Number(minute) * 60 + Number(second ?? 0)
  const form = { separator, withSeconds: second !== undefined, zone, offset }
  return { seconds: date.getTime() / 1000 + clock - offset, fraction, form }
}

function offsetOf(zone: string): number {
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  if (sign === undefined) return 0
  return (Number(hours) * 3600 + Number(minutes) * 60) * (sign === '-' ? -1 : 1)
}

/** Below 0, 0 or above 0, as `a` comes before `b`, is the same, or comes after it. */
export function compareValues(a: string, b: string): number {
  if (a === b) return 0
  // Two times of one form, as they nearly always are, have the order of their texts.
  if (a.length === b.length && isUtcTime(a) && isUtcTime(b)) return a < b ? -1 : 1
  const [numberA, numberB] = [NUMBER.test(a), NUMBER.test(b)]
  if (numberA || numberB) return numberA && numberB ? compareNumbers(a, b) : numberA ? -1 : 1
  const [left, right] = [momentOf(a), momentOf(b)]
  if (left && right) return compareMoments(left, right)
  if (left || right) return left ? -1 : 1
  return a < b ? -1 : 1
}

function isUtcTime(text: string): boolean {
  return text.charCodeAt(text.length - 1) === 90 && text.charCodeAt(10) === 84 && text.charCodeAt(16) === 58
}

/** Whether a value is neither a number nor a time. */
export function isText(value: string): boolean {
  return !NUMBER.test(value) && !momentOf(value)
}

function compareMoments(a: Moment, b: Moment): number {
  if (a.seconds !== b.seconds) return a.seconds - b.seconds
  const length = Math.max(a.fraction.length, b.fraction.length)
  const [left, right] = [a.fraction.padEnd(length, '0'), b.fraction.padEnd(length, '0')]
  return left === right ? 0 : left < right ? -1 : 1
}

/**
 * `value` less `lag`: seconds for a time, a number for a number, written as the value is; a form without a place for
 * so small a part gives the value before it. Of a text there is nothing to take away: undefined.
 */
export function minus(value: string, lag: number): string | undefined {
  if (lag === 0) return value
  const [, lagWhole = '0', lagFraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(decimalText(lag)) ?? []
  if (NUMBER.test(value)) {
    const [whole = '', fraction = ''] = value.split('.')
    const places = Math.max(fraction.length, lagFraction.length)
    const left = BigInt(whole + fraction.padEnd(places, '0')) - BigInt(lagWhole + lagFraction.padEnd(places, '0'))
    const digits = String(left < 0n ? -left : left).padStart(places + 1, '0')
    const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`
    return left < 0n ? `-${text}` : text
  }
  const moment = momentOf(value)
  if (!moment) return undefined
  const { seconds, fraction, form } = moment
  const places = Math.max(fraction.length, lagFraction.length)
  const scale = 10n ** BigInt(places)
  const units = BigInt(seconds) * scale + BigInt(fraction.padEnd(places, '0') || '0')
  const left = units - BigInt(lagWhole) * scale - BigInt(lagFraction.padEnd(places, '0') || '0')
  const rest = ((left % scale) + scale) % scale
  return written(Number((left - rest) / scale), places === 0 ? '' : String(rest).padStart(places, '0'), form)
}

function written(seconds: number, fraction: string, { separator, withSeconds, zone, offset }: Moment['form']): string {
  const text = new Date((seconds + offset) * 1000).toISOString()
  if (separator === undefined) return text.slice(0, 10)
  const clock = withSeconds ? `${text.slice(11, 19)}${fraction && `.${fraction}`}` : text.slice(11, 16)
  return `${text.slice(0, 10)}${separator}${clock}${zone}`
}

/** A number that is not negative, without an exponent. */
function decimalText(number: number): string {
  const text = String(number)
  return text.includes('e') ? number.toFixed(number < 1 ? 20 : 0) : text
}
