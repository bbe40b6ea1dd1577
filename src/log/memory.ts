import { randomUUID } from 'node:crypto'
import { partitionOf } from '../kernel/hash.ts'
import { type Position, positionAt, streamName } from '../kernel/position.ts'
import { alone } from './alone.ts'
import { eachEvent } from './batch.ts'
import { alreadyConsumed } from './consumed.ts'
import { growth } from './growth.ts'
import type { EventBatch, Log, StoredEvent, Stream } from './log.ts'

/** The log as a few arrays: for tests, and the plainest statement of what the other adapters do. */
export function openMemoryLog(): Log {
  const id = randomUUID().slice(0, 8)
  const topics = new Map<string, Stream[]>()
  const events = new Map<string, StoredEvent[]>()
  const schemas: { name: string; schema: object }[] = []
  const checkpoints = new Map<string, number>()
  const growing = growth()

  function put(batch: EventBatch, offsets: Map<string, number>): void {
    const streams = topics.get(batch.topic)
    if (!streams) throw new Error(`topic ${batch.topic} was not declared`)
    const bytes = Buffer.from(batch.bytes)
    eachEvent(bytes, (keyStart, valueStart, valueEnd) => {
      const partition = batch.partition ?? partitionOf(bytes, streams.length, keyStart, valueStart)
      const name = streams[partition]!.name
      const stream = events.get(name)!
      const key = bytes.subarray(keyStart, valueStart)
      stream.push({ offset: stream.length, time: Date.now(), key, value: bytes.subarray(valueStart, valueEnd) })
      offsets.set(name, stream.length - 1)
    })
  }

  return {
    id,
    async declare(specs, declared) {
      for (const { name, partitions } of specs) {
        if (topics.has(name)) continue
        const streams = Array.from({ length: partitions }, (_, n) => ({
          name: streamName(name, n),
          topic: name,
          partition: n,
        }))
        topics.set(name, streams)
        for (const stream of streams) events.set(stream.name, [])
      }
      for (const [name, schema] of Object.entries(declared)) schemas.push({ name, schema })
    },
    streams: topic => topics.get(topic) ?? [],
    place: (stream, offset) => positionAt(id, stream.name, offset),
    // Nothing is ever copied into it.
    adopt: async () => undefined,
    async append(batches, { consumed } = {}): Promise<Position> {
      if (consumed) {
        const checkpoint = `${consumed.group} ${consumed.stream.name}`
        if (consumed.offset <= (checkpoints.get(checkpoint) ?? -1)) throw alreadyConsumed(consumed.offset, checkpoint)
        checkpoints.set(checkpoint, consumed.offset)
      }
      const offsets = new Map<string, number>()
      for (const batch of batches) put(batch, offsets)
      growing.grew()
      return { log: id, offsets }
    },
    own: async (group, stream) => checkpoints.get(`${group} ${stream.name}`) ?? -1,
    share: (_group, topic, onStreams) => alone(topics.get(topic) ?? [], onStreams),
    async read(stream, after, limits) {
      const all = events.get(stream.name)!
      if (all.length <= after + 1) await growing.wait(limits.waitMs, limits.signal)
      const page: StoredEvent[] = []
      let bytes = 0
      for (const event of all.slice(after + 1, after + 1 + limits.maxEvents)) {
        bytes += event.value.length
        if (page.length > 0 && bytes > limits.maxBytes) break
        page.push(event)
      }
      return { events: page, through: page.at(-1)?.offset ?? after }
    },
    ends: async topic =>
      new Map((topics.get(topic) ?? []).map(({ name }) => [name, events.get(name)!.length - 1] as const)),
    reachedBy: async (topic, time) =>
      new Map(
        (topics.get(topic) ?? []).map(({ name }) => {
          const later = events.get(name)!.findIndex(event => event.time > time)
          return [name, (later < 0 ? events.get(name)!.length : later) - 1] as const
        }),
      ),
    // It keeps everything.
    forgotten: async topic => new Map((topics.get(topic) ?? []).map(({ name }) => [name, -1] as const)),
    written: async stream => events.get(stream.name)!.length - 1,
    lag: async (stream, after) => events.get(stream.name)!.length - 1 - after,
    stats: () => ({ rebalances: 0, retries: 0 }),
    schemaId(type) {
      const found = schemas.findLastIndex(({ name }) => name === type)
      if (found < 0) throw new Error(`the schema of ${type} was not declared`)
      return found
    },
    schema: async number => schemas[number]!.schema,
    stop: async () => growing.grew(),
  }
}
