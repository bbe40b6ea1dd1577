import { type Producer as FastProducer, Producer } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { DomainError } from '../kernel/errors.ts'
import { partitionOf } from '../kernel/hash.ts'
import { mergePositions, type Position, positionAt, streamName } from '../kernel/position.ts'
import { eachEvent } from './batch.ts'
import { createReader } from './kafka-reader.ts'
import { createSchemas } from './kafka-schemas.ts'
import { declareTopics } from './kafka-topics.ts'
import { createTransactions } from './kafka-transactions.ts'
import type { EventBatch, Log, Stream } from './log.ts'

/**
 * The log on Apache Kafka. A stream is a partition, an offset is Kafka's. Values are in Confluent's wire format with
 * ids from the schema registry, so any client in any language reads them.
 *
 * Plain appends go through one idempotent producer (acks = all) with one request under way at a time; what arrives
 * meanwhile shares the next one. Appends with `consumed` go through a transaction (`kafka-transactions.ts`).
 */
export interface KafkaLogOptions {
  brokers: readonly string[]
  registryUrl: string
  clientId: string
  /** How long a broker may take before an append is refused with UNAVAILABLE. */
  timeoutMs: number
  /** Most bytes that may wait to be sent; past it an append is refused with UNAVAILABLE. */
  maxPendingBytes: number
}

interface Waiting {
  batch: EventBatch
  /** The batch's events, once its turn has come, and how many of them are sent. */
  messages: Message[]
  sent: number
  position: Position
  resolve: (position: Position) => void
  reject: (error: unknown) => void
}

interface Message {
  topic: string
  partition: number
  key: Buffer
  value: Buffer
}

