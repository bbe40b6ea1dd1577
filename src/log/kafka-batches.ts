import { compressionsAlgorithmsByBitmask } from '@platformatic/kafka'
import { PackedEvent } from './batch.ts'
import type { Aborted } from './kafka-fetch.ts'
import type { Page, StoredEvent } from './log.ts'

const HEAD = 61
const MAGIC = 2
const COMPRESSION = 7
const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5
const ABORT_MARKER = 0

interface Limits {
  maxEvents: number
  maxBytes: number
}

/**
 * Makes a page of the record batches of a Fetch response (format 2: Kafka protocol guide, "Record Batch"), beginning
 * after an offset. Keys and values stay where they are in `records`.
 *
 * Batches of aborted transactions are passed over, by the rule of Kafka's own consumer: from an aborted transaction's
 * first offset on, its producer's batches are void until the producer's next abort marker. The page's `through` goes
 * over them: a response may hold nothing else, and a reader must get past it.
 */
export function pageOf(records: Buffer, aborted: readonly Aborted[], after: number, limits: Limits): Page {
  const events: StoredEvent[] = []
  const cursor: Cursor = { events, through: after, bytes: 0, full: false }
  const ahead = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  const aborting = new Set<bigint>()
  for (let at = 0; at + HEAD <= records.length; ) {
    const size = records.readInt32BE(at + 8) + 12
    // The broker cuts the last batch where it has sent as much as was asked for.
    if (at + size > records.length) break
    const batch = records.subarray(at, at + size)
    at += size
    if (batch[16] !== MAGIC) throw new Error(`a record batch has format ${batch[16]}, expected ${MAGIC}`)
    const first = Number(batch.readBigInt64BE(0))
    const last = first + batch.readInt32BE(23)
    const attributes = batch.readInt16BE(21)
    const producerId = batch.readBigInt64BE(43)
    while (ahead.length > 0 && ahead[0]!.firstOffset <= last) aborting.add(ahead.shift()!.producerId)
    if (attributes & CONTROL) {
      if (markerOf(batch) === ABORT_MARKER) aborting.delete(producerId)
    } else if (last > after && !(attributes & TRANSACTIONAL && aborting.has(producerId))) {
      readBatch(batch, attributes, first, after, limits, cursor)
      if (cursor.full) return { events, through: cursor.through }
    }
    cursor.through = Math.max(cursor.through, last)
  }
  return { events, through: cursor.through }
}

interface Cursor {
  readonly events: StoredEvent[]
  through: number
  bytes: number
  full: boolean
}

function readBatch(
  batch: Buffer,
  attributes: number,
  first: number,
  after: number,
  { maxEvents, maxBytes }: Limits,
  cursor: Cursor,
): void {
  const time = Number(batch.readBigInt64BE(27))
  const count = batch.readInt32BE(57)
  const records = attributes & COMPRESSION ? unpacked(batch.subarray(HEAD), attributes & COMPRESSION) : batch
  const read: Varints = { bytes: records, at: attributes & COMPRESSION ? 0 : HEAD }
  for (let n = 0; n < count; n++) {
    const length = varint(read)
    const end = read.at + length
    read.at++ // attributes, unused
    const recordTime = time + varint(read)
    const offset = first + varint(read)
    const keyLength = varint(read)
    const keyStart = read.at
    read.at += Math.max(0, keyLength)
    const valueLength = varint(read)
    const valueStart = read.at
    read.at = end
    if (offset <= after) continue
    cursor.bytes += Math.max(0, keyLength) + Math.max(0, valueLength)
    const { events } = cursor
    if (events.length >= maxEvents || (events.length > 0 && cursor.bytes > maxBytes)) {
      cursor.full = true
      return
    }
    // No record of ours is without key or value; one that someone else wrote is kept out, not a reason to stop.
    if (keyLength >= 0 && valueLength >= 0) {
      const keyEnd = keyStart + keyLength
      events.push(new PackedEvent(offset, recordTime, records, keyStart, keyEnd, valueStart, valueStart + valueLength))
    }
    cursor.through = offset
  }
}

/** Producers in other languages may pack theirs; ours do not. */
function unpacked(records: Buffer, compression: number): Buffer {
  const algorithm = compressionsAlgorithmsByBitmask[compression as keyof typeof compressionsAlgorithmsByBitmask]
  if (!algorithm) throw new Error(`a record batch is packed in way ${compression}, which is unknown`)
  return algorithm.decompressSync(records)
}

/** The kind of a control batch: the second number of its only record's key. */
function markerOf(batch: Buffer): number {
  const read: Varints = { bytes: batch, at: HEAD }
  varint(read) // length
  read.at++ // attributes
  varint(read) // time
  varint(read) // offset
  varint(read) // the key's length
  return batch.readInt16BE(read.at + 2)
}

interface Varints {
  readonly bytes: Buffer
  at: number
}

/** A zigzag number of variable length. Sums, not shifts: times are longer than 32 bits. */
function varint(read: Varints): number {
  let value = 0
  let scale = 1
  let byte: number
  do {
    byte = read.bytes[read.at++]!
    value += (byte & 127) * scale
    scale *= 128
  } while (byte > 127)
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
