import { randomBytes } from 'node:crypto'
import { Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import { until } from './processes.ts'

/** A message as any consumer sees it. */
export interface SeenMessage {
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: Record<string, string>
  readonly timestamp: number
}

/** The same with its value and headers as they came. */
export interface RawMessage {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Record<string, string>
}

const LAST = /^last-[0-9a-f]{16}$/

/** A client of Kafka that has nothing to do with the service. */
export function outsider(brokers: string) {
  const kafka = new Kafka({
    brokers: [brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, retries: 12 },
  })

  /** All committed messages of a topic, in the order of each partition, as `read` takes them. */
  async function readAll<T>(topic: string, read: (partition: number, message: KafkaMessage) => T): Promise<T[]> {
    const [admin, producer] = [kafka.admin(), kafka.producer()]
    const consumer = kafka.consumer({ groupId: `outsider-${randomBytes(6).toString('hex')}`, maxWaitTimeInMs: 100 })
    await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const partitions = topics[0]!.partitions.map(({ partitionId }) => partitionId)
    // What comes before it in its partition is all there is. The log's readers pass over what has no value.
    const last = `last-${randomBytes(8).toString('hex')}`
    await producer.send({ topic, messages: partitions.map(partition => ({ partition, key: last, value: null })) })
    const seen: T[] = []
    const ended = new Set<number>()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        const key = message.key?.toString() ?? ''
        if (key === last) ended.add(partition)
        else if (!LAST.test(key)) seen.push(read(partition, message))
      },
    })
    await until('the end of each partition', () => ended.size === partitions.length, 30_000)
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()])
    return seen
  }

  const headersOf = ({ headers }: KafkaMessage) =>
    Object.fromEntries(Object.entries(headers ?? {}).map(([name, header]) => [name, String(header)]))

  const messagesOf = (topic: string) =>
    readAll<SeenMessage>(topic, (partition, message) => ({
      ...{ partition, key: message.key?.toString() ?? null, value: message.value?.toString() ?? null },
      ...{ headers: headersOf(message), timestamp: Number(message.timestamp) },
    }))

  const rawMessagesOf = (topic: string) =>
    readAll<RawMessage>(topic, (_, message) => ({
      key: message.key,
      value: message.value,
      headers: headersOf(message),
    }))

  return {
    kafka,
    messagesOf,
    rawMessagesOf,
    async createTopic(topic: string, partitions = 1, settings: Record<string, string> = {}): Promise<void> {
      const admin = kafka.admin()
      await admin.connect()
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }] })
      await admin.disconnect()
    },
  }
}
