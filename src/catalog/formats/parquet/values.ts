import { Broken, need } from '../broken.ts'
import { createDeltas, deltasEnd } from './delta.ts'
import { createRle } from './rle.ts'
import type { Node, Physical } from './schema.ts'
import type { Texts } from './text.ts'

/** The JSON text of the next value, each time it is called. Throws a Broken when the bytes have no more. */
export type NextText = () => string

const PLAIN = 0
const PLAIN_DICTIONARY = 2
export const RLE = 3
const DELTA_BINARY_PACKED = 5
const DELTA_LENGTH_BYTE_ARRAY = 6
const DELTA_BYTE_ARRAY = 7
const RLE_DICTIONARY = 8
const BYTE_STREAM_SPLIT = 9

const INDEXES = 1024
const MAX_INT32 = 0x7fffffff

export function isDictionaryEncoding(encoding: number): boolean {
  return encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY
}

/** The values in bytes[at, end). Those of a dictionary are texts already. */
export function createValues(
  encoding: number,
  leaf: Node,
  texts: Texts,
  bytes: Buffer,
  at: number,
  dictionary: readonly string[] | undefined,
): NextText {
  const physical = leaf.physical!
  const binary = physical === 'BYTE_ARRAY' || physical === 'FIXED'
  if (isDictionaryEncoding(encoding)) return byIndex(bytes, at, dictionary)
  if (encoding === PLAIN && physical === 'BYTE_ARRAY') return prefixed(bytes, at, texts)
  if (encoding === PLAIN && physical === 'BOOLEAN') return bits(bytes, at)
  if (encoding === PLAIN) return fixed(bytes, at, leaf, texts)
  if (encoding === RLE && physical === 'BOOLEAN') return runsOfBits(bytes, at)
  if (encoding === DELTA_BINARY_PACKED && (physical === 'INT32' || physical === 'INT64'))
    return differences(bytes, at, physical, texts)
  if (encoding === DELTA_LENGTH_BYTE_ARRAY && binary) return withLengths(bytes, at, texts)
  if (encoding === DELTA_BYTE_ARRAY && binary) return withPrefixes(bytes, at, texts)
  if (encoding === BYTE_STREAM_SPLIT && physical !== 'BYTE_ARRAY' && physical !== 'BOOLEAN')
    return streams(bytes, at, leaf, texts)
  throw new Broken(`the encoding ${encoding} of ${physical} is not known`)
}

function byIndex(bytes: Buffer, at: number, dictionary: readonly string[] | undefined): NextText {
  if (dictionary === undefined) throw new Broken('there is no dictionary for its values')
  need(at, 1, bytes.length, 'a page')
  // They are read ahead, past the last one into what pads its group: whether an index is right is seen when it is used.
  const indexes = createRle(bytes, at + 1, bytes.length, bytes[at]!, MAX_INT32)
  const batch = new Int32Array(INDEXES)
  let next = 0
  let filled = 0
  return () => {
    if (next === filled) {
      filled = indexes.readSome(batch)
      next = 0
    }
    const text = dictionary[batch[next++]!]
    if (text === undefined)
      throw new Broken(`a value is number ${batch[next - 1]} of a dictionary of ${dictionary.length}`)
    return text
  }
}

function prefixed(bytes: Buffer, at: number, texts: Texts): NextText {
  const end = bytes.length
  return () => {
    need(at, 4, end, 'a value')
    const length = bytes.readUInt32LE(at)
    const from = at + 4
    need(from, length, end, 'a value')
    at = from + length
    return texts.bytes(bytes, from, at)
  }
}

function bits(bytes: Buffer, at: number): NextText {
  let bit = at * 8
  return () => {
    if (bit >> 3 >= bytes.length) throw new Broken('a page of booleans ends too early')
    const set = (bytes[bit >> 3]! >> (bit & 7)) & 1
    bit++
    return set ? 'true' : 'false'
  }
}

