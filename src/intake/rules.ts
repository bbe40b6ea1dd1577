import { createSchemaCache } from '../catalog/schemas/compile.ts'
import { hasRules, type RuleCheck, ruleCheck } from '../domain/accuracy.ts'
import type { JsonSchema } from '../domain/schema.ts'
import type { DatasetConfigured, RecordPushed } from '../events/index.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import type { SecretStore } from '../store/secrets.ts'
import { referencesIn, revealSecrets } from './hidden.ts'
import type { RowError } from './parse.ts'
import { createRowRules, type RowOutcome, type RowRules, type RulesLimits, type RunOptions } from './row-rules.ts'

/** What one push does with the rows of a data set. */
export interface RowRule {
  /** Takes a row's data, the JSON text of an object that has been checked. */
  apply(data: string): RowOutcome
  /** The schema as the rows have made it since the last call; undefined when they changed nothing. */
  takeGrowth(): Growth | undefined
}

/** A schema that has grown, and the text of the one it grew from. */
export interface Growth {
  readonly schema: JsonSchema
  readonly was: string | null
}

/** What is done with the rows of each data set before they go in, as it was set for it. */
export interface Rules {
  /** For the rows of one push or run; undefined when there is nothing to do. */
  begin(dataset: string, options: RunOptions): RowRule | undefined
  /** Holds rows as they go in against what the data set's schema says beyond types; undefined when it says nothing. */
  ruleCheck(dataset: string): RuleCheck | undefined
  /** What a record brings along for conflicts; null for one of the default policy that can have none. */
  conflictOf(dataset: string, record: Pick<RecordPushed, 'upsert' | 'version' | 'updated_at'>): RecordPushed['conflict']
  /** Has the secrets at hand that settings refer to; to be awaited when those have changed. */
  prepare(): Promise<void>
  /** One row by itself: its data, and what it makes of the schema. Throws VALIDATION_ERROR when it is refused, or left out. */
  require(
    dataset: string,
    data: string,
    options: RunOptions,
  ): { readonly data: string; readonly growth: Growth | undefined }
}

type Handling = RecordPushed['conflict']

/** The policy that holds where none is set, in both its forms. */
const DEFAULT_POLICY = ['"last_write_wins"', '{"type":"last_write_wins"}']
const BY_DEFAULT: NonNullable<Handling> = { policy: null, resolves: null, resolution: null, write: true }

/** Rules after what is set for data sets now; each setting is compiled once. */
export function createRules(
  settings: ReadonlyMap<string, DatasetConfigured>,
  limits: RulesLimits,
  secrets: Pick<SecretStore, 'get'>,
): Rules {
  const known = new Map<string, string>()
  const compileSchema = createSchemaCache(limits)
  const compileRules = createRowRules(limits, compileSchema)
  const compiled = new WeakMap<DatasetConfigured, RowRules>()
  const ruled = new WeakMap<DatasetConfigured, JsonSchema | null>()
  const handlings = new WeakMap<DatasetConfigured, Handling>()

  function compile(set: DatasetConfigured): RowRules {
    const found = compiled.get(set)
    if (found) return found
    const list = stepsOf(set)
    const missing = referencesIn(list).find(reference => !known.has(reference))
    if (missing) throw new DomainError('UNAVAILABLE', `the secret ${missing} is not at hand yet`, { retryAfter: 1 })
    const schema = set.schema === null ? null : JSON.parse(set.schema)
    const { schema_contract } = set
    const made = compileRules({ schema, schema_contract, transformations: revealSecrets(list, known) })
    compiled.set(set, made)
    return made
  }

  /** What the policy of a data set gives its records; null for the default one. */
  function handlingOf(set: DatasetConfigured): Handling {
    const found = handlings.get(set)
    if (found !== undefined) return found
    const policy = set.conflict_policy
    const handling = policy === null || DEFAULT_POLICY.includes(policy) ? null : { ...BY_DEFAULT, policy }
    handlings.set(set, handling)
    return handling
  }

  /** The schema of a data set, if it has rules: most have none, and every push asks. */
  function ruledOf(set: DatasetConfigured): JsonSchema | null {
    let found = ruled.get(set)
    if (found === undefined) {
      const schema: JsonSchema | null = set.schema === null ? null : JSON.parse(set.schema)
      found = hasRules(schema) ? schema : null
      ruled.set(set, found)
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
      const run = set && compile(set).start(options)
      if (!run) return undefined
      let told: JsonSchema | undefined
      return {
        apply: data => run.row(data),
        takeGrowth() {
          if (run.evolved === told) return undefined
          told = run.evolved
          return { schema: told!, was: set.schema }
        },
      }
    },
    ruleCheck(dataset) {
      const set = settings.get(dataset)
      const schema = set && ruledOf(set)
      if (!schema) return undefined
      try {
        return ruleCheck(compileSchema(schema, 'schema'))
      } catch (error) {
        // Set while the limits were higher: a push that does not ask for validation is none the worse for it.
        if (error instanceof DomainError) return undefined
        throw error
      }
    },
    conflictOf(dataset, { upsert, version, updated_at }) {
      const set = settings.get(dataset)
      const own = set === undefined ? null : handlingOf(set)
      if (own !== null) return own
      return upsert && version === null && updated_at === null ? null : BY_DEFAULT
    },
    require(dataset, data, options) {
      const rule = rules.begin(dataset, options)
      const outcome = rule?.apply(data) ?? { json: data }
      if ('json' in outcome) return { data: outcome.json, growth: rule?.takeGrowth() }
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

function stepsOf({ transformations }: DatasetConfigured): unknown[] {
  return transformations === null ? [] : JSON.parse(transformations)
}
