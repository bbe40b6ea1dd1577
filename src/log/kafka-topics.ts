import type { Admin } from 'kafkajs'
import { streamName } from '../kernel/position.ts'
import type { Stream, TopicSpec } from './log.ts'

/** Creates the topics that are missing and learns how many partitions each has. */
export async function declareTopics(
  admin: Admin,
  topics: readonly TopicSpec[],
  streams: Map<string, readonly Stream[]>,
): Promise<void> {
  const existing = new Set(await admin.listTopics())
  const missing = topics.filter(topic => !existing.has(topic.name))
  if (missing.length > 0) {
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(topic => ({
        topic: topic.name,
        numPartitions: topic.partitions,
        replicationFactor: -1,
        configEntries: [
          { name: 'cleanup.policy', value: topic.cleanup_policy },
          { name: 'retention.ms', value: String(topic.retention_ms) },
          { name: 'max.message.bytes', value: String(topic.max_message_bytes) },
        ],
      })),
    })
  }
  const { topics: described } = await admin.fetchTopicMetadata({ topics: topics.map(topic => topic.name) })
  for (const { name, partitions } of described) {
    const numbers = partitions.map(({ partitionId }) => partitionId).sort((a, b) => a - b)
    streams.set(
      name,
      numbers.map(partition => ({ name: streamName(name, partition), topic: name, partition })),
    )
  }
}
