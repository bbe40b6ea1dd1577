import { DomainError, invalid } from '../../kernel/errors.ts'
import { JsonError, type Span, skipElements, skipMembers, skipSpace } from '../../kernel/json.ts'

/** The body of a batch push: its settings, and where its records stand in the bytes. */
export interface Batch {
  source: string | undefined
  dataset: string | undefined
  records: Span[]
  upsert: boolean
  validate: boolean
  transform: boolean
  ack: 'durable' | 'projected'
}

/**
 * Reads a batch's body without building its records, which stay the bytes they are. Throws VALIDATION_ERROR when the
 * body as a whole is wrong; a record that is wrong is for the intake to refuse.
 */
export function readBatch(bytes: Buffer, maxRecords: number): Batch {
  try {
    return read(bytes, maxRecords)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new DomainError('VALIDATION_ERROR', `the body is not JSON: ${error.message}`)
  }
}

function read(bytes: Buffer, maxRecords: number): Batch {
  const batch: Batch = {
    source: undefined,
    dataset: undefined,
    records: [],
    upsert: true,
    validate: true,
    transform: true,
    ack: 'durable',
  }
  const start = skipSpace(bytes, 0, bytes.length)
  if (bytes[start] !== 123)
    throw new DomainError('VALIDATION_ERROR', 'the body must be a JSON object with the field records')
  let found = false
  // Records may be nested deeper here than they may be: one that is nested too deep is refused by itself.
  const end = skipMembers(bytes, start, bytes.length, ANY_DEPTH, (keyStart, keyEnd, from, to) => {
    const name: string = JSON.parse(bytes.toString('utf8', keyStart, keyEnd))
    if (name === 'records') {
      found = true
      batch.records = recordSpans(bytes, from, maxRecords)
    } else if (name === 'source' || name === 'dataset') {
      batch[name] = stringMember(bytes, name, from, to)
    } else if (name === 'options') {
      readOptions(JSON.parse(bytes.toString('utf8', from, to)), batch)
    } else {
      throw invalid(
        name.slice(0, 100),
        'this field is not known here; a batch has source, dataset, records and options',
      )
    }
  })
  if (skipSpace(bytes, end, bytes.length) < bytes.length) throw new JsonError('expected the end of the body', end)
  if (!found) throw invalid('records', 'is missing')
  if (batch.records.length === 0) throw invalid('records', 'is empty')
  return batch
}

/** As deep as the stack allows; past it the body is refused. */
const ANY_DEPTH = 2000

function recordSpans(bytes: Buffer, start: number, maxRecords: number): Span[] {
  if (bytes[start] !== 91) throw invalid('records', 'expected an array')
  const records: Span[] = []
  skipElements(bytes, start, bytes.length, ANY_DEPTH, (from, to) => {
    if (records.length === maxRecords) {
      const message = `records: more than ${maxRecords} in one batch; use /push/stream for more`
      throw new DomainError('PAYLOAD_TOO_LARGE', message)
    }
    records.push({ start: from, end: to })
  })
  return records
}

function stringMember(bytes: Buffer, name: string, start: number, end: number): string {
  const value: unknown = JSON.parse(bytes.toString('utf8', start, end))
  if (typeof value === 'string') return value
  throw invalid(name, 'expected a string')
}

function readOptions(options: unknown, batch: Batch): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalid('options', 'expected an object')
  for (const [name, value] of Object.entries(options)) {
    const field = `options.${name.slice(0, 100)}`
    if (name === 'ack') {
      if (value !== 'durable' && value !== 'projected') throw invalid(field, 'expected durable or projected')
      batch.ack = value
    } else if (name === 'upsert' || name === 'validate' || name === 'transform') {
      if (typeof value !== 'boolean') throw invalid(field, 'expected true or false')
      batch[name] = value
    } else {
      throw invalid(field, 'this field is not known here; options are upsert, validate, transform and ack')
    }
  }
}
