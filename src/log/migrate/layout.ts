import { partitionOf } from '../../kernel/hash.ts'
import type { TopicSpec } from '../log.ts'

/**
 * Topics whose events lie in the partition that another topic gives their key, instead of their own: the projector puts
 * each change where the record is that it follows from.
 */
const PLACED_BY: Readonly<Record<string, string>> = { 'sync.changes': 'sync.records' }

/** Which events of a topic are copied, and into which partition each goes. */
export interface Layout {
  readonly topic: TopicSpec
  readonly partitions: number
  /** Whether its events have a retention, after which they are gone. */
  readonly forgets: boolean
  /** Events taken before this time, in milliseconds since 1970, are past the topic's retention: they are left behind. */
  readonly since: number
  partitionOf(key: Uint8Array, start?: number, end?: number): number
}

/** `partitions` tells how many each topic has on Kafka, or will have. */
export function layouts(
  topics: readonly TopicSpec[],
  partitions: (topic: TopicSpec) => number,
  now: number,
): Map<string, Layout> {
  const counts = new Map(topics.map(topic => [topic.name, partitions(topic)]))
  return new Map(
    topics.map(topic => {
      const placing = counts.get(PLACED_BY[topic.name] ?? topic.name)!
      const forgets = topic.cleanup_policy === 'delete' && topic.retention_ms >= 0
      const layout: Layout = {
        topic,
        partitions: counts.get(topic.name)!,
        forgets,
        since: forgets ? now - topic.retention_ms : Number.MIN_SAFE_INTEGER,
        partitionOf: (key, start, end) => partitionOf(key, placing, start, end),
      }
      return [topic.name, layout]
    }),
  )
}
