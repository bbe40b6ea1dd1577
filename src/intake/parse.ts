import { JsonError, skipMembers, skipSpace, wholeValue } from '../kernel/json.ts'

/** Why one row is refused. */
export interface RowError {
  /** A stable code: INVALID_JSON, INVALID_UTF8, TOO_LONG, TOO_DEEP, MISSING_FIELD, INVALID_FIELD, UNKNOWN_FIELD, … */
  readonly code: string
  readonly field: string | null
  readonly message: string
  /** The value that is wrong, or its beginning. */
  readonly value?: string | null
  /** The row's data as it could be read, JSON text, when its original is something else. */
  readonly data?: string | null
  /** Where it was refused: parse unless said. */
  readonly stage?: 'validate' | 'transform' | 'destination'
}

/** A record's parts. `data` is a span in the parsed bytes: it is kept as it came, never built and written again. */
export interface ParsedRecord {
  id: string
  dataset: string | undefined
  op: 'upsert' | 'delete'
  dataStart: number
  dataEnd: number
  version: number | null
  updatedAt: string | null
}

const MAX_ID_BYTES = 512
const MAX_NAME = 200
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]([01]\d|2[0-3]):\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/
const FIELDS = ['id', 'data', 'op', 'dataset', 'metadata']

export interface RecordParser {
  /**
   * Reads the record in bytes[start, end), which must be valid UTF-8. The answer is one object, overwritten by the next
   * call. Throws a RowRefused.
   */
  parse(bytes: Buffer, start: number, end: number): ParsedRecord
}

/** Carries a RowError out of the parser. */
export class RowRefused extends Error {
  readonly row: RowError
  /** The record's id, if it was read before the fault was found. */
  readonly recordId: string | null
  constructor(row: RowError, recordId: string | null = null) {
    super(row.message)
    this.row = row
    this.recordId = recordId
  }
}

export function createRecordParser(maxDepth: number): RecordParser {
  const record: ParsedRecord = {
    id: '',
    dataset: undefined,
    op: 'upsert',
    dataStart: 0,
    dataEnd: 0,
    version: null,
    updatedAt: null,
  }
  let bytes: Buffer = Buffer.alloc(0)
  let hasId = false
  let hasData = false

  function onMember(keyStart: number, keyEnd: number, start: number, end: number): void {
    const name = stringAt(bytes, keyStart, keyEnd)
    if (name === 'id') {
      record.id = readName(bytes, start, end, 'id')
      hasId = true
    } else if (name === 'data') {
      hasData = true
      record.dataStart = start
      record.dataEnd = end
    } else if (name === 'op') {
      record.op = readOp(bytes, start, end)
    } else if (name === 'dataset') {
      record.dataset = readName(bytes, start, end, 'dataset')
    } else if (name === 'metadata') {
      readMetadata(bytes, start, end, record)
    } else {
      refuse(
        'UNKNOWN_FIELD',
        name.slice(0, 100),
        `"${name.slice(0, 100)}" is not a field of a record; those are ${FIELDS.join(', ')}`,
      )
    }
  }

  function read(start: number, end: number): ParsedRecord {
    const at = skipSpace(bytes, start, end)
    if (bytes[at] !== OPEN) {
      wholeValue(bytes, start, end, maxDepth)
      refuse('INVALID_FIELD', null, `a record is a JSON object, this is ${clip(bytes, at, end)}`)
    }
    const to = skipMembers(bytes, at, end, maxDepth, onMember)
    if (skipSpace(bytes, to, end) < end) throw new JsonError('expected the end of the line', to)
    if (!hasId) refuse('MISSING_FIELD', 'id', 'the record has no id')
    if (record.op === 'upsert' && !hasData) refuse('MISSING_FIELD', 'data', 'the record has no data')
    if (hasData && bytes[record.dataStart] !== OPEN && !(record.op === 'delete' && isNull(bytes, record.dataStart))) {
      refuse('INVALID_FIELD', 'data', `expected a JSON object, got ${clip(bytes, record.dataStart, record.dataEnd)}`)
    }
    return record
  }

  return {
    parse(newBytes, start, end) {
      bytes = newBytes
      hasId = false
      hasData = false
      record.dataset = undefined
      record.op = 'upsert'
      record.dataStart = 0
      record.dataEnd = 0
      record.version = null
      record.updatedAt = null
      // A stack for each bad row would cost more than all the rest of it.
      const frames = Error.stackTraceLimit
      Error.stackTraceLimit = 0
      try {
        return read(start, end)
      } catch (error) {
        if (error instanceof RowRefused) throw new RowRefused(error.row, hasId ? record.id : null)
        if (!(error instanceof JsonError)) throw error
        const deep = error.message.startsWith('nested too deep')
        const message = deep
          ? `nested deeper than ${maxDepth} levels`
          : error.message.replace(/\d+$/, String(error.at - start))
        throw new RowRefused(
          { code: deep ? 'TOO_DEEP' : 'INVALID_JSON', field: null, message },
          hasId ? record.id : null,
        )
      } finally {
        Error.stackTraceLimit = frames
      }
    },
  }
}

