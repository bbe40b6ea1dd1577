import { z } from 'zod'
import { DomainError, type ErrorDetail, invalid } from '../../kernel/errors.ts'
import { compilePattern, type Pattern } from '../patterns.ts'
import type { Augmenter } from './augmenter.ts'
import type { Told } from './columns.ts'

/** What the operator sets; see src/config.ts. */
export interface AugmentLimits {
  /** Highest multiplier. */
  readonly multiplier: number
  /** Longest row that may be made, in UTF-16 units of its JSON text. */
  readonly rowLength: number
  /** Most made rows that are remembered so that none is made twice. */
  readonly remembered: number
}

/** What a user asks for, found right. */
export interface Request {
  readonly strategies: readonly { readonly entry: Augmenter; readonly config: unknown }[]
  readonly multiplier: number
  readonly preserveLabels: boolean
  readonly labels: readonly string[] | undefined
  readonly texts: readonly string[] | undefined
  readonly protect: readonly Pattern[]
  readonly dictionary: ReadonlyMap<string, readonly string[]>
}

const MAX_STRATEGIES = 20
const MAX_COLUMNS = 1000
const MAX_PROTECTED = 100
const MAX_ENTRIES = 20_000
const MAX_OTHERS = 100
const MAX_WORD = 200

const word = z.string().trim().min(1).max(MAX_WORD)
const columns = z.array(z.string().min(1)).min(1).max(MAX_COLUMNS)

const shapeFor = (limits: AugmentLimits) =>
  z.strictObject({
    strategies: z
      .array(
        z.union([z.string(), z.strictObject({ type: z.string(), config: z.unknown().optional() })], {
          error: 'expected its name, or {"type": its name, "config": {…}}',
        }),
      )
      .min(1)
      .max(MAX_STRATEGIES),
    multiplier: z.int().min(2).max(limits.multiplier).default(2),
    preserve_labels: z.boolean().default(true),
    label_columns: columns.optional(),
    text_columns: columns.optional(),
    protect: z.array(z.string().min(1)).max(MAX_PROTECTED).default([]),
    dictionary: z
      .record(word, z.array(word).max(MAX_OTHERS))
      .refine(entries => Object.keys(entries).length <= MAX_ENTRIES, `expected at most ${MAX_ENTRIES} entries`)
      .default({}),
  })

/**
 * Reads a request's `augmentation`. Throws a VALIDATION_ERROR with a detail for each fault, whose field begins with
 * `field`; strategies that are not known, or need a translator when there is none, are faults of `<field>.strategies`.
 */
export function readRequest(
  given: unknown,
  field: string,
  limits: AugmentLimits,
  catalog: readonly Augmenter[],
  hasTranslator: boolean,
): Request {
  const { success, data, error } = shapeFor(limits).safeParse(given)
  if (!success) throw faulty(detailsOf(error, field))
  const strategies = data.strategies.map((each, index) => {
    const { type, config } = typeof each === 'string' ? { type: each, config: undefined } : each
    const entry = catalog.find(({ name }) => name === type)
    if (!entry) {
      const known = catalog.map(({ name }) => name).join(', ')
      throw invalid(`${field}.strategies`, `"${type.slice(0, 60)}" is none of ${known}`)
    }
    if (entry.needs === 'translator' && !hasTranslator)
      throw invalid(`${field}.strategies`, `${type} needs a translator: TRANSLATE_URL is not set`)
    const read = entry.config.safeParse(config ?? {})
    if (!read.success) throw faulty(detailsOf(read.error, `${field}.strategies.${index}.config`))
    return { entry, config: read.data }
  })
  return {
    strategies,
    multiplier: data.multiplier,
    preserveLabels: data.preserve_labels,
    labels: data.label_columns,
    texts: data.text_columns,
    protect: data.protect.map((source, index) => patternAt(source, `${field}.protect.${index}`)),
    dictionary: new Map(Object.entries(data.dictionary).map(([key, others]) => [key.toLowerCase(), others])),
  }
}

/** What a request says of columns, for `lookAtColumns().facts`. */
export function toldBy({ preserveLabels, labels, texts }: Request): Told {
  return { labels: preserveLabels ? labels : [], texts }
}

function patternAt(source: string, field: string): Pattern {
  try {
    return compilePattern(source, 'u')
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    throw invalid(field, error.message)
  }
}

function detailsOf(error: z.ZodError, at: string): ErrorDetail[] {
  return error.issues.map(({ path, message, code, ...more }) => {
    // An unknown key is named by its own path, not by that of the object around it.
    const keys = code === 'unrecognized_keys' ? (more as unknown as { keys: string[] }).keys.slice(0, 1) : []
    return { field: [at, ...path, ...keys].map(String).filter(Boolean).join('.'), message }
  })
}

function faulty(details: readonly ErrorDetail[]): DomainError {
  const [{ field, message }] = details as [ErrorDetail]
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details })
}
