import { randomBytes } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { until } from './processes.ts'

/** A message as any consumer sees it. */
export interface SeenMessage {
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: Record<string, string>
  readonly timestamp: number
}

/** A client of Kafka that has nothing to do with the service. */
export function outsider(brokers: string) {
  const kafka = new Kafka({
    brokers: [brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, retries: 12 },
  })

  /** All committed messages of a topic, in the order of each partition. */
  async function messagesOf(topic: string): Promise<SeenMessage[]> {
    const [admin, producer] = [kafka.admin(), kafka.producer()]
    const consumer = kafka.consumer({ groupId: `outsider-${randomBytes(6).toString('hex')}`, maxWaitTimeInMs: 100 })
    await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const partitions = topics[0]!.partitions.map(({ partitionId }) => partitionId)
    // What comes before it in its partition is all there is.
    const last = randomBytes(8).toString('hex')
    await producer.send({ topic, messages: partitions.map(partition => ({ partition, value: last })) })
    const seen: SeenMessage[] = []
    const ended = new Set<number>()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ partition, message: { key, value, headers, timestamp } }) => {
        if (value?.toString() === last) return void ended.add(partition)
        const told = Object.entries(headers ?? {}).map(([name, header]) => [name, String(header)])
        seen.push({
          ...{ partition, key: key?.toString() ?? null, value: value?.toString() ?? null },
          ...{ headers: Object.fromEntries(told), timestamp: Number(timestamp) },
        })
      },
    })
    await until('the end of each partition', () => ended.size === partitions.length, 30_000)
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()])
    return seen.filter(({ value }) => !/^[0-9a-f]{16}$/.test(value ?? ''))
  }

  return {
    kafka,
    messagesOf,
    async createTopic(topic: string, partitions = 1, settings: Record<string, string> = {}): Promise<void> {
      const admin = kafka.admin()
      await admin.connect()
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }] })
      await admin.disconnect()
    },
  }
}
