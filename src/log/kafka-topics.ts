import type { Admin, KafkaJSProtocolError } from 'kafkajs'
import { streamName } from '../kernel/position.ts'
import type { Stream, TopicSpec } from './log.ts'

/** A topic with settings of Kafka's for which declarations have no word. */
export interface KafkaTopic extends TopicSpec {
  readonly settings?: Readonly<Record<string, string>>
}

/** The id of the log that a cluster holds: from its own id, so that every process of every start has the same. */
export async function clusterLogId(admin: Admin): Promise<string> {
  const { clusterId } = await admin.describeCluster()
  return Buffer.from(clusterId).toString('hex').slice(-12)
}

/** How long brokers may take to tell each other of a new topic and to choose its leaders. */
const SETTLE_MS = 30_000
const LOOK_AGAIN_MS = 100

/**
 * Creates the topics that are missing and learns how many partitions each has. Other processes may be at the same, and
 * a broker may not know yet what another has just made: so it looks until every partition has a leader.
 */
export async function declareTopics(
  admin: Admin,
  topics: readonly KafkaTopic[],
  streams: Map<string, readonly Stream[]>,
): Promise<void> {
  const existing = new Set(await admin.listTopics())
  await create(
    admin,
    topics.filter(topic => !existing.has(topic.name)),
  )
  await learnStreams(
    admin,
    topics.map(topic => topic.name),
    streams,
  )
}

/** Learns the streams of topics that are there. */
export async function learnStreams(
  admin: Admin,
  names: string[],
  streams: Map<string, readonly Stream[]>,
): Promise<void> {
  for (const { name, partitions } of await settled(admin, names)) {
    const numbers = partitions.map(({ partitionId }) => partitionId).sort((a, b) => a - b)
    streams.set(
      name,
      numbers.map(partition => ({ name: streamName(name, partition), topic: name, partition })),
    )
  }
}

async function create(admin: Admin, topics: readonly KafkaTopic[]): Promise<void> {
  if (topics.length === 0) return
  try {
    await admin.createTopics({
      waitForLeaders: false,
      topics: topics.map(topic => ({
        topic: topic.name,
        numPartitions: topic.partitions,
        replicationFactor: -1,
        configEntries: [
          { name: 'cleanup.policy', value: topic.cleanup_policy },
          { name: 'retention.ms', value: String(topic.retention_ms) },
          { name: 'max.message.bytes', value: String(topic.max_message_bytes) },
          ...Object.entries(topic.settings ?? {}).map(([name, value]) => ({ name, value })),
        ],
      })),
    })
  } catch (error) {
    // Made by another process since the list was read; what else was asked for was made all the same.
    const all = (error as { errors?: unknown[] }).errors ?? [error]
    const other = all.find(each => (each as KafkaJSProtocolError).type !== 'TOPIC_ALREADY_EXISTS')
    if (other) throw other
  }
}

async function settled(admin: Admin, names: string[]): ReturnType<typeof described> {
  for (const end = Date.now() + SETTLE_MS; ; ) {
    try {
      const topics = await described(admin, names)
      if (topics.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)))
        return topics
      if (Date.now() > end) throw new Error(`not every partition of ${names.join(', ')} has a leader after 30 s`)
    } catch (error) {
      if (Date.now() > end || (error as KafkaJSProtocolError).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
    }
    await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}

async function described(admin: Admin, names: string[]) {
  return (await admin.fetchTopicMetadata({ topics: names })).topics
}
