import { Broken, need } from '../broken.ts'

/** Numbers that are written as differences (DELTA_BINARY_PACKED), as `bits` wide two's complement. */
export interface Deltas {
  next(): bigint
}

/** Where the stream that begins at `at` ends, without reading its numbers. */
export function deltasEnd(bytes: Buffer, at: number, end: number): number {
  const stream = open(bytes, at, end)
  while (stream.left > 0) nextMiniblock(stream)
  return stream.at
}

export function createDeltas(bytes: Buffer, at: number, end: number, bits: 32 | 64): Deltas {
  const stream = open(bytes, at, end)
  let begun = false
  let index = 0
  return {
    next() {
      if (!begun) {
        begun = true
        if (stream.count === 0) throw new Broken('there are fewer differences than values')
        return stream.value
      }
      while (index === stream.filled) {
        if (stream.left === 0) throw new Broken('there are fewer differences than values')
        nextMiniblock(stream)
        index = 0
      }
      const delta = stream.minDelta + unpacked(stream, index++)
      stream.value = BigInt.asIntN(bits, stream.value + delta)
      return stream.value
    },
  }
}

/** Far more than any writer uses. */
const MAX_BLOCK = 1 << 20
const MAX_MINIBLOCKS = 512

interface Stream {
  bytes: Buffer
  at: number
  end: number
  perMiniblock: number
  miniblocks: number
  count: number
  /** How many numbers are not yet in a miniblock that was come to. */
  left: number
  value: bigint
  minDelta: bigint
  widths: number[]
  /** The miniblock that is open: its numbers' place, width and how many there are. */
  from: number
  width: number
  filled: number
}

function open(bytes: Buffer, at: number, end: number): Stream {
  const stream = { bytes, at, end, minDelta: 0n, widths: [] as number[], from: 0, width: 0, filled: 0 }
  const blockSize = Number(varint(stream))
  const miniblocks = Number(varint(stream))
  const count = Number(varint(stream))
  const perMiniblock = blockSize / miniblocks
  const even = Number.isInteger(perMiniblock) && perMiniblock > 0 && perMiniblock % 8 === 0
  if (!even || blockSize > MAX_BLOCK || miniblocks > MAX_MINIBLOCKS)
    throw new Broken(`differences come in blocks of ${blockSize} in ${miniblocks} parts`)
  const value = zigzag(stream)
  return Object.assign(stream, { perMiniblock, miniblocks, count, value, left: Math.max(0, count - 1) })
}

function nextMiniblock(stream: Stream): void {
  if (stream.widths.length === 0) {
    stream.minDelta = zigzag(stream)
    need(stream.at, stream.miniblocks, stream.end, 'a block of differences')
    stream.widths = [...stream.bytes.subarray(stream.at, stream.at + stream.miniblocks)]
    stream.at += stream.miniblocks
  }
  stream.width = stream.widths.shift()!
  if (stream.width > 64) throw new Broken(`differences of ${stream.width} bits`)
  const length = (stream.perMiniblock * stream.width) / 8
  need(stream.at, length, stream.end, 'a block of differences')
  stream.from = stream.at
  stream.at += length
  stream.filled = Math.min(stream.left, stream.perMiniblock)
  stream.left -= stream.filled
  if (stream.left === 0) stream.widths = []
}

function unpacked({ bytes, from, width }: Stream, index: number): bigint {
  if (width === 0) return 0n
  const bit = index * width
  let at = from + Math.floor(bit / 8)
  const shift = bit % 8
  if (shift + width <= 31) {
    let small = 0
    for (let n = 0; n < shift + width; n += 8) small |= bytes[at++]! << n
    return BigInt((small >>> shift) & ((1 << width) - 1))
  }
  let large = 0n
  for (let n = 0; n < shift + width; n += 8) large |= BigInt(bytes[at++]!) << BigInt(n)
  return BigInt.asUintN(width, large >> BigInt(shift))
}

function varint(stream: { bytes: Buffer; at: number; end: number }): bigint {
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    need(stream.at, 1, stream.end, 'a block of differences')
    const b = stream.bytes[stream.at++]!
    value |= BigInt(b & 127) << shift
    if (b < 128) return value
  }
  throw new Broken('a number has too many bytes')
}

function zigzag(stream: { bytes: Buffer; at: number; end: number }): bigint {
  const n = varint(stream)
  return (n >> 1n) ^ -(n & 1n)
}