const OPEN = 123
const QUOTE = 34

function refuse(code: RowError['code'], field: string | null, message: string): never {
  throw new RowRefused({ code, field, message: field === null ? message : `${field}: ${message}` })
}

/** The string in bytes[start, end), quotes included. */
function stringAt(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start + 1, end - 1)
  return text.includes('\\') ? JSON.parse(`"${text}"`) : text
}

function readName(bytes: Buffer, start: number, end: number, field: string): string {
  if (bytes[start] !== QUOTE) refuse('INVALID_FIELD', field, `expected a string, got ${clip(bytes, start, end)}`)
  const name = stringAt(bytes, start, end)
  checkName(name, field)
  return name
}

/** Throws a RowRefused when a text cannot name a record or a data set. */
export function checkName(name: string, field: string): void {
  const max = field === 'id' ? MAX_ID_BYTES : MAX_NAME
  if (name === '') refuse('INVALID_FIELD', field, 'it is empty')
  if (name.length > max / 4 && Buffer.byteLength(name) > max)
    refuse('INVALID_FIELD', field, `it is longer than ${max} bytes`)
  if (name.includes('\0')) refuse('INVALID_FIELD', field, 'it has a NUL character')
  if (!name.isWellFormed()) refuse('INVALID_FIELD', field, 'it has half a surrogate pair')
}

function readOp(bytes: Buffer, start: number, end: number): 'upsert' | 'delete' {
  const op = bytes[start] === QUOTE ? stringAt(bytes, start, end) : ''
  if (op === 'upsert' || op === 'delete') return op
  return refuse('INVALID_FIELD', 'op', `expected "upsert" or "delete", got ${clip(bytes, start, end)}`)
}

function readMetadata(bytes: Buffer, start: number, end: number, record: ParsedRecord): void {
  if (bytes[start] !== OPEN) refuse('INVALID_FIELD', 'metadata', `expected an object, got ${clip(bytes, start, end)}`)
  record.version = null
  record.updatedAt = null
  skipMembers(bytes, start, end, Number.MAX_SAFE_INTEGER, (keyStart, keyEnd, from, to) => {
    const name = stringAt(bytes, keyStart, keyEnd)
    if (isNull(bytes, from)) return
    if (name === 'version') record.version = readVersion(bytes, from, to)
    else if (name === 'updated_at') record.updatedAt = readTime(bytes, from, to)
    else refuse('UNKNOWN_FIELD', `metadata.${name.slice(0, 100)}`, 'metadata has the fields updated_at and version')
  })
}

function readVersion(bytes: Buffer, start: number, end: number): number {
  const version = Number(bytes.toString('utf8', start, end))
  if (Number.isSafeInteger(version) && version >= 0) return version
  return refuse('INVALID_FIELD', 'metadata.version', `expected a whole number from 0, got ${clip(bytes, start, end)}`)
}

function readTime(bytes: Buffer, start: number, end: number): string {
  const text = bytes[start] === QUOTE ? stringAt(bytes, start, end) : ''
  if (RFC3339.test(text) && !Number.isNaN(Date.parse(text)) && hasDay(text.slice(0, 10))) return text
  return refuse('INVALID_FIELD', 'metadata.updated_at', `expected an RFC 3339 time, got ${clip(bytes, start, end)}`)
}

/** Whether the calendar has this day: Date.parse takes the 30th of February for the 1st of March. */
function hasDay(date: string): boolean {
  return date.slice(8) <= '28' || new Date(date).toISOString().startsWith(date)
}

function isNull(bytes: Buffer, start: number): boolean {
  return bytes[start] === 110
}

function clip(bytes: Buffer, start: number, end: number): string {
  return end - start > 60 ? `${bytes.toString('utf8', start, start + 60)}…` : bytes.toString('utf8', start, end)
}
