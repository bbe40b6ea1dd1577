import { z } from 'zod'

/** Bounds that the operator sets; see src/config.ts. */
export interface TransformationLimits {
  /** Most transformations in one list. */
  readonly transformations: number
  /** Longest row that may come out, in UTF-16 units of its JSON text. */
  readonly rowLength: number
  /** Milliseconds that `compute` may take for one row. */
  readonly computeMs: number
  /** Most keys that one `dedupe` remembers. */
  readonly dedupeKeys: number
}

/** A row under way. Values stay JSON text: what a step does not touch comes out to the last digit. */
export interface Row {
  /** Name to value, in order. A step changes this map or puts another in its place. */
  fields: Map<string, string>
}

export type RefusalCode =
  /** A field that the configuration wants is not there. */
  | 'MISSING_FIELD'
  /** A value cannot become what it should. */
  | 'INVALID_VALUE'
  /** Two fields would get one name. */
  | 'FIELD_EXISTS'
  /** The row would become longer than rows may be. */
  | 'TOO_LONG'
  /** A number has more digits than the expression can reckon with. */
  | 'INEXACT_NUMBER'
  /** The expression failed on this row. */
  | 'COMPUTE_FAILED'
  /** The expression took too much time, memory or depth for this row. */
  | 'COMPUTE_LIMIT'

/** Why a step cannot take a row. `field` is a top-level field of the row as the step sees it. */
export interface Refusal {
  readonly code: RefusalCode
  readonly field: string | null
  readonly message: string
}

/** What a step did: changed the row, left it as it is, threw it out on purpose, or could not take it. */
export type Done = 'changed' | 'same' | 'dropped' | Refusal

/** One configured transformation within one run. Never throws because of a row. */
export type Step = (row: Row) => Done

/** A configuration and what it makes of a row; both are JSON texts because a test of digits must be. */
export interface Example<Config> {
  readonly about: string
  readonly config: Config
  readonly input: string
  /** The row that comes out, null when it is dropped, or the refusal. */
  readonly output: string | null | { readonly refused: RefusalCode; readonly field: string | null }
}

/**
 * A transformation that users may choose. To add one: a file here with such an object, and a line in index.ts. The
 * examples are its tests, and the configuration's schema checks requests.
 */
export interface Transformation<Config = unknown, Given = Config> {
  readonly name: string
  /** One sentence for whoever chooses. */
  readonly summary: string
  /** What may happen to a row besides being changed, and whether earlier rows of the run matter. */
  readonly can: { readonly drop: boolean; readonly refuse: boolean; readonly remember: boolean }
  /** Fields of the configuration that nobody may read back. */
  readonly secrets?: readonly string[]
  readonly config: z.ZodType<Config, Given>
  readonly examples: readonly Example<Given>[]
  /**
   * Makes a configuration ready, once; the function it gives back starts a run. Throws a VALIDATION_ERROR whose field
   * is within the configuration.
   */
  compile(config: Config, limits: TransformationLimits): () => Step
}

/** Types the parts of a transformation by its schema. */
export function transformation<Config, Given>(entry: Transformation<Config, Given>): Transformation<Config, Given> {
  return entry
}

const MAX_FIELDS = 1000

/** A field's name in a configuration. */
export const fieldName = z.string().max(500)
/** A list of them. */
export const fieldNames = z.array(fieldName).min(1).max(MAX_FIELDS)

/** An object from field names to something. */
export function byField<Value extends z.ZodType>(value: Value) {
  return z.record(fieldName, value).refine(fields => {
    const count = Object.keys(fields).length
    return count > 0 && count <= MAX_FIELDS
  }, `expected from 1 to ${MAX_FIELDS} fields`)
}
