import { batchWriter } from '../../src/log/batch.ts'
import type { EventBatch, Log, StoredEvent, Stream, TopicSpec } from '../../src/log/log.ts'

export const SPEC: Omit<TopicSpec, 'name'> = {
  key: 'any',
  records: [],
  partitions: 3,
  cleanup_policy: 'delete',
  retention_ms: -1,
  max_message_bytes: 1_048_576,
  readers: [],
}

/** A batch of events whose values are plain text in the wire format's frame. */
export function events(topic: string, ...pairs: [key: string, value: string][]): EventBatch {
  const writer = batchWriter()
  for (const [key, value] of pairs) {
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), Buffer.from(value)])
    writer.add(Buffer.from(key), (buffer, at) => {
      if (at + bytes.length <= buffer.length) buffer.set(bytes, at)
      return at + bytes.length
    })
  }
  return writer.take(topic)!
}

export function text(event: StoredEvent): string {
  return event.value.subarray(5).toString()
}

export async function readAll(log: Log, stream: Stream): Promise<StoredEvent[]> {
  const all: StoredEvent[] = []
  let after = -1
  const end = (await log.ends(stream.topic)).get(stream.name)!
  while (after < end) {
    const page = await log.read(stream, after, { maxEvents: 1000, maxBytes: 1_000_000, waitMs: 100 })
    all.push(...page.events)
    after = page.through
  }
  return all
}

export async function readTopic(log: Log, topic: string): Promise<StoredEvent[]> {
  return (await Promise.all(log.streams(topic).map(stream => readAll(log, stream)))).flat()
}
