import type { z } from 'zod'
import { DomainError } from '../../kernel/errors.ts'

/**
 * A file format: how the bytes of a file on disk become rows. A row is the JSON text of one object, so that no value
 * ever passes through a JavaScript number: 2^63, 0.10 and 1.0 come out as they went in.
 *
 * The laws, held by test/catalog/formats/contract.ts for every format:
 * 1. Rows go to the sink in the order of the file, numbered from 1 without a gap; a refused row has a number too.
 * 2. The same file, options and limits give the same rows under the same numbers, in every reading. So reading `after` a
 *    number goes on exactly where another reading stopped.
 * 3. One bad row is refused and the others go in. When it cannot be known any more where rows begin and end, the reading
 *    fails with a FileDamaged, after all rows before that place went to the sink.
 * 4. Whatever the bytes are, a reading ends with rows, refusals and at most one FileDamaged: no other error, no hang.
 * 5. What is held at once is bounded by the limits and not by the file, nor by anything the file claims about itself.
 * 6. The sink's promises are awaited one by one: a slow sink slows the reading down.
 * 7. Nothing is written anywhere and nothing but the given file is opened.
 */
export interface Format<Options extends z.ZodObject = z.ZodObject> extends FormatReader<z.output<Options>> {
  readonly name: string
  readonly summary: string
  /** Endings of file names, with the dot, in lower case. */
  readonly extensions: readonly string[]
  /** What a caller may set, as a strictObject in which every field has a default. */
  readonly options: Options
  /** Small files with what they give. They are shown to users, and are tests. */
  readonly examples: readonly Example[]
  /** Whether a file that begins with `head` (HEAD_BYTES, or all of a smaller file) has this format, by its content. */
  recognises(head: Buffer): boolean
}

/**
 * How a file of the format is read: `reader.ts` in the format's folder, which a thread loads without what checks options.
 */
export interface FormatReader<Options = Readonly<Record<string, unknown>>> {
  /**
   * Reads the file and answers how many rows it has, refused ones included.
   * `options` are those that `checkOptions` answered. Fails with FileDamaged, with an invalid option that only the file
   * can tell (a sheet that is not there), or with the reason of `control.signal`, which is looked at at least once for
   * each CHUNK_BYTES of the file.
   */
  read(file: string, options: Options, sink: RowSink, control: ReadControl): Promise<number>
  /**
   * How many rows `read` would answer, by the cheapest way that is true. Fails as `read` does, except for what only the
   * values can tell: parquet's footer is checked and its pages are not looked at.
   */
  count(file: string, options: Options, control: ReadControl): Promise<number>
}

export interface RowSink {
  /**
   * A row: the JSON text of an object, at most `limits.maxRowBytes` in UTF-8. `from` and `to` are where it stands in the
   * file, in bytes, for a format in which it is something else there than that text.
   */
  row(number: number, json: string, from?: number, to?: number): void | Promise<void>
  /**
   * A row that cannot be taken. `original` is the row as the file has it, or its first `limits.maxRowBytes`; where a
   * format has no bytes for a row (parquet, excel), its JSON text as far as it could be read. `originalBytes` is the
   * length of all of it. The buffer is the sink's to keep.
   */
  refuse(number: number, refusal: Refusal, original: Buffer, originalBytes: number): void | Promise<void>
}

export interface Refusal {
  readonly code: RefusalCode
  /** The column that is at fault, where there is one. */
  readonly column: string | null
  /** What stands there, cut to SHOWN_CHARS. */
  readonly value: string | null
  readonly message: string
}

export type RefusalCode =
  /** More or fewer cells than there are columns. */
  | 'RAGGED_ROW'
  /** Bytes that mean nothing in the file's encoding. */
  | 'INVALID_ENCODING'
  /** Text after the quote that closes a cell. */
  | 'INVALID_QUOTES'
  /** Longer than `maxRowBytes`. */
  | 'TOO_LONG'
  /** Nested deeper than `maxDepth`. */
  | 'TOO_DEEP'
  /** JSON, but not an object. */
  | 'NOT_AN_OBJECT'
  /** A line that is not JSON. */
  | 'INVALID_JSON'
  /** A value that its declared type does not have. */
  | 'INVALID_VALUE'

