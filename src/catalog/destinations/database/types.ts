import { canonicalNumber } from '../../../kernel/canonical.ts'
import { survivesParsing } from '../../../kernel/decimal.ts'

/**
 * The types of the columns that sinks make, each with what it takes, exact:
 * none (no value so far), boolean, bigint (64 bits), double (numbers that a double is), numeric (the database's own
 * decimals), json (objects and arrays), text (everything: a text as it is, all else as JSON).
 */
export type ColumnType = 'none' | 'boolean' | 'bigint' | 'double' | 'numeric' | 'json' | 'text'

/** What a value is by itself. `int` is a bigint that a double holds as well. */
export type Kind = ColumnType | 'int'

/** The narrowest that takes what both take. */
export function join(a: Kind, b: Kind): Kind {
  if (a === b || b === 'none') return a
  if (a === 'none') return b
  if (!isNumeric(a) || !isNumeric(b)) return 'text'
  if (a === 'int') return b
  return b === 'int' ? a : 'numeric'
}

/** The type of a column that takes values of a kind. */
export function typeOfKind(kind: Kind): ColumnType {
  return kind === 'int' ? 'bigint' : kind
}

function isNumeric(kind: Kind): boolean {
  return kind === 'int' || kind === 'bigint' || kind === 'double' || kind === 'numeric'
}

/** The kind of a value by its JSON text; of a number that only a decimal holds, `decimal` says. */
export function kindOf(text: string, decimal: (text: string) => Kind): Kind {
  switch (text.charCodeAt(0)) {
    case 34:
      return 'text'
    case 123:
    case 91:
      return 'json'
    case 116:
    case 102:
      return 'boolean'
    case 110:
      return 'none'
    default:
      return numberKind(text, decimal)
  }
}

function numberKind(text: string, decimal: (text: string) => Kind): Kind {
  if (isPlain(text)) {
    if (text.length <= 15) return 'int'
    if (text.length > 20) return decimal(text)
    const value = BigInt(text)
    if (value >= -MAX_SAFE && value <= MAX_SAFE) return 'int'
    return BigInt.asIntN(64, value) === value ? 'bigint' : decimal(text)
  }
  return isDouble(text) ? 'double' : decimal(text)
}

const MAX_SAFE = 2n ** 53n

/** Whether a number is written with digits only: 1.0 and 1e3 were meant as decimals. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 46 || c === 101 || c === 69) return false
  }
  return true
}

/** Whether a double is exactly the number that a JSON text says. */
export function isDouble(text: string): boolean {
  // Most have few digits; of the others most are as a double is written.
  return (text.length <= 15 && !/e/i.test(text)) || String(Number(text)) === text || survivesParsing(text)
}

/** How many digits a number has before the point and after it. */
export function digitsOf(text: string): { whole: number; fraction: number } {
  const [digits = '', power = '0'] = canonicalNumber(text).replace('-', '').split(/e/i)
  const shift = Number(power)
  return { whole: digits.length + shift, fraction: Math.max(0, -shift) }
}
