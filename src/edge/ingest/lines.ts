import { isUtf8 } from 'node:buffer'
import type { RowError } from '../../intake/parse.ts'

const NEWLINE = 10
const RETURN = 13

export interface LineSink {
  /** A line of valid UTF-8 that is not blank: bytes[start, end), good only during the call. */
  row(bytes: Buffer, start: number, end: number, line: number): void
  /** A line that cannot be read; `original` holds at most the length limit. */
  refuse(row: RowError, line: number, original: Buffer, originalBytes: number): void
  /** Whether no more lines should come for now. Asked after each line. */
  enough(): boolean
}

export interface LineSplitter {
  /**
   * Takes the next piece of the body, or the beginning of it: lines that end in it go to the sink before this returns,
   * until the sink has had enough. Answers how many bytes it took; the rest is to be given again.
   */
  push(chunk: Buffer): number
  /** The body is complete: what is left is its last line. */
  finish(): void
  /** The last line that went to the sink. */
  readonly line: number
}

/** Cuts a body into lines, holding no more of it than one line of `maxBytes`. */
export function createLineSplitter(maxBytes: number, sink: LineSink): LineSplitter {
  /** The beginning of the line under way: rest[0, kept). It grows by doubling, up to one byte past the limit. */
  let rest = Buffer.alloc(0)
  let kept = 0
  /** Bytes of the line under way that are beyond the limit and were let go. */
  let dropped = 0
  /** Whether the last of those is a CR, which belongs to the line's end. */
  let droppedReturn = false
  let line = 0

  function emit(bytes: Buffer, start: number, end: number, valid: boolean): void {
    line++
    if (dropped > 0) dropped -= droppedReturn ? 1 : 0
    else if (end > start && bytes[end - 1] === RETURN) end--
    const length = end - start + dropped
    if (length > maxBytes) {
      dropped = 0
      const message = `the line has ${length} bytes, more than ${maxBytes}`
      return sink.refuse(
        { code: 'TOO_LONG', field: null, message },
        line,
        Buffer.from(bytes.subarray(start, start + maxBytes)),
        length,
      )
    }
    if (isBlank(bytes, start, end)) return
    if (valid || isUtf8(bytes.subarray(start, end))) return sink.row(bytes, start, end, line)
    const row: RowError = { code: 'INVALID_UTF8', field: null, message: 'the line is not valid UTF-8' }
    sink.refuse(row, line, bytes.subarray(start, end), length)
  }

  /** Keeps the beginning of a line whose end has not come yet. */
  function keep(bytes: Buffer): void {
    const taken = Math.min(bytes.length, maxBytes + 1 - kept)
    if (taken < bytes.length) {
      dropped += bytes.length - taken
      droppedReturn = bytes[bytes.length - 1] === RETURN
    }
    if (kept + taken > rest.length) {
      const larger = Buffer.alloc(Math.max(kept + taken, Math.min(rest.length * 2, maxBytes + 1)))
      rest.copy(larger, 0, 0, kept)
      rest = larger
    }
    bytes.copy(rest, kept, 0, taken)
    kept += taken
  }

  function finishLine(): void {
    const end = kept
    kept = 0
    emit(rest, 0, end, false)
  }

  return {
    get line() {
      return line
    },
    push(chunk) {
      let at = 0
      if (kept > 0) {
        const end = chunk.indexOf(NEWLINE)
        if (end < 0) {
          keep(chunk)
          return chunk.length
        }
        keep(chunk.subarray(0, end))
        finishLine()
        at = end + 1
      }
      const last = chunk.lastIndexOf(NEWLINE)
      const valid = isUtf8(chunk.subarray(at, last + 1))
      while (at <= last) {
        const end = chunk.indexOf(NEWLINE, at)
        emit(chunk, at, end, valid)
        at = end + 1
        if (sink.enough()) return at
      }
      if (at < chunk.length) keep(chunk.subarray(at))
      return chunk.length
    },
    finish() {
      if (kept > 0) finishLine()
    },
  }
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 32 && bytes[i] !== 9) return false
  return true
}
