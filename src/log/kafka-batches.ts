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

/** The record batches of a Fetch response, read page by page: brokers send more at once than a page may hold. */
export interface Batches {
  page(limits: Limits): Page
  /** Up to where pages have been read. */
  readonly through: number
  /** Whether there is nothing more to read. */
  readonly done: boolean
}

/**
 * Reads record batches (format 2: Kafka protocol guide, "Record Batch"), beginning after an offset. Keys and values stay
 * where they are in `records`.
 *
 * Batches of aborted transactions are passed over, by the rule of Kafka's own consumer: from an aborted transaction's
 * first offset on, its producer's batches are void until the producer's next abort marker. The page's `through` goes
 * over them: a response may hold nothing else, and a reader must get past it.
 */
export function readBatches(records: Buffer, aborted: readonly Aborted[], after: number): Batches {
  const ahead = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  const aborting = new Set<bigint>()
  let [at, through] = [0, after]
  let current = nextBatch()

  /** Opens the next batch with records to read, and goes over those without. */
  function nextBatch(): OpenBatch | undefined {
    while (at + HEAD <= records.length) {
      const size = records.readInt32BE(at + 8) + 12
      // The broker cuts the last batch where it has sent as much as was asked for.
      if (at + size > records.length) return undefined
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
      } else if (last > through && !(attributes & TRANSACTIONAL && aborting.has(producerId))) {
        return openBatch(batch, attributes, first, last)
      }
      through = Math.max(through, last)
    }
    return undefined
  }

  return {
    page(limits) {
      const page: OpenPage = { events: [], bytes: 0, after, limits }
      while (current) {
        const read = readInto(page, current)
        if (read !== undefined) {
          through = Math.max(through, read)
          return { events: page.events, through }
        }
        through = Math.max(through, current.last)
        current = nextBatch()
      }
      return { events: page.events, through }
    },
    get through() {
      return through
    },
    get done() {
      return current === undefined
    },
  }
}

interface OpenBatch extends Varints {
  readonly first: number
  readonly last: number
  readonly time: number
  /** Records not read yet. */
  left: number
}

function openBatch(batch: Buffer, attributes: number, first: number, last: number): OpenBatch {
  const packed = attributes & COMPRESSION
  return {
    bytes: packed ? unpacked(batch.subarray(HEAD), packed) : batch,
    at: packed ? 0 : HEAD,
    first,
    last,
    time: Number(batch.readBigInt64BE(27)),
    left: batch.readInt32BE(57),
  }
}

interface OpenPage {
  readonly events: StoredEvent[]
  readonly limits: Limits
  /** Records up to this offset are passed over: a response begins with the batch that has what was asked for. */
  readonly after: number
  bytes: number
}

/** Reads a batch's records into a page; when that is full before the batch ends, gives back up to which offset. */
function readInto(page: OpenPage, batch: OpenBatch): number | undefined {
  const { events, after, limits } = page
  let through = -1
  for (; batch.left > 0; batch.left--) {
    const start = batch.at
    const length = varint(batch)
    const end = batch.at + length
    batch.at++ // attributes, unused
    const time = batch.time + varint(batch)
    const offset = batch.first + varint(batch)
    const keyLength = varint(batch)
    const keyStart = batch.at
    batch.at += Math.max(0, keyLength)
    const valueLength = varint(batch)
    const valueStart = batch.at
    batch.at = end
    if (offset <= after) continue
    const bytes = page.bytes + Math.max(0, keyLength) + Math.max(0, valueLength)
    if (events.length >= limits.maxEvents || (events.length > 0 && bytes > limits.maxBytes)) {
      batch.at = start
      return through
    }
    page.bytes = bytes
    through = offset
    // No record of ours is without key or value; one that someone else wrote is kept out, not a reason to stop.
    if (keyLength < 0 || valueLength < 0) continue
    const [keyEnd, valueEnd] = [keyStart + keyLength, valueStart + valueLength]
    events.push(new PackedEvent(offset, time, batch.bytes, keyStart, keyEnd, valueStart, valueEnd))
  }
  return undefined
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
