import { ConnectionPool, Consumer, protocolErrorsCodesById } from '@platformatic/kafka'
import { DomainError } from '../kernel/errors.ts'
import { type Batches, readBatches } from './kafka-batches.ts'
import { type Fetched, fetchRecords } from './kafka-fetch.ts'
import type { Page, ReadLimits, Stream } from './log.ts'

const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
/** The longest that a fetch is asked to wait for news. */
const MAX_WAIT_MS = 1000
/** The most that is fetched at once, batches that are larger apart: what a page leaves of it waits for the next. */
const MAX_FETCH_BYTES = 4 * 1024 * 1024
const RETRY_MS = 100
const OUT_OF_RANGE = 1
/** ListOffsets' names for the next and the first offset. */
const LATEST = -1n
const EARLIEST = -2n
/** A topic just made, or a leader that has moved: brokers refuse for a moment, and then know better. */
const PASSING = ['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'NOT_LEADER_OR_FOLLOWER', 'KAFKA_STORAGE_ERROR']

/**
 * Reads partitions from any offset, without a consumer group: who reads what is decided above. Transactions that were
 * aborted, and Kafka's own markers, are passed over (read_committed). Where retention has removed the beginning, reading
 * goes on at the first event there is.
 */
export function createReader(options: { brokers: readonly string[]; clientId: string; timeoutMs: number }) {
  const { clientId, timeoutMs } = options
  const connectionOptions = { connectTimeout: timeoutMs, requestTimeout: MAX_WAIT_MS + timeoutMs }
  // Asked for metadata and ends only.
  const directory = new Consumer({
    groupId: `${clientId}-reader`,
    clientId,
    bootstrapBrokers: [...options.brokers],
    retries: 0,
    timeout: timeoutMs,
    ...connectionOptions,
    autocommit: false,
  })
  const pools = new Map<string, ConnectionPool>()
  /** What the last response for a stream has left, for whoever reads on from there. */
  const rests = new Map<string, Batches>()

  /** A connection of its own for each stream and for those who do not wait: brokers answer a connection's requests in turn. */
  function poolOf(name: string): ConnectionPool {
    let found = pools.get(name)
    if (!found) {
      found = new ConnectionPool(clientId, connectionOptions)
      pools.set(name, found)
    }
    return found
  }

  async function fetchOnce(stream: Stream, after: number, limits: ReadLimits, refresh: boolean): Promise<Fetched> {
    const { topic, partition } = stream
    const metadata = await directory.metadata({ topics: [topic], forceUpdate: refresh })
    const leader = metadata.topics.get(topic)?.partitions[partition]?.leader
    const broker = leader === undefined ? undefined : metadata.brokers.get(leader)
    if (!broker) throw new Error(`nobody leads ${stream.name}`)
    const connection = await poolOf(limits.waitMs > 0 ? stream.name : 'at once').get(broker)
    const maxWaitMs = Math.min(limits.waitMs, MAX_WAIT_MS)
    const fetched = await fetchRecords(connection, {
      topic,
      partition,
      offset: after + 1,
      maxBytes: Math.min(limits.maxBytes, MAX_FETCH_BYTES),
      maxWaitMs,
    })
    if (fetched.errorCode === 0 || fetched.errorCode === OUT_OF_RANGE) return fetched
    const name = protocolErrorsCodesById[fetched.errorCode] ?? `error ${fetched.errorCode}`
    const message = `${stream.name} at ${after + 1}: ${name}`
    throw PASSING.includes(name) ? new Error(message) : new Final(message)
  }

  async function read(stream: Stream, after: number, limits: ReadLimits): Promise<Page> {
    const rest = rests.get(stream.name)
    if (rest?.through === after && !rest.done) return rest.page(limits)
    const fetched = await untilAnswered(refresh => fetchOnce(stream, after, limits, refresh))
    if (fetched.errorCode !== OUT_OF_RANGE) {
      const batches = readBatches(fetched.records, fetched.aborted, after)
      const page = batches.page(limits)
      if (batches.done) rests.delete(stream.name)
      else rests.set(stream.name, batches)
      return page
    }
    const start = (await offsets([stream], EARLIEST)).get(stream.name)!
    if (after + 1 < start) return { events: [], through: start - 1 }
    throw unreadable(new Error(`${stream.name} was read up to ${after} before, and does not reach so far any more`))
  }

  /** The first or the next offset of each stream. */
  async function offsets(
    streams: readonly Stream[],
    timestamp: bigint,
    isolationLevel: number = READ_COMMITTED,
  ): Promise<Map<string, number>> {
    const topic = streams[0]!.topic
    const partitions = { [topic]: streams.map(stream => stream.partition) }
    const found = await untilAnswered(refresh => {
      if (refresh) directory.clearMetadata()
      return directory.listOffsets({ topics: [topic], partitions, timestamp, isolationLevel })
    })
    return new Map(streams.map(({ name, partition }) => [name, Number(found.get(topic)![partition]!)]))
  }

  /** Asks again, of whoever leads now, for as long as brokers may take. */
  async function untilAnswered<T>(ask: (refresh: boolean) => Promise<T>): Promise<T> {
    const end = Date.now() + timeoutMs
    for (let tries = 0; ; tries++) {
      try {
        return await ask(tries > 0)
      } catch (error) {
        if (Date.now() > end || error instanceof Final) throw unreadable(error)
        await new Promise(resolve => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  return {
    async read(stream: Stream, after: number, limits: ReadLimits): Promise<Page> {
      const nothing: Page = { events: [], through: after }
      const { signal } = limits
      if (signal?.aborted) return nothing
      const reading = read(stream, after, limits)
      if (!signal) return reading
      // What was asked for goes on being waited for, up to its second; whoever asked need not.
      const { promise: aborted, resolve } = Promise.withResolvers<Page>()
      const stop = () => resolve(nothing)
      signal.addEventListener('abort', stop)
      reading.catch(() => undefined)
      return Promise.race([reading, aborted]).finally(() => signal.removeEventListener('abort', stop))
    },
    async ends(streams: readonly Stream[]): Promise<Map<string, number>> {
      if (streams.length === 0) return new Map()
      const next = await offsets(streams, LATEST)
      return new Map([...next].map(([name, offset]) => [name, offset - 1]))
    },
    async reachedBy(streams: readonly Stream[], time: number): Promise<Map<string, number>> {
      if (streams.length === 0) return new Map()
      // The ends first: what comes in between is after them, and after `time` or not, it is not missed.
      const ends = await offsets(streams, LATEST)
      const later = await offsets(streams, BigInt(time + 1))
      return new Map([...later].map(([name, offset]) => [name, (offset < 0 ? ends.get(name)! : offset) - 1]))
    },
    async forgotten(streams: readonly Stream[]): Promise<Map<string, number>> {
      if (streams.length === 0) return new Map()
      const first = await offsets(streams, EARLIEST)
      return new Map([...first].map(([name, offset]) => [name, offset - 1]))
    },
    async written(stream: Stream): Promise<number> {
      return (await offsets([stream], LATEST, READ_UNCOMMITTED)).get(stream.name)! - 1
    },
    async stop(): Promise<void> {
      await Promise.allSettled([directory.close(true), ...[...pools.values()].map(pool => pool.close())])
    },
  }
}

/** What brokers will answer again, however often they are asked. */
class Final extends Error {}

function unreadable(error: unknown): DomainError {
  return new DomainError('UNAVAILABLE', `the event log cannot be read: ${(error as Error).message}`, { retryAfter: 5 })
}
