import { createSchemaCache, type SchemaLimits, type Validator } from '../catalog/schemas/compile.ts'
import { CONVERSIONS } from '../catalog/transformations/cast-values.ts'
import {
  compileTransformations,
  type RefusalCode,
  type Transform,
  type TransformationLimits,
} from '../catalog/transformations/index.ts'
import {
  type Check,
  CONTRACTS,
  DEFAULT_CONTRACT,
  decideRow,
  type SchemaContract,
  schemaFor,
  type Violation,
} from '../domain/contract.ts'
import { columnsOf, isObject, type JsonSchema, typesOf } from '../domain/schema.ts'
import { invalid } from '../kernel/errors.ts'
import { membersOf, objectText, typeOf } from '../kernel/members.ts'
import { shownAt } from './refusals.ts'

/** What a data set asks of its rows, as PUT /datasets takes it; null or undefined where it asks nothing. */
export interface DatasetRules {
  readonly schema?: unknown
  readonly schema_contract?: unknown
  readonly transformations?: unknown
}

export interface RulesLimits extends TransformationLimits, SchemaLimits {
  /** Most columns of a schema that evolves. */
  readonly schemaColumns: number
}

/** Why a row does not come in. `field` is a top-level field under transform, a JSON pointer under validate. */
export interface RowRefusal {
  readonly stage: 'transform' | 'validate'
  readonly code: RefusalCode | 'SCHEMA_VIOLATION' | 'SCHEMA_TOO_COSTLY'
  readonly field: string | null
  readonly message: string
  /** What stands there, cut, where that is to blame. */
  readonly value?: string | null
}

export type RowOutcome =
  /** The row's data as it goes on. */
  | { readonly json: string }
  /** A transformation left it out on purpose: it is neither accepted nor rejected. */
  | { readonly dropped: true }
  /** It goes to /rejected. */
  | { readonly refused: RowRefusal }
  /** schema_contract is freeze: nothing of the push it came with may come in. */
  | { readonly frozen: RowRefusal }

/** The rules within one push or run. */
export interface RowRun {
  /** Takes `data`, the JSON text of an object that has been checked. Never throws because of a row. */
  row(json: string): RowOutcome
  /** What the schema has become, under evolve; undefined while it is as it was. Join it with the data set's. */
  readonly evolved: JsonSchema | undefined
}

export interface RunOptions {
  /** Check rows against the schema, after they were transformed. */
  readonly validate: boolean
  readonly transform: boolean
  /** Rows of a format that has only text (csv): numbers, true and false are read as the schema has its columns. */
  readonly textOnly?: boolean
}

export interface RowRules {
  /** Starts a push or a run; undefined when there is nothing to do with its rows. */
  start(options: RunOptions): RowRun | undefined
}

/** Compiles rules; keep one for a process, it remembers the schemas it compiled. */
export type CompileRules = (rules: DatasetRules) => RowRules

/** After so many rows that a schema has outgrown its validator by, it gets another one. */
const ROWS_OUTGROWN = 1000
/** What a contract adds to a schema, in characters, with room to spare. */
const CONTRACT_LENGTH = 100

/**
 * Throws a VALIDATION_ERROR with a detail for each fault; fields begin with schema, schema_contract or transformations.
 */
export function createRowRules(limits: RulesLimits, compileSchema = createSchemaCache(limits)): CompileRules {
  return ({ schema, schema_contract, transformations }) => {
    const contract = contractOf(schema_contract)
    if (schema != null && !isObject(schema)) throw invalid('schema', 'expected a JSON Schema, which is an object')
    const given = schema == null ? undefined : schema
    if (given) compileSchema(schemaFor(contract, given), 'schema')
    const starts =
      transformations == null ? undefined : compileTransformations(transformations, 'transformations', limits)
    const hasSteps = Array.isArray(transformations) && transformations.length > 0
    return {
      start({ validate, transform, textOnly }) {
        const steps = transform && hasSteps ? starts!() : undefined
        const read = validate && textOnly && given ? textReader(given) : undefined
        const judge =
          validate && (given || contract === 'evolve')
            ? startJudge(contract, given ?? {}, limits, readAs => compileSchema(readAs, 'schema'))
            : undefined
        if (!steps && !judge) return undefined
        return {
          row: json => takeRow(json, steps, read, judge),
          get evolved() {
            return judge?.evolved
          },
        }
      },
    }
  }
}

