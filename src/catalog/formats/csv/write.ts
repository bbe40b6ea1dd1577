import type { TextDecoder } from 'node:util'
import { DOUBLED, type RowSplitter } from './rows.ts'

/** Writes rows that a splitter has found as JSON text. */
export interface RowWriter {
  /** The row as JSON text, for bytes that are valid UTF-8. */
  fromUtf8(row: RowSplitter): string
  /** The same for another encoding. Throws what the decoder throws for bytes that it does not know. */
  decoded(row: RowSplitter, decoder: TextDecoder): string
  /** How long the last row is in UTF-8. */
  readonly bytes: number
}

const QUOTE = 34
const BACKSLASH = 92
/** A cell of fewer bytes is copied faster by a loop than by a call. */
const SHORT = 48

const escapes: (Buffer | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const text = JSON.stringify(String.fromCharCode(code)).slice(1, -1)
  return text.length > 1 ? Buffer.from(text) : undefined
})

export function createRowWriter(names: readonly string[], nullValues: readonly string[]): RowWriter {
  const keys = names.map((name, i) => `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)
  const keyBytes = keys.map(key => Buffer.from(key))
  const keysAreAscii = keyBytes.every((key, i) => key.length === keys[i]!.length)
  const roomForKeys = keyBytes.reduce((sum, key) => sum + key.length + 2, 1)
  const nulls = new Set(nullValues)
  /** The lengths, in bytes, that a cell must have to be one of them. */
  const nullLengths = new Set(nullValues.map(value => Buffer.byteLength(value)))
  let out = Buffer.alloc(4096)
  let size = 0

  function isNull(row: RowSplitter, cell: number, from: number, to: number): boolean {
    if (row.flags[cell]! & DOUBLED) return nulls.has(cellText(row, cell))
    return nullLengths.has(to - from) && nulls.has(row.bytes.toString('utf8', from, to))
  }

  function copyEscaped(bytes: Buffer, from: number, to: number, doubled: boolean): void {
    for (let i = from; i < to; i++) {
      const b = bytes[i]!
      const escaped = b < 32 || b === QUOTE || b === BACKSLASH ? escapes[b] : undefined
      if (escaped === undefined) {
        out[size++] = b
        continue
      }
      for (let n = 0; n < escaped.length; n++) out[size++] = escaped[n]!
      if (doubled && b === QUOTE) i++
    }
  }

  return {
    get bytes() {
      return size
    },
    fromUtf8(row) {
      const { bytes, start, from, to, flags } = row
      const room = roomForKeys + 6 * (row.end - start) + 2
      if (room > out.length) out = Buffer.alloc(room * 2)
      size = 0
      for (let cell = 0; cell < keyBytes.length; cell++) {
        const key = keyBytes[cell]!
        for (let n = 0; n < key.length; n++) out[size++] = key[n]!
        const first = start + from[cell]!
        const last = start + to[cell]!
        if (nulls.size > 0 && isNull(row, cell, first, last)) {
          size += out.write('null', size, 'latin1')
          continue
        }
        out[size++] = QUOTE
        const flag = flags[cell]!
        if (flag !== 0) copyEscaped(bytes, first, last, (flag & DOUBLED) !== 0)
        else if (last - first < SHORT) for (let i = first; i < last; i++) out[size++] = bytes[i]!
        else size += bytes.copy(out, size, first, last)
        out[size++] = QUOTE
      }
      out[size++] = 125
      return row.ascii && keysAreAscii ? out.toString('latin1', 0, size) : out.toString('utf8', 0, size)
    },
    decoded(row, decoder) {
      let json = ''
      for (let cell = 0; cell < keys.length; cell++) {
        const text = cellText(row, cell, decoder)
        json += keys[cell]! + (nulls.has(text) ? 'null' : JSON.stringify(text))
      }
      json += '}'
      size = Buffer.byteLength(json)
      return json
    },
  }
}

/** What a cell says. Without a decoder it is UTF-8, and what is not is shown as U+FFFD. */
export function cellText(row: RowSplitter, cell: number, decoder?: TextDecoder): string {
  const from = row.start + row.from[cell]!
  const to = row.start + row.to[cell]!
  const text = decoder ? decoder.decode(row.bytes.subarray(from, to)) : row.bytes.toString('utf8', from, to)
  return row.flags[cell]! & DOUBLED ? text.replaceAll('""', '"') : text
}
