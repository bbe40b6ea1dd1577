import type { Value } from '../kernel/projection.ts'

const HEAD = 20
const TEXT_OID = 25
const INT8_OID = 20
const SCRATCH_BYTES = 4 * 1024 * 1024
/** Most bytes of UTF-8 for one UTF-16 unit. */
const UNIT_BYTES = 3

/** Written here first: how long a text is in UTF-8 need not be found out before. */
let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

/**
 * A column of values as an array in PostgreSQL's binary format (array_send in its source): dimensions, whether there are
 * nulls, the elements' type, length, lower bound; then each element's length and bytes. All numbers are big endian. As
 * array literals the texts would be quoted here and parsed there, which costs more than the rest of a statement.
 */
export function binaryArray(type: 'text' | 'integer', count: number, valueAt: (index: number) => Value | undefined) {
  let at = HEAD
  let nulls = 0
  for (let i = 0; i < count; i++) {
    const value = valueAt(i)
    if (value === undefined) throw new Error('a row to be written lacks a column')
    const text = type === 'text' && value !== null ? String(value) : ''
    makeRoom(at, 12 + UNIT_BYTES * text.length)
    if (value === null) {
      nulls = 1
      at = scratch.writeInt32BE(-1, at)
    } else if (type === 'integer') at = writeInt8(Number(value), scratch.writeInt32BE(8, at))
    else {
      const written = scratch.write(text, at + 4)
      at = scratch.writeInt32BE(written, at) + written
    }
  }
  scratch.writeInt32BE(1, 0)
  scratch.writeInt32BE(nulls, 4)
  scratch.writeInt32BE(type === 'text' ? TEXT_OID : INT8_OID, 8)
  scratch.writeInt32BE(count, 12)
  scratch.writeInt32BE(1, 16)
  const array = Buffer.from(scratch.subarray(0, at))
  if (scratch.length > SCRATCH_BYTES) scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  return array
}

function makeRoom(at: number, bytes: number): void {
  if (at + bytes <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow(2 * (at + bytes))
  scratch.copy(larger, 0, 0, at)
  scratch = larger
}

/** PostgreSQL's int8: a whole number of JavaScript, in two's complement. */
function writeInt8(value: number, at: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} is no whole number that is held exactly`)
  const high = Math.floor(value / 2 ** 32)
  return scratch.writeUInt32BE(value - high * 2 ** 32, scratch.writeInt32BE(high, at))
}
