import { CONTROL, CR, DELIMITER, kindsOf, LF, QUOTE, QUOTES, type SplitterOptions } from './kinds.ts'

/**
 * Cuts the bytes of a csv file (RFC 4180) into rows and cells, without building either: it tells where they stand. It
 * can stop at any byte for more, so a row may come in any number of pieces, and holds no more than one row.
 *
 * A row ends with LF, CR LF or CR. A line without a byte is passed over. A quote opens a cell only as its first byte;
 * elsewhere it is text.
 */
export interface RowSplitter {
  /** The bytes that hold the row under way. Replaced by `give`. */
  readonly bytes: Buffer
  /** Where the row stands in `bytes`, without its line end. Of a row that is too long only the beginning is there. */
  readonly start: number
  readonly end: number
  /** Where it begins in all the bytes that were given. */
  readonly place: number
  /** How many bytes the row has in all. */
  readonly length: number
  /** How many cells it has. Of those past the column limit nothing else is known. */
  readonly cells: number
  /** For each cell where it stands, from `start` on and without its quotes, and its flags. */
  readonly from: Int32Array
  readonly to: Int32Array
  readonly flags: Uint8Array
  /** Whether all its bytes are ASCII. */
  readonly ascii: boolean
  /** The cell that has text after its closing quote, -1 if there is none. */
  readonly misquoted: number
  /** Adds bytes; they are copied. Only when `next` has answered false. */
  give(chunk: Buffer): void
  /** There are no more bytes. */
  finish(): void
  /** Moves to the next row. False when it needs more bytes, or at the end. */
  next(): boolean
  /** After the end: the line and the byte where a quote opened that never closed. */
  readonly open: { line: number; byte: number } | undefined
}

/** Flags of a cell: it has quotes that are doubled, or characters that JSON escapes. */
export const DOUBLED = 1
const ESCAPED = 2

/** Where the next byte stands: before a cell, in text outside quotes, inside them, or behind them. */
const BEFORE = 0
const PLAIN = 1
const QUOTED = 2
const CLOSED = 3

