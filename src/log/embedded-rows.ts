import type { StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'

/** Most bytes of small batches that become one row: reading a row costs about what reading 30 events does. */
const ROW_BYTES = 64 * 1024

/** Writes batches as rows of (last, first, topic, time, crc, bytes); those of a topic that follow each other share one. */
export function rowWriter(insert: StatementSync) {
  let topic = 0
  let [first, next, size] = [0, 0, 0]
  let parts: Uint8Array[] = []

  function flush(): void {
    if (parts.length === 0) return
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, size)
    insert.run(next - 1, first, topic, Date.now(), crc32(bytes), bytes)
    parts = []
    size = 0
  }

  return {
    /** Adds `count` events from the offset `at` on: the one after the last that was added. */
    add(number: number, at: number, count: number, bytes: Uint8Array): void {
      if (number !== topic || size + bytes.length > ROW_BYTES) flush()
      if (parts.length === 0) [topic, first] = [number, at]
      parts.push(bytes)
      size += bytes.length
      next = at + count
    },
    flush,
    /** Forgets what was not flushed. */
    clear(): void {
      parts = []
      size = 0
    },
  }
}
