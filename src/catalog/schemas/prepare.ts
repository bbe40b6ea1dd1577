import { DomainError, type ErrorDetail } from '../../kernel/errors.ts'
import { compilePattern } from '../patterns.ts'

/** A schema as the validator gets it: checked, copied, and with WORK where the same value may be looked at many times. */
export interface Prepared {
  readonly schema: Record<string, unknown>
  /** Every number in it, which rows are compared with. */
  readonly numbers: ReadonlySet<number>
  /** Whether it names a property that every object inherits, such as constructor. */
  readonly inherited: boolean
}

/** Our own keyword: [keywords, whether they are applied to a value that others look at too]. */
export const WORK = 'superinsight:work'

const MAX_LEVELS = 60
/** The validator's code for one list grows with its square. */
const MAX_LIST = 300
const ONE = new Set([
  'additionalProperties',
  'contains',
  'contentSchema',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
])
const LIST = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const BY_NAME = new Set(['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties'])
/** Applied to the value that their own schema is applied to, so that it is looked at once more. */
const AGAIN = new Set(['allOf', 'anyOf', 'dependentSchemas', 'else', 'if', 'not', 'oneOf', 'then'])
/** Applied to each of the many parts of a value. */
const EACH = new Set([
  'additionalProperties',
  'contains',
  'items',
  'patternProperties',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
])
const DRAFT = /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/

/** Checks what a validator would take for granted, and copies the schema. Faults go to `details`, by their field. */
export function prepareSchema(schema: Record<string, unknown>, field: string, details: ErrorDetail[]): Prepared {
  const numbers = new Set<number>()
  let inherited = false

  function fault(at: string, message: string): void {
    details.push({ field: at, message })
  }

  function copy(node: unknown, at: string, keyword: string, level: number): unknown {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return node
    if (level > MAX_LEVELS) {
      if (level === MAX_LEVELS + 1) fault(field, `is nested deeper than ${MAX_LEVELS} levels`)
      return node
    }
    const made: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(node)) {
      const inner = `${at}.${name}`
      made[name] = copyKeyword(name, value, inner, level + 1)
      if (name === 'pattern') checkPattern(value, inner)
      if (name === '$async') fault(inner, 'is no keyword of JSON Schema')
      if (name === 'required') noteNames(value)
    }
    const again = AGAIN.has(keyword) || '$ref' in node || '$dynamicRef' in node
    if (again || EACH.has(keyword)) made[WORK] = [sizeOf(node), again]
    return made
  }

  function copyKeyword(name: string, value: unknown, at: string, level: number): unknown {
    if (ONE.has(name)) return copy(value, at, name, level)
    if (LIST.has(name) && Array.isArray(value)) {
      if (value.length > MAX_LIST) fault(at, `has ${value.length} schemas, more than ${MAX_LIST}`)
      return value.slice(0, MAX_LIST).map((each, i) => copy(each, `${at}.${i}`, name, level + 1))
    }
    if (!BY_NAME.has(name) || typeof value !== 'object' || value === null) return value
    const names = Object.keys(value)
    if (name === 'patternProperties') for (const pattern of names) checkPattern(pattern, `${at}.${pattern}`)
    if (name === 'properties') noteNames(names)
    if (names.includes('__proto__')) fault(at, 'a property cannot be called __proto__ here')
    const copies = names.map(each => [
      each,
      copy((value as Record<string, unknown>)[each], `${at}.${each}`, name, level + 1),
    ])
    return Object.fromEntries(copies)
  }

  function checkPattern(pattern: unknown, at: string): void {
    if (typeof pattern !== 'string') return
    try {
      compilePattern(pattern, 'u')
    } catch (error) {
      if (!(error instanceof DomainError)) throw error
      fault(at, error.message)
    }
  }

  function noteNames(names: unknown): void {
    if (Array.isArray(names) && names.some(name => typeof name === 'string' && name in Object.prototype))
      inherited = true
  }

  if (schema.$schema !== undefined && !(typeof schema.$schema === 'string' && DRAFT.test(schema.$schema)))
    fault(`${field}.$schema`, `expected JSON Schema 2020-12, got ${JSON.stringify(schema.$schema)?.slice(0, 100)}`)
  const made = copy(schema, field, '', 1) as Record<string, unknown>
  delete made.$schema
  // No keyword any more, but ajv stumbles over it.
  if (typeof made.id === 'string') delete made.id
  noteNumbers(schema, numbers, 0)
  return { schema: made, numbers, inherited }
}

function noteNumbers(value: unknown, numbers: Set<number>, level: number): void {
  if (typeof value === 'number') numbers.add(value)
  else if (typeof value === 'object' && value !== null && level < 2 * MAX_LEVELS)
    for (const inner of Object.values(value)) noteNumbers(inner, numbers, level + 1)
}

/** How many keywords and values there are in a schema, all levels of it. */
function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  let size = 1
  for (const inner of Object.values(value)) size += sizeOf(inner)
  return size
}
