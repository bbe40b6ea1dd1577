import { createSchemaCache, type SchemaLimits, type Validator } from '../catalog/schemas/compile.ts'
import { compileTransformations, type Transform, type TransformationLimits } from '../catalog/transformations/index.ts'
import { decideRow, type SchemaContract, schemaFor, type Violation } from '../domain/contract.ts'
import type { JsonSchema } from '../domain/schema.ts'
import type { DatasetConfigured } from '../events/index.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import type { SecretStore } from '../store/secrets.ts'
import { referencesIn, revealSecrets } from './hidden.ts'
import type { RowError } from './parse.ts'

/** What becomes of a row's data: the JSON text that goes in, nothing, its refusal, or that of the whole push. */
export type RowOutcome =
  | { readonly json: string }
  | { readonly dropped: true }
  | { readonly refused: RowError }
  | { readonly frozen: RowError }

/** What one push does with the rows of a data set. */
export interface RowRule {
  apply(data: string): RowOutcome
  /** The schema as the rows since the last call have made it; undefined when they changed nothing. */
  takeGrowth(): { readonly schema: JsonSchema; readonly was: string } | undefined
}

export interface RuleOptions {
  readonly validate: boolean
  readonly transform: boolean
}

/** What is done with the rows of each data set before they go in, as it was set for it. */
export interface Rules {
  /** For the rows of one push or run; undefined when there is nothing to do. */
  begin(dataset: string, options: RuleOptions): RowRule | undefined
  /** Has the secrets at hand that settings refer to; to be awaited when those have changed. */
  prepare(): Promise<void>
  /** One row by itself. Throws VALIDATION_ERROR when it is refused, or left out. */
  require(dataset: string, data: string): string
}

export interface RuleLimits extends SchemaLimits, TransformationLimits {
  /** Columns that a schema may grow to. */
  readonly schemaColumns: number
}

interface Compiled {
  readonly transform: (() => Transform) | undefined
  /** Judges by the contract's reading of the schema. */
  readonly check: Validator | undefined
  readonly schema: JsonSchema | undefined
}

/** Rules after what is set for data sets now; each setting is compiled once. */
export function createRules(
  settings: ReadonlyMap<string, DatasetConfigured>,
  limits: RuleLimits,
  secrets: Pick<SecretStore, 'get'>,
): Rules {
  const known = new Map<string, string>()
  const schemas = createSchemaCache(limits)
  const compiled = new WeakMap<DatasetConfigured, Compiled>()

  function compile(set: DatasetConfigured): Compiled {
    const found = compiled.get(set)
    if (found) return found
    const list = stepsOf(set)
    const missing = referencesIn(list).find(reference => !known.has(reference))
    if (missing) throw new DomainError('UNAVAILABLE', `the secret ${missing} is not at hand yet`, { retryAfter: 1 })
    const transform =
      list.length === 0 ? undefined : compileTransformations(revealSecrets(list, known), 'transformations', limits)
    const schema: JsonSchema | undefined = set.schema === null ? undefined : JSON.parse(set.schema)
    const check = schema && schemas(schemaFor(set.schema_contract, schema), 'schema')
    const made = { transform, schema, check }
    compiled.set(set, made)
    return made
  }

  const rules: Rules = {
    async prepare() {
      const wanted = [...settings.values()].flatMap(set => referencesIn(stepsOf(set)))
      for (const reference of wanted) {
        if (known.has(reference)) continue
        const secret = await secrets.get(reference)
        if (secret !== undefined) known.set(reference, secret)
      }
    },
    begin(dataset, options) {
      const set = settings.get(dataset)
      if (!set) return undefined
      const both = compile(set)
      const transform = options.transform ? both.transform?.() : undefined
      const judge = options.validate && both.check ? startJudge(set, both, schemas, limits) : undefined
      if (!transform && !judge) return undefined
      return {
        apply(data) {
          const transformed = transform ? transform(data) : { json: data }
          // Transformed first: the schema is that of what is kept.
          if ('json' in transformed) return judge ? judge.apply(transformed.json) : transformed
          if ('dropped' in transformed) return transformed
          const { code, field, message } = transformed.refused
          return { refused: { stage: 'transform', code, field, message } }
        },
        takeGrowth: () => judge?.takeGrowth(),
      }
    },
    require(dataset, data) {
      const outcome = rules.begin(dataset, { validate: true, transform: true })?.apply(data) ?? { json: data }
      if ('json' in outcome) return outcome.json
      if ('dropped' in outcome) throw invalid('data', 'the transformations of the data set leave this row out')
      throw asError('refused' in outcome ? outcome.refused : outcome.frozen)
    },
  }
  return rules
}

/** The refusal of a row as that of the request that brought it. */
export function asError({ field, message }: RowError): DomainError {
  return new DomainError('VALIDATION_ERROR', message, { details: [{ field: field || 'data', message }] })
}

function stepsOf({ transformations }: DatasetConfigured): Parameters<typeof referencesIn>[0] {
  return transformations === null ? [] : JSON.parse(transformations)
}

/** Judges the rows of one push by the data set's contract; under evolve the schema grows with them. */
function startJudge(
  { schema: was, schema_contract }: DatasetConfigured,
  compiled: Compiled,
  schemas: (schema: unknown, field: string) => Validator,
  limits: RuleLimits,
): RowRule {
  const contract = schema_contract as SchemaContract
  let schema = compiled.schema!
  let check = compiled.check!
  let grown = false
  return {
    apply(json) {
      const verdict = decideRow(contract, schema, json, check, limits.schemaColumns)
      if (verdict.is === 'refused') return { refused: violated(verdict.violations) }
      if (verdict.is === 'frozen') return { frozen: violated(verdict.violations) }
      if (verdict.schema) {
        schema = verdict.schema
        check = schemas(schemaFor(contract, schema), 'schema')
        grown = true
      }
      return verdict
    },
    takeGrowth() {
      if (!grown) return undefined
      grown = false
      return { schema, was: was! }
    },
  }
}

function violated(violations: readonly Violation[]): RowError {
  const { pointer, message } = violations[0]!
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : ''
  return { stage: 'validate', code: 'SCHEMA', field: pointer, message: `${pointer || 'the record'}: ${message}${more}` }
}
