import { integerText } from '../../kernel/decimal.ts'
import { JsonError, wholeValue } from '../../kernel/json.ts'
import { quoted, typeOf, unquoted } from '../../kernel/members.ts'

/** Makes a value's JSON text one of another type; undefined when it cannot. The value is not null. */
type Conversion = (value: string) => string | undefined

const NUMBER = /^([+-]?)0*(\d*)(?:\.(\d*))?([eE][+-]?\d+)?$/
const DATE = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[Tt ]+(.*))?$/
const TIME = /^(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?\s*(?:([Zz])|([+-])(\d{2}):?(\d{2})?)?$/
const TRUE = new Set(['true', 't', 'yes', 'y', 'on', '1'])
const FALSE = new Set(['false', 'f', 'no', 'n', 'off', '0'])
const MAX_DEPTH = 100

/** What `cast` knows, by the name of the type. */
export const CONVERSIONS = {
  string: value => (typeOf(value) === 'string' ? value : quoted(value)),
  integer(value) {
    const number = toNumber(value)
    return number === undefined ? undefined : integerText(number)
  },
  number: toNumber,
  boolean(value) {
    const text = scalar(value)?.toLowerCase()
    if (text === undefined) return undefined
    return TRUE.has(text) ? 'true' : FALSE.has(text) ? 'false' : undefined
  },
  date(value) {
    const date = dateAndTime(value)
    return date === undefined || date.time === undefined ? undefined : `"${date.day}"`
  },
  'date-time'(value) {
    const date = dateAndTime(value)
    return date === undefined || date.time === undefined ? undefined : `"${date.day}T${date.time}"`
  },
  json(value) {
    if (typeOf(value) !== 'string') return value
    const bytes = Buffer.from(unquoted(value))
    try {
      const { start, end } = wholeValue(bytes, 0, bytes.length, MAX_DEPTH)
      return bytes.toString('utf8', start, end)
    } catch (error) {
      if (error instanceof JsonError) return undefined
      throw error
    }
  },
} as const satisfies Record<string, Conversion>

/** The text of a string, a number, true or false. */
function scalar(value: string): string | undefined {
  const type = typeOf(value)
  if (type === 'string') return unquoted(value).trim()
  return type === 'number' || type === 'boolean' ? value : undefined
}

function toNumber(value: string): string | undefined {
  if (typeOf(value) === 'number') return value
  if (value === 'true') return '1'
  if (value === 'false') return '0'
  const text = scalar(value)
  const parts = text === undefined ? null : NUMBER.exec(text)
  if (!parts) return undefined
  const [, sign, whole, fraction, exponent = ''] = parts
  // "." and "" are no numbers; "007" and ".5" are, though JSON writes them otherwise.
  if (!/\d/.test(text!.split(/[eE]/)[0]!)) return undefined
  return `${sign === '-' ? '-' : ''}${whole || '0'}${fraction ? `.${fraction}` : ''}${exponent}`
}

/** `time` is undefined when something stands there that is no time. */
function dateAndTime(value: string): { day: string; time: string | undefined } | undefined {
  const parts = typeOf(value) === 'string' ? DATE.exec(unquoted(value).trim()) : null
  if (!parts) return undefined
  const day = `${parts[1]}-${parts[2]!.padStart(2, '0')}-${parts[3]!.padStart(2, '0')}`
  const calendar = new Date(`${day}T00:00:00Z`)
  // The 30th of February is taken for the 1st of March.
  if (Number.isNaN(calendar.getTime()) || calendar.toISOString().slice(0, 10) !== day) return undefined
  return { day, time: parts[4] === undefined ? '00:00:00Z' : timeText(parts[4]) }
}

function timeText(text: string): string | undefined {
  const parts = TIME.exec(text)
  if (!parts) return undefined
  const [, hour, minute, second = '00', fraction = '', , sign, zoneHour, zoneMinute = '00'] = parts
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  if (sign && (Number(zoneHour) > 23 || Number(zoneMinute) > 59)) return undefined
  const zone = sign ? `${sign}${zoneHour}:${zoneMinute}` : 'Z'
  return `${hour!.padStart(2, '0')}:${minute}:${second}${fraction}${zone}`
}