function contractOf(given: unknown): SchemaContract {
  if (given == null) return DEFAULT_CONTRACT
  const contract = CONTRACTS.find(each => each === given)
  if (contract) return contract
  throw invalid('schema_contract', `expected one of ${CONTRACTS.join(', ')}`)
}

function takeRow(
  json: string,
  transform: Transform | undefined,
  read: ((json: string) => string) | undefined,
  judge: Judge | undefined,
): RowOutcome {
  let outcome: RowOutcome = { json }
  if (transform) {
    const transformed = transform(json)
    if ('dropped' in transformed) return transformed
    if ('refused' in transformed) {
      const { code, field, message } = transformed.refused
      return { refused: { stage: 'transform', code, field, message } }
    }
    outcome = transformed
  }
  if (!judge) return outcome
  return judge.row(read ? read(outcome.json) : outcome.json)
}

interface Judge {
  row(json: string): RowOutcome
  readonly evolved: JsonSchema | undefined
}

function startJudge(
  contract: SchemaContract,
  schema: JsonSchema,
  { schemaColumns, schemaLength }: RulesLimits,
  compile: (schema: JsonSchema) => Validator,
): Judge {
  let validator = compile(schemaFor(contract, schema))
  let evolved: JsonSchema | undefined
  let outgrown = 0
  const check: Check = json => {
    const violations = validator(json)
    if (violations) outgrown++
    return violations
  }

  /** Takes over what a row made of the schema. Compiling for each of a thousand new columns would take seconds. */
  function evolve(next: JsonSchema): void {
    if (JSON.stringify(next).length <= schemaLength - CONTRACT_LENGTH) evolved = next
  }

  return {
    get evolved() {
      return evolved
    },
    row(json) {
      const verdict = decideRow(contract, evolved ?? schema, json, check, schemaColumns)
      if (verdict.is !== 'taken') {
        const refusal = refusalOf(verdict.violations, json)
        return verdict.is === 'frozen' ? { frozen: refusal } : { refused: refusal }
      }
      if (verdict.schema) evolve(verdict.schema)
      if (evolved && outgrown >= ROWS_OUTGROWN) {
        validator = compile(schemaFor(contract, evolved))
        outgrown = 0
      }
      return { json: verdict.json }
    },
  }
}

/** The refusal of a row, whose text is `json`, with the value that is to blame. */
function refusalOf(violations: readonly Violation[], json: string): RowRefusal {
  const { pointer, keyword, message } = violations[0]!
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : ''
  const where = pointer === '' ? 'the row' : pointer
  const code = keyword === 'work' ? 'SCHEMA_TOO_COSTLY' : 'SCHEMA_VIOLATION'
  return {
    stage: 'validate',
    code,
    field: pointer,
    message: `${where}: ${message}${more}`,
    value: shownAt(json, pointer),
  }
}

/** Text that a column of another type can be read from, by that type; a column that may be text stays as it is. */
function textReader(schema: JsonSchema): (json: string) => string {
  const reads = new Map<string, (value: string) => string | undefined>()
  for (const [name, column] of Object.entries(columnsOf(schema))) {
    const types = typesOf(column)
    const type = (['integer', 'number', 'boolean'] as const).find(each => types?.has(each))
    if (type && !types!.has('string')) reads.set(name, CONVERSIONS[types!.has('number') ? 'number' : type])
  }
  return json => {
    const row = membersOf(json)
    let changed = false
    for (const [name, read] of reads) {
      const value = row.get(name)
      const made = value !== undefined && typeOf(value) === 'string' ? read(value) : undefined
      if (made === undefined) continue
      row.set(name, made)
      changed = true
    }
    return changed ? objectText(row) : json
  }
}
