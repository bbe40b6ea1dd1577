import { createHash } from 'node:crypto'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { DomainError, type ErrorDetail, invalid } from '../../kernel/errors.ts'
import { compilePattern } from '../patterns.ts'
import { createFormats } from './formats.ts'
import { addKeywords, setTexts } from './keywords.ts'
import { parseRow } from './numbers.ts'
import { type Prepared, prepareSchema } from './prepare.ts'
import { EnoughFound, startWork, TooMuchWork, work } from './work.ts'

/** Bounds that the operator sets; see src/config.ts. */
export interface SchemaLimits {
  /** Longest schema, in UTF-16 units of its JSON text. */
  readonly schemaLength: number
  /** Most compiled schemas that are kept. */
  readonly schemasCached: number
}

/** Where and why a value fails. */
export interface Violation {
  /** JSON pointer of the value; of one that is missing or must not be there, where it would be or is. */
  readonly pointer: string
  /** The keyword of the schema; work when checking was given up. */
  readonly keyword: string
  readonly message: string
}

/** Checks a JSON text that has been checked to be one: null, or what fails, at most a hundred. */
export type Validator = (json: string) => readonly Violation[] | null

const MAX_VIOLATIONS = 100

/**
 * Compiles a user's JSON Schema 2020-12. Nothing is ever fetched: a reference that leads out of the schema is refused, as
 * are patterns that need a backtracking engine. Formats are checked. Numbers are compared as the decimals they are
 * written as, whatever their digits; only uniqueItems takes two numbers for one that round to one.
 * Throws a VALIDATION_ERROR with a detail for each fault, by its dotted path below `field`.
 */
export function compileSchema(schema: unknown, field: string, limits: SchemaLimits): Validator {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw invalid(field, 'expected a JSON Schema, which is an object')
  const { length } = JSON.stringify(schema)
  if (length > limits.schemaLength) throw invalid(field, `has ${length} characters, more than ${limits.schemaLength}`)
  const details: ErrorDetail[] = []
  const prepared = prepareSchema(schema as Record<string, unknown>, field, details)
  if (details.length === 0) details.push(...againstMetaSchema(schema, field))
  if (details.length > 0) {
    const [first] = details
    throw new DomainError('VALIDATION_ERROR', `${first!.field}: ${first!.message}`, { details: details.slice(0, 100) })
  }
  const validate = compile(prepared, field)
  return json => {
    const { value, texts } = parseRow(json, prepared.numbers)
    startWork()
    setTexts(texts)
    try {
      return validate(value) ? null : violationsOf(validate.errors!)
    } catch (error) {
      if (error instanceof EnoughFound) return violationsOf(error.found)
      // A definition that holds itself, applied to one value for ever, ends with the stack.
      if (!(error instanceof TooMuchWork) && !(error instanceof RangeError)) throw error
      return [{ pointer: '', keyword: 'work', message: `it cannot be checked: ${error.message}` }]
    }
  }
}

/**
 * Compiles schemas and keeps the last ones used, told apart by what they say. For one process; ajv itself would keep
 * each schema for ever.
 */
export function createSchemaCache(limits: SchemaLimits): (schema: unknown, field: string) => Validator {
  const kept = new Map<string, Validator>()
  return (schema, field) => {
    const key = createHash('sha256')
      .update(`${JSON.stringify(schema)}`)
      .digest('base64')
    const validator = kept.get(key) ?? compileSchema(schema, field, limits)
    // Last in the order of the map is last used.
    kept.delete(key)
    kept.set(key, validator)
    if (kept.size > limits.schemasCached) for (const oldest of kept.keys()) return forget(kept, oldest, validator)
    return validator
  }
}

function forget(kept: Map<string, Validator>, oldest: string, validator: Validator): Validator {
  kept.delete(oldest)
  return validator
}

let meta: Ajv2020 | undefined

function againstMetaSchema(schema: object, field: string): ErrorDetail[] {
  meta ??= new Ajv2020({ strict: false, logger: false, allErrors: true, formats: createFormats() })
  startWork()
  if (meta.validateSchema({ ...schema, $schema: 'https://json-schema.org/draft/2020-12/schema' })) return []
  const byField = new Map<string, string>()
  for (const { pointer, message } of violationsOf(meta.errors!)) {
    const at = field + pointer.replaceAll('/', '.')
    // The first says what is wrong; that no choice fits because of it says nothing more.
    if (!byField.has(at)) byField.set(at, message)
  }
  return [...byField].map(([at, message]) => ({ field: at, message }))
}

function compile({ schema, inherited }: Prepared, field: string): ValidateFunction {
  // One of its own for each: schemas may name themselves alike, and what they leave behind goes when they go.
  const ajv = new Ajv2020({
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    inlineRefs: false,
    ownProperties: inherited,
    // Besides telling all: without it each check stands within the one before, and two thousand fill the stack.
    allErrors: true,
    formats: createFormats(),
    code: { regExp: patternEngine, optimize: false },
  })
  addKeywords(ajv)
  try {
    return ajv.compile(schema)
  } catch (error) {
    const { missingRef, message } = error as Error & { missingRef?: string }
    if (missingRef === undefined) throw invalid(field, `cannot be used: ${message}`)
    throw invalid(field, `refers to ${missingRef}, which is not in it; nothing is fetched from elsewhere`)
  }
}

const patternEngine = Object.assign(
  (source: string) => {
    const pattern = compilePattern(source, 'u')
    return {
      test(text: string): boolean {
        work(pattern.size * text.length)
        return pattern.test(text)
      },
      // ajv tells patterns apart by it.
      toString: () => source,
    }
  },
  { code: 'compilePattern' },
)

/** What ajv found, without what only led to something else that it found: branches of anyOf, the if of a then. */
function violationsOf(errors: readonly ErrorObject[]): Violation[] {
  const outer = errors.filter(
    ({ schemaPath, keyword }) =>
      !/\/(anyOf|oneOf)\//.test(schemaPath) && keyword !== 'if' && keyword !== 'propertyNames',
  )
  return (outer.length > 0 ? outer : errors).slice(0, MAX_VIOLATIONS).map(error => ({
    pointer: pointerOf(error),
    keyword: error.keyword,
    message: messageOf(error),
  }))
}

function pointerOf({ instancePath, params, propertyName }: ErrorObject): string {
  const name = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty ?? propertyName
  return name === undefined
    ? instancePath
    : `${instancePath}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function messageOf({ keyword, message = 'is not valid', params }: ErrorObject): string {
  if (keyword === 'enum') return `must be one of ${clipped(params.allowedValues)}`
  if (keyword === 'const') return `must be ${clipped(params.allowedValue)}`
  if (keyword === 'required') return 'is missing'
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') return 'is not in the schema'
  return message
}

function clipped(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
