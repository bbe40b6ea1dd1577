import { integerText } from '../../../../kernel/decimal.ts'
import { elementsOf, typeOf, unquoted } from '../../../../kernel/members.ts'
import { POSTGRES_NAME_BYTES } from '../config.ts'
import type { Column, Dialect, Value } from '../connection.ts'
import { digitsOf, isDouble } from '../types.ts'

/** What PostgreSQL's numeric holds: digits before the point, and after it. */
const NUMERIC = { whole: 131_072, fraction: 16_383 }

/** Columns that every table has already. */
const SYSTEM_COLUMNS = new Set(['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'])

const TYPES = {
  none: 'text',
  boolean: 'boolean',
  bigint: 'bigint',
  double: 'double precision',
  numeric: 'numeric',
  json: 'jsonb',
  text: 'text',
  time: 'timestamp with time zone',
} as const satisfies Dialect['types']

export const postgresDialect: Dialect = {
  name: 'postgres',
  forUpdate: ' for update',
  types: TYPES,
  overriding: 'overriding system value',
  decimal: text => (isNumeric(text) ? 'numeric' : 'text'),
  nameKey: name => name,
  wrongName(name) {
    if (name === '') return 'a column needs a name'
    if (name.includes('\0')) return 'a column’s name cannot have NUL in it'
    if (!name.isWellFormed()) return 'the name has half of a surrogate pair in it'
    if (Buffer.byteLength(name) > POSTGRES_NAME_BYTES)
      return `PostgreSQL’s names have at most ${POSTGRES_NAME_BYTES} bytes, this has ${Buffer.byteLength(name)}; rename it`
    return SYSTEM_COLUMNS.has(name) ? 'every table of PostgreSQL has a column with this name; rename it' : undefined
  },
  wrongText(text) {
    if (text.includes('\0')) return 'PostgreSQL cannot hold NUL (U+0000) in a text'
    return text.isWellFormed() ? undefined : 'the text has half of a surrogate pair in it'
  },
  bind: (column, text) => (column.fixed ? bindAsText(column, text) : BINDINGS[column.type](text)),
  time: ms => new Date(ms).toISOString(),
  widened(from, to, reference) {
    if (from === to) return reference
    if (from === 'none') return `cast(null as ${TYPES[to as keyof typeof TYPES]})`
    // As a number a double is rounded to 15 digits on the way; as text it has all that it needs.
    if (from === 'double' && to === 'numeric') return `${reference}::text::numeric`
    return to === 'other' ? reference : `${reference}::${TYPES[to]}`
  },
  comparable: ({ type }, reference) => (type === 'other' ? `${reference}::text` : reference),
}

function isNumeric(text: string): boolean {
  if (text.length < 1000 && !/e/i.test(text)) return true
  const { whole, fraction } = digitsOf(text)
  return whole <= NUMERIC.whole && fraction <= NUMERIC.fraction
}

const textOf = (text: string) => (typeOf(text) === 'string' ? unquoted(text) : text)

/** Values for columns of ours. */
const BINDINGS: Record<Column['type'], (text: string) => Value | undefined> = {
  none: () => undefined,
  boolean: text => (text === 'true' ? true : text === 'false' ? false : undefined),
  bigint(text) {
    if (typeOf(text) !== 'number') return undefined
    const value = Number(text)
    if (Number.isSafeInteger(value) && text.length <= 15) return value
    const digits = integerText(text)
    if (digits === undefined || digits.length > 20) return undefined
    const exact = BigInt(digits)
    return BigInt.asIntN(64, exact) === exact ? exact : undefined
  },
  double: text => (typeOf(text) === 'number' && isDouble(text) ? Number(text) : undefined),
  numeric: text => (typeOf(text) === 'number' && isNumeric(text) ? text : undefined),
  json: text => (typeOf(text) === 'object' || typeOf(text) === 'array' ? text : undefined),
  text: textOf,
  time: textOf,
  other: textOf,
}

const JSON_TYPES = new Set(['json', 'jsonb'])
const INTEGER_TYPES = new Set(['bigint', 'integer', 'smallint', 'oid'])

/** Values for columns of users': as the text that PostgreSQL's own input of the type reads. */
function bindAsText({ sqlType, settable }: Column, text: string): Value | undefined {
  if (settable === 'never') return undefined
  const type = typeOf(text)
  if (JSON_TYPES.has(sqlType)) return text
  if (INTEGER_TYPES.has(sqlType) && type === 'number') return integerText(text)
  if (sqlType.endsWith('[]') && type === 'array') return arrayText(text)
  return textOf(text)
}

/** A JSON array as PostgreSQL writes its own. */
function arrayText(text: string): string {
  const elements = elementsOf(text).map(element => {
    if (element === 'null') return 'NULL'
    return typeOf(element) === 'array' ? arrayText(element) : `"${textOf(element).replace(/[\\"]/g, '\\$&')}"`
  })
  return `{${elements.join(',')}}`
}
