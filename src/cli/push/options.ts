import { statSync } from 'node:fs'
import { invalid } from '../../kernel/errors.ts'
import type { Given } from '../command.ts'

export const FORMATS = ['ndjson', 'csv', 'json', 'parquet', 'excel']
/** Bytes of one request. */
export const CHUNK_BYTES = 16_777_216

export const OPTIONS = {
  dataset: { value: 'D', about: 'the data set; the source unless said' },
  source: { value: 'S', about: 'where it comes from; the client unless said' },
  format: { value: 'F', about: `${FORMATS.join(', ')}; by the name and the content of the file unless said` },
  upsert: { value: 'false', about: 'rows whose id is there already are refused' },
  validate: { value: 'false', about: "rows are not held against the data set's schema" },
  transform: { value: 'false', about: "the data set's transformations are left out" },
  ack: { value: 'projected', about: 'ndjson: wait until reads see it; durable unless said' },
  skip: { value: 'LINES', about: 'ndjson: so many lines at the beginning are in already' },
  'request-bytes': { value: 'N', about: `ndjson: bytes of one request, ${CHUNK_BYTES} unless said` },
  'id-column': { value: 'C', about: 'files: the column that has the id' },
  options: { value: 'JSON', about: 'files: options of the format, as \'{"delimiter": ";"}\'' },
} as const

export type Options = Given<typeof OPTIONS>

/** What lines alone take, and what files that are uploaded do. */
const OF_LINES = ['ack', 'skip', 'request-bytes'] as const
const OF_FILES = ['id-column', 'options'] as const

/** Throws VALIDATION_ERROR for an option that would do nothing. */
export function requireFitting(options: Options, lines: boolean): void {
  const wrong = (lines ? OF_FILES : OF_LINES).find(name => options[name] !== undefined)
  if (wrong === undefined) return
  const [goes, takes] = lines
    ? ['as ndjson, line by line', 'a file that is uploaded']
    : ['as a file that is uploaded', 'ndjson']
  throw invalid(`--${wrong}`, `this goes ${goes}; only ${takes} takes it. --format says which it is`)
}

/** Throws VALIDATION_ERROR where there is no such file. */
export function requireFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) throw invalid(file, 'there is no such file')
  if (found.isDirectory()) throw invalid(file, 'it is a directory')
}
