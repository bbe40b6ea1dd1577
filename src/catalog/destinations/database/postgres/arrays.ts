import type { Column, Value } from '../connection.ts'

/**
 * A column of values as an array in PostgreSQL's binary format (array_send in its source): dimensions, whether there are
 * nulls, the elements' type, length, lower bound; then each element's length and bytes, all numbers big endian. Neither
 * side has texts to quote and parse, and the server need not turn them into numbers.
 */
export function binaryArray(type: Column['type'], rows: readonly (readonly Value[])[], place: number): Buffer {
  const element = ELEMENTS[type] ?? TEXT
  let size = HEAD + 4 * rows.length
  let nulls = 0
  for (const row of rows) {
    const value = row[place]!
    if (value === null) nulls = 1
    else size += element.size(value)
  }
  const buffer = Buffer.allocUnsafe(size)
  buffer.writeInt32BE(1, 0)
  buffer.writeInt32BE(nulls, 4)
  buffer.writeInt32BE(element.oid, 8)
  buffer.writeInt32BE(rows.length, 12)
  buffer.writeInt32BE(1, 16)
  let at = HEAD
  for (const row of rows) {
    const value = row[place]!
    if (value === null) {
      at = buffer.writeInt32BE(-1, at)
      continue
    }
    const end = element.write(buffer, value, at + 4)
    buffer.writeInt32BE(end - at - 4, at)
    at = end
  }
  return buffer
}

/** The type of an array's elements, as a cast names it. */
export function elementType(type: Column['type']): string {
  return (ELEMENTS[type] ?? TEXT).name
}

const HEAD = 20

interface Element {
  readonly name: string
  readonly oid: number
  size(value: Value): number
  /** Gives back where what it wrote ends. */
  write(buffer: Buffer, value: Value, at: number): number
}

const TEXT: Element = {
  name: 'text',
  oid: 25,
  size: value => Buffer.byteLength(value as string),
  write: (buffer, value, at) => at + buffer.write(value as string, at),
}

const HALF = 2 ** 32

/** What is not here goes as text. */
const ELEMENTS: Partial<Record<Column['type'], Element>> = {
  boolean: {
    name: 'boolean',
    oid: 16,
    size: () => 1,
    write: (buffer, value, at) => buffer.writeUInt8(value ? 1 : 0, at),
  },
  bigint: {
    name: 'bigint',
    oid: 20,
    size: () => 8,
    write(buffer, value, at) {
      if (typeof value === 'bigint') return buffer.writeBigInt64BE(value, at)
      const high = Math.floor((value as number) / HALF)
      return buffer.writeUInt32BE((value as number) - high * HALF, buffer.writeInt32BE(high, at))
    },
  },
  double: {
    name: 'double precision',
    oid: 701,
    size: () => 8,
    write: (buffer, value, at) => buffer.writeDoubleBE(value as number, at),
  },
}
