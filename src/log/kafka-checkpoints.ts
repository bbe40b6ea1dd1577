import type { Admin } from 'kafkajs'
import { DomainError } from '../kernel/errors.ts'
import { streamName } from '../kernel/position.ts'
import type { Part } from './kafka-produce.ts'
import type { createReader } from './kafka-reader.ts'
import { recordBatch } from './kafka-records.ts'
import { declareTopics, type KafkaTopic } from './kafka-topics.ts'
import type { Stream } from './log.ts'

/*
 * Kafka forgets the offsets of a group that has had no members for a while (`offsets.retention.minutes`, 7 days unless
 * set). A decider that began anew would decide every command again. So each transaction that moves a group's offset
 * writes it here too, where compaction keeps the last one for ever; it is read only when Kafka has none.
 * docs/decisions/0007-sharing-and-fencing.md says what else was thought of.
 */

/** The adapter's own topic: nothing in it is an event. Key: the group and the stream; value: the offset, as digits. */
export const CHECKPOINTS = 'sync.checkpoints'
export const CHECKPOINTS_STREAM: Stream = { name: streamName(CHECKPOINTS, 0), topic: CHECKPOINTS, partition: 0 }

const TOPIC: KafkaTopic = {
  name: CHECKPOINTS,
  key: 'the group, a hyphen, the stream',
  records: [],
  partitions: 1,
  cleanup_policy: 'compact',
  retention_ms: -1,
  max_message_bytes: 65_536,
  readers: ['whoever takes over a stream of which Kafka has no offset'],
  // A record for each transaction: what is not compacted yet is all that a reader has to go through.
  settings: {
    'segment.bytes': String(16 * 1024 * 1024),
    'min.cleanable.dirty.ratio': '0.1',
    'delete.retention.ms': '600000',
  },
}

const LIMITS = { maxEvents: 50_000, maxBytes: 4_194_304, waitMs: 100 }

/** Creates the topic if it is missing. It is kept out of the log's own streams: nobody reads or copies it. */
export function declareCheckpoints(admin: Admin): Promise<void> {
  return declareTopics(admin, [TOPIC], new Map())
}

export function checkpointKey(group: string, stream: string): string {
  return `${group}-${stream}`
}

/** What a transaction writes beside its events. */
export function checkpointPart(key: string, offset: number): Part {
  const keyBytes = Buffer.byteLength(key)
  const record = Buffer.from(`${key}${offset}`)
  const batch = recordBatch(record.length + 256)
  batch.add(record, 0, keyBytes, record.length)
  return { topic: CHECKPOINTS, partition: CHECKPOINTS_STREAM.partition, batch }
}

/**
 * The last checkpoint under a key, -1 for none. Its owner has ended its last transaction, and others' may be open before
 * that one's record, which hides it: throws UNAVAILABLE when they stay so for `timeoutMs`.
 */
export async function lastCheckpoint(
  reader: Pick<ReturnType<typeof createReader>, 'read' | 'written'>,
  key: string,
  timeoutMs: number,
): Promise<number> {
  const end = await reader.written(CHECKPOINTS_STREAM)
  const giveUp = Date.now() + timeoutMs
  let found = -1
  for (let after = -1; after < end; ) {
    const { events, through } = await reader.read(CHECKPOINTS_STREAM, after, LIMITS)
    for (const event of events) if (event.key.toString() === key) found = Number(event.value)
    if (through === after && Date.now() > giveUp) {
      const message = `${CHECKPOINTS_STREAM.name} cannot be read from ${after + 1} to ${end}: a transaction is open there`
      throw new DomainError('UNAVAILABLE', message, { retryAfter: 5 })
    }
    after = through
  }
  return found
}
