import { Kafka, logLevel } from 'kafkajs'
import { DomainError } from '../kernel/errors.ts'
import { partitionOf } from '../kernel/hash.ts'
import { mergePositions, type Position, positionAt, streamName } from '../kernel/position.ts'
import { eachEvent, eventAt } from './batch.ts'
import { createEventHeaders, type EventHeaders } from './cloud-events.ts'
import { declareCheckpoints } from './kafka-checkpoints.ts'
import { createCopyReader } from './kafka-copies.ts'
import { joinGroup } from './kafka-groups.ts'
import { createAdoption, ORIGINS, readMark, requireFinished } from './kafka-origins.ts'
import type { Part } from './kafka-produce.ts'
import { createBatchProducer } from './kafka-producer.ts'
import { createReader } from './kafka-reader.ts'
import { RECORD_OVERHEAD, type RecordBatch, recordBatch } from './kafka-records.ts'
import { createSchemas } from './kafka-schemas.ts'
import { clusterLogId, declareTopics } from './kafka-topics.ts'
import { createTransactions } from './kafka-transactions.ts'
import type { EventBatch, Log, Stream } from './log.ts'

/**
 * The log on Apache Kafka. A stream is a partition, an offset is Kafka's. Values are in Confluent's wire format with
 * ids from the schema registry, so any client in any language reads them.
 *
 * Plain appends go through one idempotent producer (acks = all) with one request under way at a time; what arrives
 * meanwhile shares the next one. Appends with `consumed` are a transaction each (`kafka-transactions.ts`).
 */
export interface KafkaLogOptions {
  brokers: readonly string[]
  registryUrl: string
  /** The file that keeps what the registry said, for starts without it. */
  schemaCache: string
  clientId: string
  /** How long a broker may take before an append is refused with UNAVAILABLE. */
  timeoutMs: number
  /** How long a member of a group may be silent before the others take its streams over. */
  sessionMs: number
  /** Most bytes that may wait to be sent; past it an append is refused with UNAVAILABLE. */
  maxPendingBytes: number
}

interface Waiting {
  batch: EventBatch
  /** How many of the batch's bytes are on their way. */
  taken: number
  position: Position
  resolve: (position: Position) => void
  reject: (error: unknown) => void
}

/** Most events in one request to the brokers, so that none of them is kept waiting for a giant. */
const MAX_EVENTS_A_SEND = 50_000
/** Bytes of a record batch to begin with, and how much more than the last one had. */
const LEAST_ROOM = 16 * 1024
const MORE_ROOM = 1.25

