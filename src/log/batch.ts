import type { EventBatch, StoredEvent } from './log.ts'

const HEAD = 8
const NONE = Buffer.alloc(0)

/** Collects events into the packed form of an EventBatch. */
export interface BatchWriter {
  readonly count: number
  /** Bytes written so far. */
  readonly size: number
  /**
   * Adds one event: `write` puts the value into the buffer at an index and returns the index after it, which may lie
   * past the buffer's end when there is no room; it is then called again with more room. The key is the first
   * `keyLength` bytes of `key`.
   */
  add(key: Buffer, write: (buffer: Buffer, at: number) => number, keyLength?: number): void
  /** Takes what was collected and starts anew; undefined when there is nothing. */
  take(topic: string, partition?: number): EventBatch | undefined
}

/** `initialBytes` is how much room is made when the first event comes; until then there is none. */
export function batchWriter(initialBytes = 4096): BatchWriter {
  let buffer = NONE
  let room = initialBytes
  let size = 0
  let count = 0

  function grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, buffer.length * 2, room))
    buffer.copy(larger, 0, 0, size)
    buffer = larger
  }

  return {
    get count() {
      return count
    },
    get size() {
      return size
    },
    add(key, write, keyLength = key.length) {
      const valueAt = size + HEAD + keyLength
      if (valueAt > buffer.length) grow(valueAt + 256)
      let end = write(buffer, valueAt)
      if (end > buffer.length) {
        grow(end)
        end = write(buffer, valueAt)
      }
      key.copy(buffer, size + HEAD, 0, keyLength)
      buffer.writeUInt32LE(keyLength, size)
      buffer.writeUInt32LE(end - valueAt, size + 4)
      size = end
      count++
    },
    take(topic, partition) {
      if (count === 0) return undefined
      const bytes = buffer.subarray(0, size) as Uint8Array<ArrayBuffer>
      const batch = { topic, count, bytes, ...(partition === undefined ? {} : { partition }) }
      room = Math.max(initialBytes, Math.min(size * 2, buffer.length))
      buffer = NONE
      size = 0
      count = 0
      return batch
    },
  }
}

/** Where the event that begins at `at` has its key and value; the next one begins at `valueEnd`. */
export function eventAt(view: DataView, at: number): { keyStart: number; valueStart: number; valueEnd: number } {
  const keyStart = at + HEAD
  const valueStart = keyStart + view.getUint32(at, true)
  return { keyStart, valueStart, valueEnd: valueStart + view.getUint32(at + 4, true) }
}

/** Walks over the events of a packed batch; the spans lie in `bytes`. */
export function eachEvent(
  bytes: Uint8Array,
  onEvent: (keyStart: number, valueStart: number, valueEnd: number, index: number) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const { keyStart, valueStart, valueEnd } = eventAt(view, at)
    onEvent(keyStart, valueStart, valueEnd, index)
    at = valueEnd
  }
}

/**
 * An event inside a larger buffer. Its key and value become buffers of their own only when they are asked for: a page
 * of them lives as long as a projection works on it, and should not weigh three objects an event meanwhile.
 */
export class PackedEvent implements StoredEvent {
  readonly offset: number
  readonly time: number
  readonly bytes: Buffer
  readonly keyStart: number
  readonly keyEnd: number
  readonly valueStart: number
  readonly valueEnd: number

  constructor(
    offset: number,
    time: number,
    bytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ) {
    this.offset = offset
    this.time = time
    this.bytes = bytes
    this.keyStart = keyStart
    this.keyEnd = keyEnd
    this.valueStart = valueStart
    this.valueEnd = valueEnd
  }

  get key(): Buffer {
    return this.bytes.subarray(this.keyStart, this.keyEnd)
  }

  get value(): Buffer {
    return this.bytes.subarray(this.valueStart, this.valueEnd)
  }
}

/** An event's key as text. */
export function keyText(event: StoredEvent): string {
  return event instanceof PackedEvent
    ? event.bytes.toString('utf8', event.keyStart, event.keyEnd)
    : event.key.toString()
}
