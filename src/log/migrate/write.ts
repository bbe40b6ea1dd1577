import { randomUUID } from 'node:crypto'
import type { Message, Producer } from 'kafkajs'
import type { LogCopied } from '../../events/index.ts'
import { passPoint } from '../../kernel/points.ts'
import { eachEvent } from '../batch.ts'
import { contextOf } from '../cloud-events.ts'
import { createCodec } from '../codec.ts'
import { ORIGIN, originText } from '../kafka-copies.ts'
import { ORIGINS } from '../kafka-origins.ts'
import type { StoredEvent } from '../log.ts'
import type { Layout } from './layout.ts'
import type { createRewriter } from './rewrite.ts'
import type { Source } from './source.ts'
import { brokenOff, type StreamState, type Target } from './target.ts'

/** Batches stay small so that looking for one record of a stream does not bring a megabyte along each time. */
const PART_BYTES = 128 * 1024
/** What the producer's library makes of a message beside its key and value, about. */
const OVERHEAD = 300

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
  const records = new Map(source.schemas.map(({ id, name }) => [id, name]))
  const recordOf = ({ value }: StoredEvent) => records.get(value.readUInt32BE(1))!
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
        const origin = originText(source.id, offset)
        // The same when it is copied again, and none that is written there can have it.
        const headers = { ...contextOf(target.id, recordOf(event)), ce_id: origin, [ORIGIN]: origin }
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
        const headers = { ...contextOf(target.id, 'LogCopied'), ce_id: randomUUID() }
        messages.push({ key: key!, value: value!, partition: 0, headers })
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
    throw brokenOff(`Kafka does not take the events of ${topic}: ${(error as Error).message}`)
  }
}