/** Most events in one request to the brokers, so that none of them is kept waiting for a giant. */
const MAX_EVENTS_A_SEND = 20_000
/** What Kafka adds to a record and to a batch of them, at most. */
const RECORD_OVERHEAD = 64

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
  const { clusterId } = await admin.describeCluster()
  const id = Buffer.from(clusterId).toString('hex').slice(-12)

  const streams = new Map<string, readonly Stream[]>()
  const maxBytes = new Map<string, number>()
  const schemas: ReturnType<typeof createSchemas> = createSchemas(options.registryUrl)
  const reader = createReader(options)
  const transactions = createTransactions(kafka, admin)
  let producer = newProducer(options)
  const waiting: Waiting[] = []
  let pendingBytes = 0
  let sending: Promise<void> | undefined
  let stopped = false

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const { messages, entries } = takeSome()
      try {
        const position = await send(messages)
        for (const entry of entries) {
          entry.position = mergePositions(entry.position, position)
          if (entry.sent === entry.messages.length) settle(entry, () => entry.resolve(entry.position))
        }
      } catch (error) {
        for (const entry of entries) settle(entry, () => entry.reject(unavailable(error)))
        // The producer's sequence numbers may no longer be the broker's: a new one starts clean.
        void producer.close(true).catch(() => undefined)
        producer = newProducer(options)
      }
    }
    sending = undefined
  }

  function settle(entry: Waiting, answer: () => void): void {
    const at = waiting.indexOf(entry)
    if (at < 0) return
    waiting.splice(at, 1)
    pendingBytes -= entry.batch.bytes.length
    answer()
  }

  /** The next events that fit into one request: brokers limit the bytes of each partition's part of it. */
  function takeSome(): { messages: Message[]; entries: Waiting[] } {
    const messages: Message[] = []
    const entries: Waiting[] = []
    const bytes = new Map<string, number>()
    for (const entry of waiting) {
      if (entry.messages.length === 0) entry.messages = messagesOf(entry.batch)
      entries.push(entry)
      for (; entry.sent < entry.messages.length; entry.sent++) {
        const message = entry.messages[entry.sent]!
        const stream = message.topic + message.partition
        const size =
          (bytes.get(stream) ?? RECORD_OVERHEAD) + message.key.length + message.value.length + RECORD_OVERHEAD
        const full = messages.length >= MAX_EVENTS_A_SEND || size > maxBytes.get(message.topic)!
        if (full && messages.length > 0) return { messages, entries }
        bytes.set(stream, size)
        messages.push(message)
      }
    }
    return { messages, entries }
  }

  function messagesOf({ topic, bytes, partition: fixed }: EventBatch): Message[] {
    const partitions = streams.get(topic)?.length
    if (partitions === undefined) throw new Error(`topic ${topic} was not declared`)
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const messages: Message[] = []
    eachEvent(bytes, (keyStart, valueStart, valueEnd) => {
      const partition = fixed ?? partitionOf(bytes, partitions, keyStart, valueStart)
      messages.push({
        topic,
        partition,
        key: all.subarray(keyStart, valueStart),
        value: all.subarray(valueStart, valueEnd),
      })
    })
    return messages
  }

  async function send(messages: Message[]): Promise<Position> {
    const counts = new Map<string, number>()
    for (const { topic, partition } of messages) {
      const stream = streamName(topic, partition)
      counts.set(stream, (counts.get(stream) ?? 0) + 1)
    }
    const { offsets } = await producer.send({ messages, idempotent: true, acks: -1 })
    const last = new Map<string, number>()
    for (const { topic, partition, offset } of offsets ?? []) {
      const stream = streamName(topic, partition)
      last.set(stream, Number(offset) + counts.get(stream)! - 1)
    }
    return { log: id, offsets: last }
  }

  function enqueue(batch: EventBatch): Promise<Position> {
    const size = batch.bytes.length
    if (pendingBytes > 0 && pendingBytes + size > options.maxPendingBytes) {
      const message = `${pendingBytes} bytes already wait for the brokers, the limit is ${options.maxPendingBytes}`
      return Promise.reject(new DomainError('UNAVAILABLE', message, { retryAfter: 1 }))
    }
    pendingBytes += size
    return new Promise((resolve, reject) => {
      waiting.push({ batch, messages: [], sent: 0, position: { log: id, offsets: new Map() }, resolve, reject })
      sending ??= drain()
    })
  }

  return {
    id,
    async declare(topics, declared) {
      await declareTopics(admin, topics, streams)
      for (const { name, max_message_bytes } of topics) maxBytes.set(name, max_message_bytes)
      await schemas.register(topics, declared)
    },
    streams: topic => streams.get(topic) ?? [],
    place: (stream, offset) => positionAt(id, stream.name, offset),
    async append(batches, { consumed } = {}) {
      if (stopped) throw new DomainError('UNAVAILABLE', 'the event log is closed', { retryAfter: 5 })
      if (consumed) return { log: id, offsets: await transactions.append(batches.flatMap(messagesOf), consumed) }
      const positions = await Promise.all(batches.map(enqueue))
      return positions.reduce(mergePositions, { log: id, offsets: new Map() })
    },
    own: (group, stream) => transactions.own(group, stream),
    read: (stream, after, limits) => reader.read(stream, after, limits),
    ends: topic => reader.ends(streams.get(topic) ?? []),
    lag: async (stream, after) => (await reader.ends([stream])).get(stream.name)! - after,
    schemaId: type => schemas.idOf(type),
    schema: number => schemas.byId(number),
    async stop() {
      stopped = true
      await sending
      await Promise.all([producer.close(true), reader.stop(), transactions.stop()])
      await admin.disconnect()
    },
  }
}

function newProducer(options: KafkaLogOptions): FastProducer<Buffer, Buffer, Buffer, Buffer> {
  return new Producer({
    clientId: options.clientId,
    bootstrapBrokers: [...options.brokers],
    idempotent: true,
    // Past this the request is refused and its sender told; without an end the sender would hang until the broker is back.
    retries: 3,
    retryDelay: 250,
    timeout: options.timeoutMs,
    connectTimeout: options.timeoutMs,
  })
}

function unavailable(error: unknown): DomainError {
  return new DomainError('UNAVAILABLE', `the event log cannot be written: ${(error as Error).message}`, {
    retryAfter: 5,
  })
}
