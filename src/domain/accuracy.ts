import { isObject } from './schema.ts'

/*
 * What a schema says of values beyond their types and which of them there are. The types are validity's and completeness':
 * a value that breaks those is counted there, and not once more.
 */

const RULES = new Set([
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength', 'pattern'],
  ...['format', 'enum', 'const', 'minItems', 'maxItems', 'uniqueItems', 'contains', 'minContains', 'maxContains'],
  ...['minProperties', 'maxProperties', 'propertyNames', 'dependentRequired', 'not', 'if', 'anyOf', 'oneOf'],
])
/** Keywords whose value has a schema for each of its names. */
const BY_NAME = new Set(['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties'])

/** Keywords whose value is data, whatever it looks like. */
const DATA = new Set(['default', 'examples'])

/** Whether a schema has rules: something else than types to hold records against. */
export function hasRules(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(hasRules)
  if (!isObject(schema)) return false
  return Object.entries(schema).some(([keyword, value]) => {
    if (RULES.has(keyword)) return true
    if (DATA.has(keyword)) return false
    return BY_NAME.has(keyword) && isObject(value) ? Object.values(value).some(hasRules) : hasRules(value)
  })
}

/** What fails of a record, by keyword; `work` when checking it was given up. */
type Failure = { readonly keyword: string }

/** Whether a record keeps the rules, from what fails of it; null where that could not be found out. */
export function keepsRules(failures: readonly Failure[] | null): boolean | null {
  if (failures === null) return true
  if (failures.some(({ keyword }) => keyword === 'work')) return null
  return !failures.some(({ keyword }) => RULES.has(keyword))
}

/** Holds a record's data, JSON text that has been checked, against the rules. */
export type RuleCheck = (data: string) => boolean | null

/** The check of a schema's rules, from what says what fails of a record. */
export function ruleCheck(failing: (data: string) => readonly Failure[] | null): RuleCheck {
  return data => keepsRules(failing(data))
}