function runsOfBits(bytes: Buffer, at: number): NextText {
  need(at, 4, bytes.length, 'a page of booleans')
  const end = at + 4 + bytes.readUInt32LE(at)
  need(at, end - at, bytes.length, 'a page of booleans')
  const runs = createRle(bytes, at + 4, end, 1, 1)
  const one = new Int32Array(1)
  return () => {
    runs.read(one, 1)
    return one[0] ? 'true' : 'false'
  }
}

/** How the bytes of one value of a fixed width become text. */
function textAt(physical: Physical, length: number, texts: Texts): [number, (bytes: Buffer, at: number) => string] {
  switch (physical) {
    case 'INT32':
      return [4, (bytes, at) => texts.int32(bytes.readInt32LE(at))]
    case 'INT64':
      return [8, (bytes, at) => texts.int64(bytes.readInt32LE(at), bytes.readInt32LE(at + 4))]
    case 'FLOAT':
      return [4, (bytes, at) => texts.float(bytes.readFloatLE(at))]
    case 'DOUBLE':
      return [8, (bytes, at) => texts.float(bytes.readDoubleLE(at))]
    case 'INT96':
      return [12, (bytes, at) => texts.bytes(bytes, at, at + 12)]
    default:
      return [length, (bytes, at) => texts.bytes(bytes, at, at + length)]
  }
}

function fixed(bytes: Buffer, at: number, leaf: Node, texts: Texts): NextText {
  const [width, text] = textAt(leaf.physical!, leaf.length, texts)
  const end = bytes.length
  return () => {
    const from = at
    at += width
    if (at > end) throw new Broken('a page of values ends too early')
    return text(bytes, from)
  }
}

/** The first bytes of all values, then the second ones, and so on. */
function streams(bytes: Buffer, at: number, leaf: Node, texts: Texts): NextText {
  const [width, text] = textAt(leaf.physical!, leaf.length, texts)
  const count = Math.floor((bytes.length - at) / width)
  const value = Buffer.alloc(width)
  let index = 0
  return () => {
    if (index >= count) throw new Broken('a page of values ends too early')
    for (let n = 0; n < width; n++) value[n] = bytes[at + n * count + index]!
    index++
    return text(value, 0)
  }
}

function differences(bytes: Buffer, at: number, physical: 'INT32' | 'INT64', texts: Texts): NextText {
  const deltas = createDeltas(bytes, at, bytes.length, physical === 'INT32' ? 32 : 64)
  if (physical === 'INT32') return () => texts.int32(Number(deltas.next()))
  return () => {
    const value = deltas.next()
    return texts.int64(Number(BigInt.asIntN(32, value)), Number(value >> 32n))
  }
}

function withLengths(bytes: Buffer, at: number, texts: Texts): NextText {
  const lengths = createDeltas(bytes, at, bytes.length, 32)
  let from = deltasEnd(bytes, at, bytes.length)
  return () => {
    const length = Number(lengths.next())
    need(from, length, bytes.length, 'a value')
    from += length
    return texts.bytes(bytes, from - length, from)
  }
}

/** Each value begins as the one before it, for a length of its own. */
function withPrefixes(bytes: Buffer, at: number, texts: Texts): NextText {
  const prefixes = createDeltas(bytes, at, bytes.length, 32)
  const middle = deltasEnd(bytes, at, bytes.length)
  const suffixes = createDeltas(bytes, middle, bytes.length, 32)
  let from = deltasEnd(bytes, middle, bytes.length)
  let value = Buffer.alloc(256)
  let size = 0
  return () => {
    const prefix = Number(prefixes.next())
    const suffix = Number(suffixes.next())
    need(0, prefix, size, 'the value before')
    need(from, suffix, bytes.length, 'a value')
    size = prefix + suffix
    if (size > value.length) value = Buffer.concat([value, Buffer.alloc(size)])
    bytes.copy(value, prefix, from, from + suffix)
    from += suffix
    return texts.bytes(value, 0, size)
  }
}
