import { crc32c } from '@platformatic/kafka'

/**
 * Kafka's record batch, format 2 (Kafka protocol guide, "Record Batch"; numbers are big endian, `varint`s zigzag):
 * a head of 61 bytes, then for each record its length, attributes, time and offset relative to the head, key, value and
 * headers. Written straight from the events' bytes: a general client makes ten objects a record, this makes none.
 */
export interface RecordBatch {
  readonly count: number
  /** Bytes so far, the head included. */
  readonly size: number
  /** `headers`: as a record has them, their count first. */
  add(bytes: Uint8Array, keyStart: number, valueStart: number, valueEnd: number, headers?: Buffer): void
  /** The finished batch, numbered for an idempotent producer; `time` in milliseconds since 1970. */
  finish(producer: Identity, sequence: number, time: number, transactional: boolean): Buffer
  /** The memory that it was put together in, for the next one when nobody needs this one any more. */
  readonly room: Buffer
}

/** A producer as brokers know it. */
export interface Identity {
  readonly id: bigint
  readonly epoch: number
}

const HEAD = 61
/** Where the part that the checksum covers begins. */
const CHECKED_FROM = 21
const MAGIC = 2
const TRANSACTIONAL = 1 << 4
/** Lengths of a record's parts and its attributes, at most. */
export const RECORD_OVERHEAD = 24
const NO_HEADERS = Buffer.from([0])

/** `room`: memory to put it together in, or how many bytes to begin with. */
export function recordBatch(room: Buffer | number = 16 * 1024): RecordBatch {
  let buffer = typeof room === 'number' ? Buffer.allocUnsafeSlow(room) : room
  let size = HEAD
  let count = 0

  function varint(value: number): void {
    let rest = value * 2
    while (rest > 127) {
      buffer[size++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    buffer[size++] = rest
  }

  return {
    get count() {
      return count
    },
    get size() {
      return size
    },
    get room() {
      return buffer
    },
    add(bytes, keyStart, valueStart, valueEnd, headers = NO_HEADERS) {
      const keyLength = valueStart - keyStart
      const valueLength = valueEnd - valueStart
      const headersLength = headers.length
      const needed = size + keyLength + valueLength + headersLength + RECORD_OVERHEAD
      if (needed > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(needed, buffer.length * 2))
        buffer.copy(larger, 0, 0, size)
        buffer = larger
      }
      // Attributes and time delta are a zero byte each.
      const lengths = varintSize(count) + varintSize(keyLength) + varintSize(valueLength)
      varint(2 + lengths + keyLength + valueLength + headersLength)
      buffer[size++] = 0
      buffer[size++] = 0
      varint(count)
      varint(keyLength)
      buffer.set(bytes.subarray(keyStart, valueStart), size)
      size += keyLength
      varint(valueLength)
      buffer.set(bytes.subarray(valueStart, valueEnd), size)
      size += valueLength
      buffer.set(headers, size)
      size += headersLength
      count++
    },
    finish({ id, epoch }, sequence, time, transactional) {
      buffer.writeBigInt64BE(0n, 0) // the broker numbers the records
      buffer.writeInt32BE(size - 12, 8)
      buffer.writeInt32BE(-1, 12)
      buffer[16] = MAGIC
      buffer.writeInt16BE(transactional ? TRANSACTIONAL : 0, 21)
      buffer.writeInt32BE(count - 1, 23)
      buffer.writeBigInt64BE(BigInt(time), 27)
      buffer.writeBigInt64BE(BigInt(time), 35)
      buffer.writeBigInt64BE(id, 43)
      buffer.writeInt16BE(epoch, 51)
      buffer.writeInt32BE(sequence, 53)
      buffer.writeInt32BE(count, 57)
      const batch = buffer.subarray(0, size)
      buffer.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)), 17)
      return batch
    },
  }
}

function varintSize(value: number): number {
  let bytes = 1
  for (let rest = value * 2; rest > 127; rest = Math.floor(rest / 128)) bytes++
  return bytes
}
