import type { Value } from '../kernel/projection.ts'

const HEAD = 20
const TEXT_OID = 25
const INT8_OID = 20

/**
 * A column of values as an array in PostgreSQL's binary format (array_send in its source): dimensions, whether there are
 * nulls, the elements' type, length, lower bound; then each element's length and bytes. All numbers are big endian. As
 * array literals the texts would be quoted here and parsed there, which costs more than the rest of a statement.
 */
export function binaryArray(type: 'text' | 'integer', values: readonly Value[]): Buffer {
  const size = values.reduce<number>((sum, value) => sum + 4 + sizeOf(type, value), HEAD)
  const buffer = Buffer.allocUnsafe(size)
  buffer.writeInt32BE(1, 0)
  buffer.writeInt32BE(values.includes(null) ? 1 : 0, 4)
  buffer.writeInt32BE(type === 'text' ? TEXT_OID : INT8_OID, 8)
  buffer.writeInt32BE(values.length, 12)
  buffer.writeInt32BE(1, 16)
  let at = HEAD
  for (const value of values) {
    if (value === null) at = buffer.writeInt32BE(-1, at)
    else if (type === 'integer') at = buffer.writeBigInt64BE(BigInt(value), buffer.writeInt32BE(8, at))
    else {
      const written = buffer.write(String(value), at + 4)
      buffer.writeInt32BE(written, at)
      at += 4 + written
    }
  }
  return buffer
}

function sizeOf(type: 'text' | 'integer', value: Value): number {
  if (value === null) return 0
  if (value === undefined) throw new Error('a row to be written lacks a column')
  return type === 'integer' ? 8 : Buffer.byteLength(String(value))
}