export interface ReadControl {
  readonly limits: FormatLimits
  /** Rows up to this number are passed over: they are counted and not built. 0 by default. */
  readonly after?: number
  readonly signal?: AbortSignal
  /** Told what the reader found out or decided by itself: encoding, delimiter, columns it had to rename. */
  readonly onNotice?: (notice: string) => void
  /** Told the names of the columns before the first row, by a format in which all rows have the same. */
  readonly onColumns?: (names: readonly string[]) => void
}

/** The bounds of a reading. Every one of them holds for any file, whatever it says about itself. */
export interface FormatLimits {
  /** Longest row: its bytes in a text file, and its JSON text in every format. A longer one is refused. */
  readonly maxRowBytes: number
  /** Most columns. A file with more is damaged for us. */
  readonly maxColumns: number
  /** Deepest nesting of objects and arrays in a row. A deeper row is refused, a deeper parquet schema is damage. */
  readonly maxDepth: number
  /** Most bytes held at once beside the row: parquet's pages and dictionaries, excel's shared strings. More is damage. */
  readonly maxHeldBytes: number
  /**
   * A compressed file may grow to `maxInflatedBytes`, or to `maxGrowth` times its own size where that is more: the
   * inflated parts of excel, the rows of parquet. A file that goes on growing is a bomb, which is damage.
   */
  readonly maxInflatedBytes: number
  readonly maxGrowth: number
}

/** How much of a file's beginning `recognises` wants to see. */
export const HEAD_BYTES = 65_536
export const SHOWN_CHARS = 200

export interface Example {
  readonly name: string
  /** The file: text, or bytes in base64. */
  readonly input: string | { readonly base64: string }
  readonly options: Readonly<Record<string, unknown>>
  /** The JSON text of each row that is taken. */
  readonly rows: readonly string[]
  readonly refusals?: readonly { readonly row: number; readonly code: RefusalCode; readonly column?: string }[]
  /** A piece of the message of the FileDamaged that ends it. */
  readonly damage?: string
}

/** The file cannot be read on. What was read before this went to the sink. */
export class FileDamaged extends DomainError {
  /** The row in which it was met, 0 when it is not in a row. All rows before it went to the sink. */
  readonly row: number
  /** Where in the file, when that is known. */
  readonly byte: number | undefined

  constructor(what: string, at: { row: number; byte?: number; cause?: unknown }) {
    const place = at.byte === undefined ? '' : ` at byte ${at.byte}`
    super('VALIDATION_ERROR', `${what}${place}${at.row > 0 ? `, in row ${at.row}` : ''}`)
    this.name = 'FileDamaged'
    this.row = at.row
    this.byte = at.byte
    if (at.cause !== undefined) this.cause = at.cause
  }
}

/** A text cut to what a refusal shows. */
export function shown(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text
}

/** A refusal for a row, or its JSON text, of `bytes` where `limits.maxRowBytes` are allowed. */
export function tooLong(bytes: number, limits: FormatLimits, what = 'the row'): Refusal {
  const message = `${what} has ${bytes} bytes, more than ${limits.maxRowBytes}`
  return { code: 'TOO_LONG', column: null, value: null, message }
}

/** Declares a format: checks its options against its own schema at compile time. */
export function defineFormat<Options extends z.ZodObject>(format: Format<Options>): Format {
  return format as unknown as Format
}

/** The options for `read`, checked and completed. Throws a VALIDATION_ERROR that names the field, as `options.sheet`. */
export function checkOptions(format: Format, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result = format.options.safeParse(given)
  if (result.success) return result.data
  const details = result.error.issues.flatMap(issue => {
    const path = ['options', ...issue.path]
    if (issue.code !== 'unrecognized_keys') return [{ field: path.join('.'), message: issue.message }]
    return issue.keys.map(key => ({ field: [...path, key].join('.'), message: `${format.name} has no such option` }))
  })
  const message = details.map(({ field, message }) => `${field}: ${message}`).join('; ')
  throw new DomainError('VALIDATION_ERROR', `${format.name}: ${message}`, { details })
}
