import { createSchemaCache, type SchemaLimits, type Validator } from '../catalog/schemas/compile.ts'
import { compileTransformations, type Transform, type TransformationLimits } from '../catalog/transformations/index.ts'
import type { DatasetConfigured } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import type { SecretStore } from '../store/secrets.ts'
import { referencesIn, revealSecrets } from './hidden.ts'
import type { RowError } from './parse.ts'

/** What becomes of a row's data: the JSON text that goes in, nothing, or its refusal. */
export type RowOutcome = { readonly json: string } | { readonly dropped: true } | { readonly refused: RowError }
export type RowRule = (data: string) => RowOutcome

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
  /** One row by itself. Throws VALIDATION_ERROR when it is refused, or dropped. */
  require(dataset: string, data: string): string
}

export interface RuleLimits extends SchemaLimits, TransformationLimits {}

interface Compiled {
  readonly transform: (() => Transform) | undefined
  readonly validate: Validator | undefined
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
    let found = compiled.get(set)
    if (!found) {
      const { schema } = set
      const list = stepsOf(set)
      const missing = referencesIn(list).find(reference => !known.has(reference))
      if (missing) throw new DomainError('UNAVAILABLE', `the secret ${missing} is not at hand yet`, { retryAfter: 1 })
      found = {
        transform:
          list.length === 0 ? undefined : compileTransformations(revealSecrets(list, known), 'transformations', limits),
        validate: schema === null ? undefined : schemas(JSON.parse(schema), 'schema'),
      }
      compiled.set(set, found)
    }
    return found
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
      const validate = options.validate ? both.validate : undefined
      if (!transform && !validate) return undefined
      return data => applyRules(data, transform, validate)
    },
    require(dataset, data) {
      const outcome = rules.begin(dataset, { validate: true, transform: true })?.(data) ?? { json: data }
      if ('json' in outcome) return outcome.json
      if ('dropped' in outcome)
        throw new DomainError('VALIDATION_ERROR', 'data: the transformations leave this row out')
      const { field, message } = outcome.refused
      throw new DomainError('VALIDATION_ERROR', message, { details: [{ field: field ?? 'data', message }] })
    },
  }
  return rules
}

function stepsOf({ transformations }: DatasetConfigured): Parameters<typeof referencesIn>[0] {
  return transformations === null ? [] : JSON.parse(transformations)
}

/** Transformed first: the schema is that of what is kept. */
function applyRules(data: string, transform: Transform | undefined, validate: Validator | undefined): RowOutcome {
  const transformed = transform ? transform(data) : { json: data }
  if ('dropped' in transformed) return transformed
  if ('refused' in transformed) {
    const { code, field, message } = transformed.refused
    return { refused: { stage: 'transform', code, field, message } }
  }
  const violations = validate?.(transformed.json)
  if (!violations) return transformed
  const { pointer, message } = violations[0]!
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : ''
  const error = { stage: 'validate' as const, code: 'SCHEMA', field: pointer }
  return { refused: { ...error, message: `${pointer || 'the record'}: ${message}${more}` } }
}
