import { Consumer } from '@platformatic/kafka'
import { DomainError } from '../kernel/errors.ts'
import { encodePosition, parsePosition, positionAt, TOTAL_ORDER } from '../kernel/position.ts'
import type { StoredEvent, Stream } from './log.ts'

/** The header of a record that was copied from another log: the position it has there. */
export const ORIGIN = 'origin'

export function originText(log: string, offset: number): string {
  return encodePosition(positionAt(log, TOTAL_ORDER, offset))
}

/** A record with where it was copied from; without, it is one that was written here. */
export interface CopyRecord extends StoredEvent {
  readonly origin: string | undefined
}

/** The offset in `log` that an origin names; undefined when it is of another log, or none. */
export function offsetOfOrigin(origin: string | undefined, log: string): number | undefined {
  if (!origin?.startsWith(`${log}~`)) return undefined
  return parsePosition(origin, ORIGIN).offsets.get(TOTAL_ORDER)
}

/** What a partition holds: offsets from `start` up to but not including `end`. */
export interface Bounds {
  readonly start: number
  readonly end: number
}

/**
 * Reads records with their headers, from any offset, whole batches at a time: what `kafka-reader.ts` leaves out for
 * speed. Reads what is there, whether or not its transaction was committed.
 */
export interface CopyReader {
  /** The records of the batches that begin at the one with `offset`; at least one batch, past that about `maxBytes`. */
  fetch(stream: Stream, offset: number, maxBytes: number): Promise<CopyRecord[]>
  /** What each stream of one topic holds, by name. */
  bounds(streams: readonly Stream[]): Promise<Map<string, Bounds>>
  stop(): Promise<void>
}

export function createCopyReader(options: {
  brokers: readonly string[]
  clientId: string
  timeoutMs: number
}): CopyReader {
  const { clientId, brokers, timeoutMs } = options
  const consumer = new Consumer({
    // Never joined: the library wants a name all the same.
    groupId: `${clientId}-copies`,
    clientId,
    bootstrapBrokers: [...brokers],
    retries: 2,
    retryDelay: 250,
    timeout: timeoutMs,
    requestTimeout: timeoutMs,
    connectTimeout: timeoutMs,
    autocommit: false,
  })

  async function fetch(stream: Stream, offset: number, maxBytes: number): Promise<CopyRecord[]> {
    const metadata = await consumer.metadata({ topics: [stream.topic] })
    const topic = metadata.topics.get(stream.topic)!
    const { leader, leaderEpoch } = topic.partitions[stream.partition]!
    const partition = {
      partition: stream.partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxBytes,
    }
    const response = await consumer.fetch({
      node: leader,
      topics: [{ topicId: topic.id, partitions: [partition] }],
      minBytes: 1,
      maxBytes,
      maxWaitTime: 0,
      isolationLevel: 0,
    })
    return (response.responses[0]?.partitions[0]?.records ?? []).flatMap(batch =>
      batch.records.map(({ offsetDelta, timestampDelta, key, value, headers }) => ({
        offset: Number(batch.firstOffset) + offsetDelta,
        time: Number(batch.firstTimestamp + timestampDelta),
        key: key ?? EMPTY,
        value: value ?? EMPTY,
        origin: headers.find(([name]) => name?.toString() === ORIGIN)?.[1]?.toString(),
      })),
    )
  }

  async function bounds(streams: readonly Stream[]): Promise<Map<string, Bounds>> {
    const topic = streams[0]!.topic
    const at = (timestamp: bigint) => consumer.listOffsets({ topics: [topic], timestamp, isolationLevel: 0 })
    const [starts, ends] = await Promise.all([at(EARLIEST), at(LATEST)])
    return new Map(
      streams.map(({ name, partition }) => [
        name,
        { start: Number(starts.get(topic)![partition]), end: Number(ends.get(topic)![partition]) },
      ]),
    )
  }

  // One at a time: the library keeps one fetch session with a broker, and two requests at once break it (KIP-227).
  let last: Promise<unknown> = Promise.resolve()
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return done
  }

  return {
    fetch: (stream, offset, maxBytes) => inTurn(() => fetch(stream, offset, maxBytes)).catch(unreadable),
    bounds: streams => bounds(streams).catch(unreadable),
    stop: () => consumer.close(true),
  }
}

const EMPTY = Buffer.alloc(0)
const EARLIEST = -2n
const LATEST = -1n

function unreadable(error: unknown): never {
  throw new DomainError('UNAVAILABLE', `Kafka cannot be read: ${(error as Error).message}`, { retryAfter: 5 })
}
