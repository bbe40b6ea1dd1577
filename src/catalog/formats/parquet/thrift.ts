import { Broken, need } from '../broken.ts'

/**
 * A reader for Thrift's compact protocol, in which parquet writes its footer and page headers. Lists are built as their
 * elements come, so a length that the bytes do not bear out costs nothing.
 */
export type Value = boolean | number | bigint | Buffer | Value[] | Struct
/** A struct by its field numbers. */
export type Struct = Map<number, Value>

const MAX_DEPTH = 32

/** The struct that begins at `at`, and the index after it. Throws a Broken. */
export function readStruct(bytes: Buffer, at: number): { struct: Struct; end: number } {
  const reader: Reader = { bytes, at }
  const struct = structAt(reader, 0)
  return { struct, end: reader.at }
}

interface Reader {
  bytes: Buffer
  at: number
}

function byte(reader: Reader): number {
  if (reader.at >= reader.bytes.length) throw new Broken('a Thrift structure ends too early')
  return reader.bytes[reader.at++]!
}

function structAt(reader: Reader, depth: number): Struct {
  if (depth > MAX_DEPTH) throw new Broken('a Thrift structure is nested too deep')
  const struct: Struct = new Map()
  let field = 0
  for (;;) {
    const head = byte(reader)
    const type = head & 15
    if (type === 0) return struct
    field = head >> 4 ? field + (head >> 4) : Number(zigzag(reader))
    // 1 and 2 are the two values of a boolean field.
    struct.set(field, type <= 2 ? type === 1 : valueAt(reader, type, depth))
  }
}

function valueAt(reader: Reader, type: number, depth: number): Value {
  switch (type) {
    case 1:
    case 2:
      return byte(reader) === 1
    case 3:
      return (byte(reader) << 24) >> 24
    case 4:
    case 5:
      return Number(BigInt.asIntN(32, zigzag(reader)))
    case 6:
      return zigzag(reader)
    case 7: {
      need(reader.at, 8, reader.bytes.length, 'a Thrift number')
      reader.at += 8
      return reader.bytes.readDoubleLE(reader.at - 8)
    }
    case 8: {
      const length = Number(varint(reader))
      need(reader.at, length, reader.bytes.length, 'a Thrift text')
      reader.at += length
      return reader.bytes.subarray(reader.at - length, reader.at)
    }
    case 9:
    case 10:
      return listAt(reader, depth)
    case 12:
      return structAt(reader, depth + 1)
    default:
      throw new Broken(`Thrift has no type ${type} here`)
  }
}

function listAt(reader: Reader, depth: number): Value[] {
  if (depth > MAX_DEPTH) throw new Broken('a Thrift list is nested too deep')
  const head = byte(reader)
  const length = head >> 4 === 15 ? Number(varint(reader)) : head >> 4
  // No element takes less than a byte.
  need(reader.at, length, reader.bytes.length, 'a Thrift list')
  const list: Value[] = []
  while (list.length < length) list.push(valueAt(reader, head & 15, depth + 1))
  return list
}

function varint(reader: Reader): bigint {
  let low = 0
  for (let shift = 0; shift < 28; shift += 7) {
    const b = byte(reader)
    low |= (b & 127) << shift
    if (b < 128) return BigInt(low)
  }
  let value = BigInt(low)
  for (let shift = 28n; shift < 70n; shift += 7n) {
    const b = byte(reader)
    value |= BigInt(b & 127) << shift
    if (b < 128) return value
  }
  throw new Broken('a Thrift number has too many bytes')
}

function zigzag(reader: Reader): bigint {
  const n = varint(reader)
  return (n >> 1n) ^ -(n & 1n)
}

/** Field getters: undefined when the field is absent, a Broken when it has another type. */
export function whole(struct: Struct, field: number): number | undefined {
  const value = struct.get(field)
  if (value === undefined || typeof value === 'number') return value
  if (typeof value === 'bigint' && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)))
    return Number(value)
  throw new Broken(`field ${field} is no whole number that can be`)
}

export function text(struct: Struct, field: number): string | undefined {
  const value = struct.get(field)
  if (value === undefined) return undefined
  if (Buffer.isBuffer(value)) return value.toString()
  throw new Broken(`field ${field} is no text`)
}

export function list(struct: Struct, field: number): Value[] {
  const value = struct.get(field) ?? []
  if (Array.isArray(value)) return value
  throw new Broken(`field ${field} is no list`)
}

export function inner(struct: Struct, field: number): Struct | undefined {
  const value = struct.get(field)
  if (value === undefined || value instanceof Map) return value
  throw new Broken(`field ${field} is no structure`)
}

export function asStruct(value: Value): Struct {
  if (value instanceof Map) return value
  throw new Broken('a list has something that is no structure')
}
