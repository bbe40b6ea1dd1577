import type { Message, Producer } from 'kafkajs'
import type { LogCopied } from '../../events/index.ts'
import { DomainError } from '../../kernel/errors.ts'
import { passPoint } from '../../kernel/points.ts'
import { eachEvent } from '../batch.ts'
import { createCodec } from '../codec.ts'
import { ORIGIN, originText } from '../kafka-copies.ts'
import { ORIGINS } from '../kafka-origins.ts'
import type { Layout } from './layout.ts'
import type { createRewriter } from './rewrite.ts'
import type { Source } from './source.ts'
import { refused, type StreamState, type Target } from './target.ts'

/** Batches stay small so that looking for one record of a stream does not bring a megabyte along each time. */
const PART_BYTES = 128 * 1024
/** What the producer's library makes of a message beside its key and value, about. */
const OVERHEAD = 100

/** Writes what is not on Kafka yet. One request is under way while the next one is put together. */
export interface Writer {
  /** Copies the events of one topic that its streams do not have. */
  copy(
    layout: Layout,
    states: ReadonlyMap<string, StreamState>,
    rewrite: ReturnType<typeof createRewriter>,
  ): Promise<void>
  mark(mark: LogCopied): Promise<void>
  close(): Promise<void>
}

export async function openWriter(options: {
  target: Target
  source: Source
  onWritten: (events: number) => void
}): Promise<Writer> {
  const { target, source, onWritten } = options
  const producer = target.kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  let underWay: Promise<void> = Promise.resolve()

  /** Resolves once the request before is acknowledged; what fails is told by the next call, or by `flushed`. */
  async function send(topic: string, messages: Message[]): Promise<void> {
    await underWay
    underWay = sendNow(producer, topic, messages).then(() => {
      onWritten(messages.length)
      passPoint('migrate.sent')
    })
    // Looked at when the next one goes out.
    underWay.catch(() => undefined)
  }

  return {
    async copy({ topic, since, partitionOf }, states, rewrite) {
      const { name, max_message_bytes } = topic
      const limit = Math.min(PART_BYTES, max_message_bytes)
      const ofTopic = target.streams.get(name)!.map(stream => states.get(stream.name)!)
      const parts = ofTopic.map(() => 0)
      let messages: Message[] = []
      const from = Math.min(...ofTopic.map(({ through }) => through))
      for (const event of source.events(name, from, since)) {
        const { key, offset, time } = event
        const partition = partitionOf(key)
        if (offset <= ofTopic[partition]!.through) continue
        const value = rewrite(event, name)
        const size = key.length + value.length + OVERHEAD
        if (parts[partition]! > 0 && parts[partition]! + size > limit) {
          await send(name, messages)
          messages = []
          parts.fill(0)
        }
        parts[partition]! += size
        const headers = { [ORIGIN]: originText(source.id, offset) }
        messages.push({ key, value, partition, timestamp: String(time), headers })
      }
      if (messages.length > 0) await send(name, messages)
      await underWay
    },
    async mark(mark) {
      const codec = createCodec({ schemaId: target.schemas.idOf, schema: target.schemas.byId })
      const { bytes } = codec.batch(ORIGINS, 'LogCopied', mark.log, mark)
      const messages: Message[] = []
      eachEvent(bytes, (keyStart, valueStart, valueEnd) => {
        const [key, value] = [bytes.subarray(keyStart, valueStart), bytes.subarray(valueStart, valueEnd)].map(
          Buffer.from,
        )
        messages.push({ key: key!, value: value!, partition: 0 })
      })
      await sendNow(producer, ORIGINS, messages)
      passPoint('migrate.marked')
    },
    close: () => producer.disconnect(),
  }
}

async function sendNow(producer: Producer, topic: string, messages: Message[]): Promise<void> {
  try {
    await producer.send({ topic, messages, acks: -1 })
  } catch (error) {
    const message = `Kafka does not take the events of ${topic}: ${(error as Error).message}; run migrate again, it goes on from there`
    throw new DomainError('UNAVAILABLE', message)
  }
}

/** Where a group goes on: the offset of the next event to handle. */
export interface Handled {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly next: number
}

const READ_BACK_MS = 10_000

/** Commits how far each group has come, the way the service does, and waits until Kafka says so too. */
export async function commitHandled(target: Target, source: string, handled: readonly Handled[]): Promise<void> {
  if (handled.length === 0) return
  const producer = target.kafka.producer({
    transactionalId: `migrate-${source}`,
    idempotent: true,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  try {
    for (const [group, ofGroup] of Map.groupBy(handled, each => each.group)) {
      const topics = [...Map.groupBy(ofGroup, each => each.topic)].map(([topic, list]) => ({
        topic,
        partitions: list.map(({ partition, next }) => ({ partition, offset: String(next) })),
      }))
      const transaction = await producer.transaction()
      await transaction.sendOffsets({ consumerGroupId: group, topics })
      await transaction.commit()
      await untilCommitted(target, group, ofGroup)
    }
  } finally {
    await producer.disconnect()
  }
  passPoint('migrate.committed')
}

/** Offsets of a transaction are seen when its marker is written, a moment after it is committed. */
async function untilCommitted({ admin }: Target, group: string, handled: readonly Handled[]): Promise<void> {
  const topics = [...new Set(handled.map(({ topic }) => topic))]
  for (const end = Date.now() + READ_BACK_MS; ; ) {
    const found = new Map<string, string>()
    for (const { topic, partitions } of await admin.fetchOffsets({ groupId: group, topics }))
      for (const { partition, offset } of partitions) found.set(`${topic} ${partition}`, offset)
    const wrong = handled.find(({ topic, partition, next }) => found.get(`${topic} ${partition}`) !== String(next))
    if (!wrong) return
    if (Date.now() > end)
      throw new Error(`the group ${group} does not stand at ${wrong.next} in ${wrong.topic}-${wrong.partition}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** Throws when a service works on this Kafka: it would take a part of the copy for the whole. */
export async function requireNobody(target: Target, groups: readonly string[]): Promise<void> {
  if (groups.length === 0) return
  const described = await target.admin.describeGroups([...groups])
  const busy = described.groups.find(({ members }) => members.length > 0)
  if (busy) throw refused(`a service works on this Kafka, as group ${busy.groupId}: stop it first`)
}
