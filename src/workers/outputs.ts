import { type Events, topicOf } from '../events/index.ts'
import { type BatchWriter, batchWriter } from '../log/batch.ts'
import type { Codec } from '../log/codec.ts'
import type { EventBatch } from '../log/log.ts'

/** Bytes in one batch: one that grew to hold all of them would be copied each time. */
const BATCH_BYTES = 1024 * 1024
/** What an output takes, about. */
const OUTPUT_BYTES = 256

/** An event that a projection has put out. */
export type Output = { [Type in keyof Events]: { readonly type: Type; readonly event: Events[Type] } }[keyof Events]

/** What a projector puts out within one transaction, on its way into the log. */
export interface Outputs {
  /** Adds an event: under the key of its source, in the partition of that; or, with a key of its own, where that belongs. */
  add<Type extends keyof Events>(type: Type, event: Events[Type], sourceKey: Buffer, key: string | undefined): void
  /** Bytes added so far. */
  readonly size: number
  /** Those that were added with keys of their own. */
  readonly keyed: readonly Output[]
  /** All that was added; of each topic in the order of the adding. */
  take(): EventBatch[]
}

/** `expected` is how many outputs there will be, about; `redirect` leads a topic's to another one. */
export function collectOutputs(
  codec: Codec,
  partition: number,
  expected: number,
  redirect: (topic: string) => string = topic => topic,
): Outputs {
  /** A topic's outputs either follow their sources or have keys of their own. */
  const parts = new Map<string, { readonly writer: BatchWriter; readonly follows: boolean }>()
  const full: EventBatch[] = []
  const keyed: Output[] = []
  let size = 0

  function partOf(topic: string, follows: boolean) {
    let part = parts.get(topic)
    if (!part) {
      const room = follows ? expected * OUTPUT_BYTES : OUTPUT_BYTES
      part = { writer: batchWriter(Math.min(BATCH_BYTES, room)), follows }
      parts.set(topic, part)
    }
    return part
  }

  function takeFrom(topic: string): void {
    const { writer, follows } = parts.get(topic)!
    const batch = writer.take(redirect(topic), follows ? partition : undefined)
    if (batch) full.push(batch)
  }

  return {
    add(type, event, sourceKey, key) {
      const topic = topicOf[type]
      const { writer } = partOf(topic, key === undefined)
      const before = writer.size
      const as = key === undefined ? sourceKey : Buffer.from(key)
      if (key !== undefined) keyed.push({ type, event } as Output)
      writer.add(as, (buffer, at) => codec.write(type, event, buffer, at))
      size += writer.size - before
      if (writer.size >= BATCH_BYTES) takeFrom(topic)
    },
    keyed,
    get size() {
      return size
    },
    take() {
      for (const topic of parts.keys()) takeFrom(topic)
      return full.splice(0)
    },
  }
}