export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const kafka = new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    logLevel: logLevel.NOTHING,
    // A transaction right after another answers CONCURRENT_TRANSACTIONS until its markers are written: ask again soon.
    retry: { initialRetryTime: 5, retries: 12, maxRetryTime: options.timeoutMs },
  })
  const admin = kafka.admin()
  await admin.connect()
  const id = await clusterLogId(admin)

  const streams = new Map<string, readonly Stream[]>()
  const maxBytes = new Map<string, number>()
  const schemas: ReturnType<typeof createSchemas> = createSchemas(options.registryUrl, options.schemaCache)
  const reader = createReader(options)
  const transactions = createTransactions(admin, reader, options)
  const copies = createCopyReader(options)
  const producer = createBatchProducer(options)
  const waiting: Waiting[] = []
  const rooms = new Map<string, number>()
  /** Memory of batches that brokers have: none is kept when nothing waits. */
  const spares = new Map<string, Buffer>()
  const { sessionMs } = options
  let rebalances = 0
  let pendingBytes = 0
  let sending: Promise<void> | undefined
  let stopped = false
  let adopt: Log['adopt'] = async () => undefined
  let headers: EventHeaders = createEventHeaders(id, [])

  /** Sends what waits, one request after the other; the next one is put together while the last is under way. */
  async function drain(): Promise<void> {
    let underWay: Promise<void> = Promise.resolve()
    while (waiting.length > 0) {
      const { parts, entries, finished } = takeSome()
      await underWay
      const { retries } = producer
      underWay = producer.send(parts).then(
        offsets => {
          // A try that was not answered may be on its way out still.
          if (producer.retries === retries)
            for (const { topic, partition, batch } of parts) spares.set(streamName(topic, partition), batch.room)
          for (const entry of entries) entry.position = mergePositions(entry.position, { log: id, offsets })
          for (const entry of finished) settle(entry, () => entry.resolve(entry.position))
        },
        error => {
          for (const entry of entries) settle(entry, () => entry.reject(unavailable(error)))
        },
      )
      if (waiting.length === 0) await underWay
    }
    spares.clear()
    sending = undefined
  }

  const settled = new WeakSet<Waiting>()
  function settle(entry: Waiting, answer: () => void): void {
    if (settled.has(entry)) return
    settled.add(entry)
    pendingBytes -= entry.batch.bytes.length
    answer()
  }

  /** In the memory of one that is done, else with as much room as the last one took: growing copies, fresh memory is slow. */
  function openBatch(stream: string): RecordBatch {
    const spare = spares.get(stream)
    spares.delete(stream)
    return recordBatch(spare ?? rooms.get(stream))
  }

  function taken(parts: ReadonlyMap<string, Part>): Part[] {
    for (const [stream, { batch }] of parts) rooms.set(stream, Math.max(LEAST_ROOM, Math.ceil(batch.size * MORE_ROOM)))
    return [...parts.values()]
  }

  /** The next events that fit into one request: brokers limit the bytes of each partition's part of it. */
  function takeSome(): { parts: Part[]; entries: Waiting[]; finished: Waiting[] } {
    const parts = new Map<string, Part>()
    const entries: Waiting[] = []
    const finished: Waiting[] = []
    let events = 0
    while (waiting.length > 0) {
      const entry = waiting[0]!
      if (settled.has(entry)) {
        waiting.shift() // an earlier part of it was refused
        continue
      }
      const { topic, partition, bytes } = entry.batch
      const partitions = streams.get(topic)!.length
      const limit = maxBytes.get(topic)!
      entries.push(entry)
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      while (entry.taken < bytes.length) {
        const { keyStart, valueStart, valueEnd } = eventAt(view, entry.taken)
        const number = partition ?? partitionOf(bytes, partitions, keyStart, valueStart)
        const stream = streamName(topic, number)
        let part = parts.get(stream)
        const size = (part?.batch.size ?? 0) + valueEnd - keyStart + headers.size + RECORD_OVERHEAD
        if (events >= MAX_EVENTS_A_SEND || (part && size > limit)) return { parts: taken(parts), entries, finished }
        if (!part) {
          part = { topic, partition: number, batch: openBatch(stream) }
          parts.set(stream, part)
        }
        part.batch.add(bytes, keyStart, valueStart, valueEnd, headers.next(schemaAt(bytes, valueStart)))
        events++
        entry.taken = valueEnd
      }
      finished.push(entry)
      waiting.shift()
    }
    return { parts: taken(parts), entries, finished }
  }

  /** Events as record batches for their partitions, none larger than its topic's limit. */
  function partsOf(batches: readonly EventBatch[]): Part[] {
    const parts: Part[] = []
    const open = new Map<string, Part>()
    for (const { topic, bytes, partition: fixed } of batches) {
      const partitions = streams.get(topic)!.length
      const limit = maxBytes.get(topic)!
      eachEvent(bytes, (keyStart, valueStart, valueEnd) => {
        const partition = fixed ?? partitionOf(bytes, partitions, keyStart, valueStart)
        const name = streamName(topic, partition)
        let part = open.get(name)
        if (!part || part.batch.size + valueEnd - keyStart + headers.size + RECORD_OVERHEAD > limit) {
          part = { topic, partition, batch: openBatch(name) }
          open.set(name, part)
          parts.push(part)
        }
        part.batch.add(bytes, keyStart, valueStart, valueEnd, headers.next(schemaAt(bytes, valueStart)))
      })
    }
    taken(open)
    return parts
  }

  function enqueue(batch: EventBatch): Promise<Position> {
    if (!streams.has(batch.topic)) return Promise.reject(new Error(`topic ${batch.topic} was not declared`))
    const size = batch.bytes.length
    if (pendingBytes > 0 && pendingBytes + size > options.maxPendingBytes) {
      const message = `${pendingBytes} bytes already wait for the brokers, the limit is ${options.maxPendingBytes}`
      return Promise.reject(new DomainError('UNAVAILABLE', message, { retryAfter: 1 }))
    }
    pendingBytes += size
    return new Promise((resolve, reject) => {
      waiting.push({ batch, taken: 0, position: { log: id, offsets: new Map() }, resolve, reject })
      sending ??= drain()
    })
  }

  const log: Log = {
    id,
    async declare(topics, declared) {
      await declareTopics(admin, topics, streams)
      await declareCheckpoints(admin)
      for (const { name, max_message_bytes } of topics) maxBytes.set(name, max_message_bytes)
      await schemas.register(topics, declared)
      headers = createEventHeaders(id, schemas.known())
      if (!streams.has(ORIGINS)) return
      const mark = await readMark(log)
      requireFinished(mark)
      if (mark) adopt = createAdoption({ id, mark, streams: log.streams, reader: copies })
    },
    streams: topic => streams.get(topic) ?? [],
    place: (stream, offset) => positionAt(id, stream.name, offset),
    adopt: (position, topics) => adopt(position, topics),
    async append(batches, { consumed } = {}) {
      if (stopped) throw new DomainError('UNAVAILABLE', 'the event log is closed', { retryAfter: 5 })
      if (consumed) return { log: id, offsets: await transactions.append(partsOf(batches), consumed) }
      const positions = await Promise.all(batches.map(enqueue))
      return positions.reduce(mergePositions, { log: id, offsets: new Map() })
    },
    own: (group, stream) => transactions.own(group, stream),
    async share(group, topic, onStreams) {
      const told = (held: readonly Stream[]) => {
        rebalances++
        onStreams(held)
      }
      return joinGroup(kafka, { group, topic, streams: streams.get(topic)!, sessionMs, onStreams: told })
    },
    read: (stream, after, limits) => reader.read(stream, after, limits),
    ends: topic => reader.ends(streams.get(topic) ?? []),
    reachedBy: (topic, time) => reader.reachedBy(streams.get(topic) ?? [], time),
    forgotten: topic => reader.forgotten(streams.get(topic) ?? []),
    written: stream => reader.written(stream),
    lag: async (stream, after) => (await reader.ends([stream])).get(stream.name)! - after,
    stats: () => ({ rebalances, retries: producer.retries + transactions.retries }),
    schemaId: type => schemas.idOf(type),
    schema: number => schemas.byId(number),
    async stop() {
      stopped = true
      await sending
      await Promise.all([producer.stop(), reader.stop(), copies.stop(), transactions.stop()])
      await admin.disconnect()
    },
  }
  return log
}

/** The id of the schema in a value's frame. */
function schemaAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) >>> 0
}

function unavailable(error: unknown): DomainError {
  return new DomainError('UNAVAILABLE', `the event log cannot be written: ${(error as Error).message}`, {
    retryAfter: 5,
  })
}
