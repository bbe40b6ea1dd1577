import { Consumer } from '@platformatic/kafka'
import { DomainError } from '../kernel/errors.ts'
import type { Page, ReadLimits, StoredEvent, Stream } from './log.ts'

const READ_COMMITTED = 1
const TRANSACTIONAL_BATCH = 1 << 4
const CONTROL_BATCH = 1 << 5
const ABORT_MARKER = 0

/**
 * Reads partitions from any offset, without a consumer group: who reads what is decided above. Transactions that were
 * aborted, and Kafka's own markers, are passed over (read_committed).
 */
export function createReader(options: { brokers: readonly string[]; clientId: string; timeoutMs: number }) {
  const consumers = new Map<string, ReturnType<typeof newConsumer>>()

  /** A connection of its own for each stream and for those who wait: brokers answer a connection's requests in turn. */
  function consumerOf(name: string): ReturnType<typeof newConsumer> {
    let found = consumers.get(name)
    if (!found) {
      found = newConsumer(options)
      consumers.set(name, found)
    }
    return found
  }

  async function read(stream: Stream, after: number, limits: ReadLimits): Promise<Page> {
    const consumer = consumerOf(limits.waitMs > 0 ? stream.name : 'at once')
    const metadata = await consumer.metadata({ topics: [stream.topic] })
    const topic = metadata.topics.get(stream.topic)!
    const { leader, leaderEpoch } = topic.partitions[stream.partition]!
    const partition = {
      partition: stream.partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: BigInt(after + 1),
      lastFetchedEpoch: -1,
      partitionMaxBytes: limits.maxBytes,
    }
    const response = await consumer.fetch({
      node: leader,
      topics: [{ topicId: topic.id, partitions: [partition] }],
      minBytes: 1,
      maxBytes: limits.maxBytes,
      maxWaitTime: Math.min(limits.waitMs, MAX_WAIT_MS),
      isolationLevel: READ_COMMITTED,
    })
    const found = response.responses[0]?.partitions[0]
    return pageOf(committedOf(found?.records ?? [], found?.abortedTransactions ?? []), after, limits.maxEvents)
  }

  async function ends(streams: readonly Stream[]): Promise<Map<string, number>> {
    const topic = streams[0]!.topic
    const offsets = await consumerOf('at once').listOffsets({
      topics: [topic],
      partitions: { [topic]: streams.map(stream => stream.partition) },
      isolationLevel: READ_COMMITTED,
    })
    return new Map(streams.map(({ name, partition }) => [name, Number(offsets.get(topic)![partition]!) - 1]))
  }

  const unreadable = (error: unknown) =>
    new DomainError('UNAVAILABLE', `the event log cannot be read: ${(error as Error).message}`, { retryAfter: 5 })

  return {
    async read(stream: Stream, after: number, limits: ReadLimits): Promise<Page> {
      try {
        return await read(stream, after, limits)
      } catch (error) {
        if (limits.signal?.aborted) return { events: [], through: after }
        throw unreadable(error)
      }
    },
    async ends(streams: readonly Stream[]): Promise<Map<string, number>> {
      if (streams.length === 0) return new Map()
      try {
        return await ends(streams)
      } catch (error) {
        throw unreadable(error)
      }
    },
    async stop(): Promise<void> {
      await Promise.all([...consumers.values()].map(consumer => consumer.close(true)))
    },
  }
}

interface Batch {
  firstOffset: bigint
  lastOffsetDelta: number
  firstTimestamp: bigint
  producerId: bigint
  attributes: number
  records: readonly { offsetDelta: number; timestampDelta: bigint; key: Buffer | null; value: Buffer | null }[]
}

/**
 * Leaves out the batches of aborted transactions, by the rule of Kafka's own consumer: from an aborted transaction's
 * first offset on, its producer's batches are void until the producer's next abort marker. The client library filters
 * too, but only the last aborted transaction of each producer in a page; test/log/consumed.test.ts has more than one.
 */
function committedOf(
  batches: readonly Batch[],
  abortedTransactions: readonly { producerId: bigint; firstOffset: bigint }[],
): Batch[] {
  const aborted = [...abortedTransactions].sort((a, b) => Number(a.firstOffset - b.firstOffset))
  const aborting = new Set<bigint>()
  return batches.filter(batch => {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta)
    while (aborted.length > 0 && aborted[0]!.firstOffset <= last) aborting.add(aborted.shift()!.producerId)
    if (batch.attributes & CONTROL_BATCH) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT_MARKER) aborting.delete(batch.producerId)
      return true
    }
    return !(batch.attributes & TRANSACTIONAL_BATCH && aborting.has(batch.producerId))
  })
}

function pageOf(batches: readonly Batch[], after: number, maxEvents: number): Page {
  const events: StoredEvent[] = []
  let through = after
  for (const batch of batches) {
    const first = Number(batch.firstOffset)
    if (!(batch.attributes & CONTROL_BATCH)) {
      const time = Number(batch.firstTimestamp)
      for (const record of batch.records) {
        const offset = first + record.offsetDelta
        if (offset <= after) continue
        if (events.length >= maxEvents) return { events, through }
        // No record of ours is without key or value; one that someone else wrote is kept out, not a reason to stop.
        if (record.key && record.value) {
          events.push({ offset, time: time + Number(record.timestampDelta), key: record.key, value: record.value })
        }
        through = offset
      }
    }
    through = Math.max(through, first + batch.lastOffsetDelta)
  }
  return { events, through }
}

/** The longest that a fetch is asked to wait for news. */
const MAX_WAIT_MS = 1000

function newConsumer(options: { brokers: readonly string[]; clientId: string; timeoutMs: number }) {
  return new Consumer({
    groupId: `${options.clientId}-reader`,
    clientId: options.clientId,
    bootstrapBrokers: [...options.brokers],
    // A topic just made, or one whose leader moved, is refused for a moment.
    retries: 2,
    retryDelay: 250,
    timeout: MAX_WAIT_MS + options.timeoutMs,
    requestTimeout: MAX_WAIT_MS + options.timeoutMs,
    connectTimeout: options.timeoutMs,
    autocommit: false,
  })
}
