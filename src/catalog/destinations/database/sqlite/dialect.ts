import { integerText } from '../../../../kernel/decimal.ts'
import { typeOf, unquoted } from '../../../../kernel/members.ts'
import type { Column, Dialect, Value } from '../connection.ts'
import { OWN_PREFIX } from '../names.ts'
import { isDouble } from '../types.ts'

const MAX_NAME = 500

/** The types of our columns. SQLite turns values into what a type prefers: these prefer what the column holds anyway. */
const TYPES = {
  none: '',
  boolean: 'boolean',
  bigint: 'integer',
  double: 'real',
  numeric: 'numeric',
  json: 'json',
  text: 'text',
  time: 'text',
} as const satisfies Dialect['types']

/** A function of ours: SQLite itself writes numbers with 15 digits. */
export const NUMBER_TEXT = `${OWN_PREFIX}number_text`

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  // A transaction that is to write has the whole database to itself.
  forUpdate: '',
  types: TYPES,
  overriding: '',
  // Its numbers are 64 bits, integers or doubles; any other is kept as the text it came as.
  decimal: text => (isDouble(text) ? 'double' : 'text'),
  nameKey: name => (/[A-Z]/.test(name) ? name.replace(/[A-Z]+/g, letters => letters.toLowerCase()) : name),
  wrongName(name) {
    if (name === '') return 'a column needs a name'
    if (name.includes('\0')) return 'a column’s name cannot have NUL in it'
    if (!name.isWellFormed()) return 'the name has half of a surrogate pair in it'
    return name.length > MAX_NAME ? `a column’s name has at most ${MAX_NAME} characters` : undefined
  },
  wrongText: text => (text.isWellFormed() ? undefined : 'the text has half of a surrogate pair in it'),
  bind: (column, text) => (column.fixed ? bindByAffinity(column, text) : BINDINGS[column.type](text)),
  time: ms => new Date(ms).toISOString(),
  widened(from, to, reference) {
    if (from === to || to !== 'text') return reference
    if (from === 'boolean') return `case ${reference} when 1 then 'true' when 0 then 'false' end`
    if (from === 'bigint') return `cast(${reference} as text)`
    return from === 'double' || from === 'numeric' ? `${NUMBER_TEXT}(${reference})` : reference
  },
  comparable: (_, reference) => reference,
}

const textOf = (text: string) => (typeOf(text) === 'string' ? unquoted(text) : text)
const booleanOf = (text: string) => (text === 'true' ? 1 : text === 'false' ? 0 : undefined)
const doubleOf = (text: string) => (typeOf(text) === 'number' && isDouble(text) ? Number(text) : undefined)

function integerOf(text: string): Value | undefined {
  if (typeOf(text) !== 'number') return undefined
  const value = Number(text)
  if (text.length <= 15 && Number.isSafeInteger(value)) return value
  const digits = integerText(text)
  if (digits === undefined || digits.length > 20) return undefined
  const exact = BigInt(digits)
  return BigInt.asIntN(64, exact) === exact ? exact : undefined
}

/** Values for columns of ours. */
const BINDINGS: Record<Column['type'], (text: string) => Value | undefined> = {
  none: () => undefined,
  boolean: booleanOf,
  bigint: integerOf,
  double: doubleOf,
  numeric: text => integerOf(text) ?? doubleOf(text),
  json: text => (typeOf(text) === 'object' || typeOf(text) === 'array' ? text : undefined),
  text: textOf,
  time: textOf,
  other: textOf,
}

/** A text that says a number, as JSON writes one; others are left as they are. */
const NUMBER = /^\s*(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*$/

/** Values for columns of users', by what SQLite prefers in a column of that type (its "affinity"). */
function bindByAffinity({ sqlType, settable }: Column, text: string): Value | undefined {
  if (settable === 'never') return undefined
  const declared = sqlType.toUpperCase()
  const plain = textOf(text)
  const number = NUMBER.exec(plain)?.[1]
  const any = () => booleanOf(text) ?? (typeOf(text) === 'number' ? numberOf(text) : plain)
  if (declared.includes('INT')) return booleanOf(text) ?? (number === undefined ? undefined : integerOf(number))
  if (/CHAR|CLOB|TEXT/.test(declared)) return plain
  if (declared === '' || declared.includes('BLOB')) return any()
  if (/REAL|FLOA|DOUB/.test(declared)) return number === undefined ? undefined : Number(number)
  if (declared.includes('BOOL'))
    return booleanOf(plain) ?? (number === '0' || number === '1' ? Number(number) : undefined)
  if (/NUM|DEC/.test(declared)) return number === undefined ? undefined : numberOf(number)
  return declared.includes('JSON') ? text : any()
}

function numberOf(text: string): Value {
  return integerOf(text) ?? Number(text)
}