export function createRowSplitter(options: SplitterOptions): RowSplitter {
  const { maxRowBytes, maxColumns } = options
  const { plain, quoted } = kindsOf(options)
  const from = new Int32Array(maxColumns)
  const to = new Int32Array(maxColumns)
  const flags = new Uint8Array(maxColumns)
  let bytes = Buffer.alloc(0)
  let filled = 0
  let finished = false
  /** Bytes of the file before bytes[0]. */
  let before = 0
  let line = 1
  let openLine = 1
  let openAt = 0

  let at = 0
  let start = 0
  let end = 0
  /** Bytes of the row under way that were let go, because it is too long. */
  let dropped = 0
  let state = BEFORE
  let cells = 0
  let cellFrom = 0
  let cellFlags = 0
  let high = 0
  let misquoted = -1
  let afterReturn = false
  /** Whether the last call of `next` found a row, so that the next one begins another. */
  let found = false

  function endCell(stop: number): void {
    if (cells < maxColumns) {
      from[cells] = cellFrom - start
      to[cells] = stop - start
      flags[cells] = cellFlags
    }
    cells++
    cellFlags = 0
    state = BEFORE
  }

  /** Begins the next row at `at`. */
  function begin(): void {
    start = at
    dropped = 0
    cells = 0
    high = 0
    misquoted = -1
    state = BEFORE
    cellFlags = 0
  }

  /** Reads text outside quotes from `at` on. True when a byte ended the cell, with `at` on that byte. */
  function plainText(): boolean {
    let all = high
    let i = at
    while (i < filled) {
      const b = bytes[i]!
      const kind = plain[b]!
      all |= b
      if (kind !== 0) {
        if (kind >= DELIMITER) break
        if (kind === CONTROL) cellFlags |= ESCAPED
        else if (i + 1 < filled) {
          const trail = bytes[i + 1]!
          if (trail >= 0x40 && trail !== 0x7f && trail !== 0xff) i++
        } else if (!finished) break
      }
      i++
    }
    high = all
    at = i
    return i < filled && plain[bytes[i]!]! >= DELIMITER
  }

  /** Reads text inside quotes. True when a quote came, with `at` on it. */
  function quotedText(): boolean {
    let all = high
    let i = at
    while (i < filled) {
      const b = bytes[i]!
      const kind = quoted[b]!
      all |= b
      if (kind !== 0) {
        if (kind === QUOTES) break
        cellFlags |= ESCAPED
        if (b === LF) line++
      }
      i++
    }
    high = all
    at = i
    return i < filled
  }

  /** Goes on until a row has ended, with `at` after its line end. False when the bytes have run out. */
  function scan(): boolean {
    while (at < filled) {
      if (state === BEFORE) {
        cellFrom = at
        if (bytes[at] === QUOTE) {
          state = QUOTED
          cellFrom = ++at
          openLine = line
          openAt = before + at - 1
          continue
        }
        state = PLAIN
      }
      if (state === PLAIN) {
        if (!plainText()) break
        if (misquoted !== cells) endCell(at)
        else endCell(cellFrom)
      } else if (state === QUOTED) {
        if (!quotedText()) break
        state = CLOSED
        at++
        continue
      } else {
        const b = bytes[at]!
        if (b === QUOTE) {
          cellFlags |= DOUBLED
          state = QUOTED
          at++
          continue
        }
        if (plain[b]! < DELIMITER) {
          if (misquoted < 0) misquoted = cells
          state = PLAIN
          continue
        }
        endCell(at - 1)
      }
      const b = bytes[at++]!
      if (plain[b] === DELIMITER) continue
      end = at - 1
      afterReturn = b === CR
      line++
      return true
    }
    return false
  }

  /** Lets the beginning of a row go that is longer than anyone may ask for. */
  function drop(): void {
    const kept = maxRowBytes + 1
    const surplus = at - start - kept
    if (surplus <= 0) return
    bytes.copyWithin(start + kept, at, filled)
    dropped += surplus
    before += surplus
    at -= surplus
    filled -= surplus
    cellFrom -= surplus
  }

  /** Whether a row has ended at the very end of the file, without a line end. */
  function last(): boolean {
    if (state === QUOTED) return false
    if (at === start && cells === 0) return false
    if (state === BEFORE) cellFrom = at
    endCell(state === CLOSED ? at - 1 : at)
    end = at
    return true
  }

  return {
    from,
    to,
    flags,
    get bytes() {
      return bytes
    },
    get start() {
      return start
    },
    get end() {
      return Math.min(end, start + maxRowBytes)
    },
    get place() {
      return before + start - dropped
    },
    get length() {
      return end - start + dropped
    },
    get cells() {
      return cells
    },
    get ascii() {
      return high < 128
    },
    get misquoted() {
      return misquoted
    },
    get open() {
      return finished && state === QUOTED ? { line: openLine, byte: openAt } : undefined
    },
    give(chunk) {
      drop()
      const kept = filled - start
      const size = kept + chunk.length
      const target = size > bytes.length ? Buffer.allocUnsafeSlow(Math.max(size, bytes.length * 2)) : bytes
      bytes.copy(target, 0, start, filled)
      chunk.copy(target, kept)
      before += start
      at -= start
      cellFrom -= start
      start = 0
      bytes = target
      filled = size
    },
    finish() {
      finished = true
    },
    next() {
      if (found) begin()
      for (;;) {
        if (afterReturn && at < filled) {
          afterReturn = false
          if (bytes[at] === LF) {
            at++
            start = at
          }
        }
        if (!scan()) {
          found = finished && last()
          return found
        }
        if (cells > 1 || end > start || dropped > 0) {
          found = true
          return true
        }
        begin()
      }
    },
  }
}
