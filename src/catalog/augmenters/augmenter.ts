import type { z } from 'zod'
import type { Chance } from '../../kernel/chance.ts'
import type { Pattern } from '../patterns.ts'
import type { Facts } from './columns.ts'
import type { Translator } from './translators/translator.ts'

/** Why no row was made. */
export type Reason =
  /** None of the columns that may be changed has anything in it that this strategy could change. */
  | 'nothing_to_change'
  /** What came out is what went in. */
  | 'unchanged'
  /** What came out has been made before. */
  | 'duplicate'
  /** What came out lacks a number, a name or a protected term, or has one too many. */
  | 'numbers_differ'
  | 'names_differ'
  | 'protected_differ'
  /** What came out is much shorter or longer than what went in. */
  | 'length_differs'
  /** The translator gave no answer, however often it was asked. */
  | 'translation_failed'
  /** The row would be longer than rows may be. */
  | 'too_long'

/** What came of one value: another text, or why not. */
export type Changed = { readonly text: string } | { readonly refused: Reason }

/** What is the same for all rows that are augmented together. */
export interface Setting {
  /** Terms that stay as they are, wherever they stand in a text. */
  readonly protect: readonly Pattern[]
  /** Words that may stand for one another, the user's own: by word, in lower case. */
  readonly dictionary: ReadonlyMap<string, readonly string[]>
  /** What is known of the columns. */
  readonly facts: Facts
  /** Null where none is configured. */
  readonly translator: Translator | null
}

export interface Example<Given> {
  readonly about: string
  readonly config: Given
  /** One column's value, a text or the JSON text of a number, and what comes of it with seed 1; the refusal otherwise. */
  readonly input: string
  readonly output: string | { readonly refused: Reason }
  readonly protect?: readonly string[]
  readonly dictionary?: Readonly<Record<string, readonly string[]>>
  /** For numbers: the other values of the column. */
  readonly column?: readonly string[]
  /** What the translator answers in an example, by what it is asked. */
  readonly translations?: Readonly<Record<string, string>>
}

/**
 * A strategy that users may choose. To add one: a file here with such an object, and a line in index.ts. The examples are
 * its tests, and the configuration's schema checks requests.
 */
export interface Augmenter<Config = unknown, Given = Config> {
  readonly name: string
  /** One sentence for whoever chooses. */
  readonly summary: string
  /** Which columns it changes, and whether it needs a translator (TRANSLATE_URL). */
  readonly changes: 'texts' | 'numbers'
  readonly needs: 'translator' | null
  readonly config: z.ZodType<Config, Given>
  readonly examples: readonly Example<Given>[]
  /**
   * Makes a configuration ready, once. The function it gives back changes one value: what a text says, or a number as it
   * is written. All its choices come from `chance`.
   */
  compile(config: Config, setting: Setting): Change
}

export type Change = (value: string, column: string, chance: Chance) => Changed | Promise<Changed>

/** Types the parts of an augmenter by its schema. */
export function augmenter<Config, Given>(entry: Augmenter<Config, Given>): Augmenter<Config, Given> {
  return entry
}

export const NOTHING: Changed = { refused: 'nothing_to_change' }
