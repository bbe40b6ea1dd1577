import { isAscii, isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { JsonError, type Span, skipMembers, skipSpace, skipValue } from '../../../kernel/json.ts'
import { textAt } from '../../../kernel/record-id.ts'
import { type FormatLimits, type Refusal, shown, tooLong } from '../../formats/format.ts'
import type { PulledRow } from '../connector.ts'
import { endOfRow, isTooDeep } from './body.ts'

/** A row of an answer; `field`: the JSON text of the field that is looked for in it. */
export interface AnswerRow {
  readonly row: PulledRow
  readonly field: string | undefined
}

/** Hands out the rows of one answer, in order, a few at a time. */
export interface RowReader {
  /** How many were handed out or passed over. */
  readonly done: number
  readonly ended: boolean
  /** The next rows: as many as there may be, or fit into so many bytes; at least one if there is one. */
  take(mostRows: number, mostBytes: number): AnswerRow[]
  /** Passes over rows; answers false when there are not so many. */
  skip(rows: number): boolean
  /** A fingerprint of all rows up to here. */
  hash(): string
}

interface Reading {
  readonly limits: FormatLimits
  /** A top-level field, or a JSON pointer, whose value is wanted of each row. */
  readonly field: string | undefined
}

const [OBJECT, ARRAY, ARRAY_END, COMMA] = [123, 91, 93, 44]
const HASH_CHARS = 22
const SHOWN_BYTES = 1000
const NOTHING: Span = { start: 0, end: 0 }

/** `data` is what data_path leads to in `bytes`, which were scanned: an array of rows, or an object that is the only one. */
export function createRowReader(bytes: Buffer, data: Span = NOTHING, { limits, field }: Reading): RowReader {
  const { start: first, end } = data
  const isArray = bytes[first] === ARRAY
  const ascii = isAscii(bytes)
  const allUtf8 = ascii || isUtf8(bytes)
  const text = (from: number, to: number) => bytes.toString(ascii ? 'latin1' : 'utf8', from, to)
  const name = field === undefined || field.startsWith('/') ? undefined : Buffer.from(JSON.stringify(field))
  let at = isArray ? skipSpace(bytes, first + 1, end) : first
  let ended = at >= end || bytes[at] === ARRAY_END || (!isArray && bytes[at] !== OBJECT)
  let done = 0
  const digest = createHash('sha256')
  let hashed = at
  let [fieldStart, fieldEnd] = [0, 0]

  function onMember(keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void {
    if (!isName(bytes, keyStart, keyEnd, name!, field!)) return
    fieldStart = valueStart
    fieldEnd = valueEnd
  }

  function advance(to: number): void {
    done++
    at = skipSpace(bytes, to, end)
    ended = !isArray || bytes[at] !== COMMA
    if (!ended) at = skipSpace(bytes, at + 1, end)
  }

  /** Whether the next row has at most so many bytes. */
  function fits(left: number): boolean {
    return left >= limits.maxRowBytes || (left > 0 && endOfRow(bytes, at, end, limits.maxDepth) - at <= left)
  }

  function next(): AnswerRow {
    const start = at
    let to: number
    let deep = false
    fieldEnd = 0
    try {
      const isNamed = name !== undefined && bytes[start] === OBJECT
      to = isNamed
        ? skipMembers(bytes, start, end, limits.maxDepth, onMember)
        : skipValue(bytes, start, end, limits.maxDepth)
    } catch (error) {
      if (!(error instanceof JsonError) || !isTooDeep(error)) throw error
      to = endOfRow(bytes, start, end, limits.maxDepth)
      deep = true
    }
    advance(to)
    const refusal = refusalOf(start, to, deep)
    if (refusal) return { row: refused(refusal, bytes, start, to, limits.maxRowBytes), field: undefined }
    const row = { data: text(start, to) }
    if (field === undefined) return { row, field: undefined }
    if (!name) return { row, field: textAt(row.data, field) }
    return { row, field: fieldEnd === 0 ? undefined : text(fieldStart, fieldEnd) }
  }

  function refusalOf(start: number, to: number, deep: boolean): Refusal | undefined {
    if (to - start > limits.maxRowBytes) return tooLong(to - start, limits)
    if (!deep && bytes[start] === OBJECT && (allUtf8 || isUtf8(bytes.subarray(start, to)))) return undefined
    const value = shown(bytes.toString('utf8', start, Math.min(to, start + SHOWN_BYTES)))
    if (deep) return { code: 'TOO_DEEP', column: null, value, message: `nested deeper than ${limits.maxDepth} levels` }
    if (bytes[start] === OBJECT)
      return { code: 'INVALID_ENCODING', column: null, value, message: 'the row is not UTF-8' }
    return { code: 'NOT_AN_OBJECT', column: null, value, message: `a row is a JSON object, this is ${value}` }
  }

  return {
    get done() {
      return done
    },
    get ended() {
      return ended
    },
    take(mostRows, mostBytes) {
      const rows: AnswerRow[] = []
      const start = at
      while (!ended && rows.length < mostRows && (rows.length === 0 || fits(mostBytes - (at - start))))
        rows.push(next())
      return rows
    },
    skip(rows) {
      while (!ended && done < rows) advance(endOfRow(bytes, at, end, limits.maxDepth))
      return done === rows
    },
    hash() {
      digest.update(bytes.subarray(hashed, at))
      hashed = at
      return digest.copy().digest('base64url').slice(0, HASH_CHARS)
    },
  }
}

function refused({ column, ...why }: Refusal, bytes: Buffer, start: number, end: number, most: number): PulledRow {
  const original = Buffer.from(bytes.subarray(start, Math.min(end, start + most)))
  return { id: null, refused: { ...why, field: column, original, originalBytes: end - start } }
}

const BACKSLASH = 92

/** Whether the member name in bytes[start, end), quotes included, says `field`; `quoted` is how it is mostly written. */
function isName(bytes: Buffer, start: number, end: number, quoted: Buffer, field: string): boolean {
  if (end - start === quoted.length) {
    let i = 1
    while (i < quoted.length && bytes[start + i] === quoted[i]) i++
    if (i === quoted.length) return true
  }
  const hasEscape = bytes.subarray(start, end).includes(BACKSLASH)
  return hasEscape && JSON.parse(bytes.toString('utf8', start, end)) === field
}
