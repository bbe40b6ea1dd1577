import {
  addOffsetsToTxnV3,
  addPartitionsToTxnV3,
  type Connection,
  ConnectionPool,
  endTxnV3,
  findCoordinatorV4,
  initProducerIdV4,
  Producer,
  txnOffsetCommitV3,
} from '@platformatic/kafka'
import type { Admin } from 'kafkajs'
import { DomainError } from '../kernel/errors.ts'
import { passPoint } from '../kernel/points.ts'
import { alreadyConsumed } from './consumed.ts'
import { CHECKPOINTS_STREAM, checkpointKey, checkpointPart, lastCheckpoint } from './kafka-checkpoints.ts'
import {
  again,
  type Brokers,
  connectToAny,
  createNumbering,
  FENCED,
  isError,
  type Numbering,
  type Part,
  produceToLeaders,
} from './kafka-produce.ts'
import type { createReader } from './kafka-reader.ts'
import type { Consumed, Stream } from './log.ts'

interface Owned {
  readonly numbering: Numbering
  checkpoint: number
}

/** FindCoordinator's kinds of keys. */
const GROUP = 0
const TRANSACTION = 1
/**
 * When the coordinator gives up a transaction whose producer has gone without anyone taking over, milliseconds. Readers
 * wait for as long; it must be more than a transaction takes, which is bounded by the timeout of its requests.
 */
const TRANSACTION_MS = 60_000

/**
 * Appends that carry a checkpoint: a Kafka transaction (KIP-98) that holds the events and the group's offset in one
 * stream, with one transactional id for each group and stream. Opening the same id again fences whoever had it, and ends
 * that one's last transaction, so the offset read afterwards is the true one.
 */
export function createTransactions(
  admin: Admin,
  reader: ReturnType<typeof createReader>,
  options: { brokers: readonly string[]; clientId: string; timeoutMs: number },
) {
  const { clientId, timeoutMs } = options
  const connectionOptions = { connectTimeout: timeoutMs, requestTimeout: timeoutMs }
  const pool = new ConnectionPool(clientId, connectionOptions)
  // Only asked for metadata.
  const directory = new Producer({ clientId, bootstrapBrokers: [...options.brokers], retries: 0, ...connectionOptions })
  const brokers: Brokers = { pool, directory, timeoutMs }
  const owners = new Map<string, Owned>()
  const coordinators = new Map<string, { host: string; port: number }>()
  let retries = 0

  async function coordinatorOf(kind: number, key: string, refresh: boolean): Promise<Connection> {
    const name = `${kind} ${key}`
    let found = refresh ? undefined : coordinators.get(name)
    if (!found) {
      const any = await connectToAny(brokers, refresh)
      const { coordinators: told } = await findCoordinatorV4.api.async(any, kind, [key])
      found = { host: told[0]!.host, port: told[0]!.port }
      coordinators.set(name, found)
    }
    return pool.get(found)
  }

  /** A request to a coordinator, asked again, of whoever it is then, until `end`. */
  function ask<T>(kind: number, key: string, end: number, request: (connection: Connection) => Promise<T>): Promise<T> {
    return again(async tries => {
      if (tries > 0) retries++
      return request(await coordinatorOf(kind, key, tries > 0))
    }, end)
  }

  async function own(group: string, stream: Stream): Promise<number> {
    const name = checkpointKey(group, stream.name)
    owners.delete(name)
    const end = Date.now() + timeoutMs
    const opened = await ask(TRANSACTION, name, end, connection =>
      initProducerIdV4.api.async(connection, name, TRANSACTION_MS, -1n, -1),
    ).catch(error => {
      throw refused(error, name)
    })
    const checkpoint = await committed(group, stream)
    owners.set(name, { numbering: createNumbering({ id: opened.producerId, epoch: opened.producerEpoch }), checkpoint })
    return checkpoint
  }

  async function committed(group: string, stream: Stream): Promise<number> {
    const offsets = await whileRetriable(() => admin.fetchOffsets({ groupId: group, topics: [stream.topic] }))
    const found = offsets[0]?.partitions.find(({ partition }) => partition === stream.partition)
    const next = Number(found?.offset ?? -1)
    return next < 0 ? lastCheckpoint(reader, checkpointKey(group, stream.name), timeoutMs) : next - 1
  }

  /** All of it in one transaction; resolves with the last offset of each stream once it is committed. */
  async function transact(
    id: string,
    { identity, ...numbering }: Numbering,
    events: readonly Part[],
    { group, stream, offset }: Consumed,
  ): Promise<Map<string, number>> {
    const parts = [...events, checkpointPart(id, offset)]
    const end = Date.now() + timeoutMs
    const who = { transactionalId: id, producerId: identity.id, producerEpoch: identity.epoch }
    const topics = [...Map.groupBy(parts, ({ topic }) => topic)].map(([name, ofTopic]) => ({
      name,
      partitions: [...new Set(ofTopic.map(({ partition }) => partition))],
    }))
    await ask(TRANSACTION, id, end, connection =>
      addPartitionsToTxnV3.api.async(connection, [{ ...who, verifyOnly: false, topics }]),
    )
    const adding = ask(TRANSACTION, id, end, connection =>
      addOffsetsToTxnV3.api.async(connection, id, identity.id, identity.epoch, group),
    )
    adding.catch(() => undefined)
    const last = new Map<string, number>()
    for (const round of rounds(parts)) {
      const numbered = numbering.number(round, { transactional: true })
      const sent = await again(tries => {
        if (tries > 0) retries++
        return produceToLeaders(brokers, numbered, tries > 0, id)
      }, end)
      for (const [name, at] of sent) last.set(name, at)
    }
    last.delete(CHECKPOINTS_STREAM.name)
    passPoint('kafka.events-sent')
    await adding
    const partition = {
      partitionIndex: stream.partition,
      committedOffset: BigInt(offset + 1),
      committedLeaderEpoch: -1,
      committedMetadata: null,
    }
    const offsets = [{ name: stream.topic, partitions: [partition] }]
    await ask(GROUP, group, end, connection =>
      txnOffsetCommitV3.api.async(connection, id, group, identity.id, identity.epoch, -1, '', null, offsets),
    )
    passPoint('kafka.offsets-sent')
    await ask(TRANSACTION, id, end, connection => endTxnV3.api.async(connection, id, identity.id, identity.epoch, true))
    passPoint('kafka.committed')
    return last
  }

  /** Readers wait for a transaction that is open: the sooner it is given up the better, if not now then by `own`. */
  async function abandon(id: string, { identity }: Numbering): Promise<void> {
    const abort = coordinatorOf(TRANSACTION, id, false).then(connection =>
      endTxnV3.api.async(connection, id, identity.id, identity.epoch, false),
    )
    await abort.catch(() => undefined)
  }

  return {
    own,
    get retries() {
      return retries
    },
    async append(parts: readonly Part[], consumed: Consumed): Promise<Map<string, number>> {
      const { group, stream, offset } = consumed
      const name = checkpointKey(group, stream.name)
      if (!owners.has(name)) await own(group, stream)
      const owned = owners.get(name)!
      if (offset <= owned.checkpoint) throw alreadyConsumed(offset, name)
      try {
        const last = await transact(name, owned.numbering, parts, consumed)
        owned.checkpoint = offset
        return last
      } catch (error) {
        // Whether it was committed is not known: opening the id again ends it, and tells.
        owners.delete(name)
        if (!isError(error, FENCED)) void abandon(name, owned.numbering)
        throw refused(error, name)
      }
    },
    async stop(): Promise<void> {
      await Promise.allSettled([pool.close(), directory.close(true)])
    },
  }
}

/** Parts that may go in one request each: a partition takes one batch at a time. */
function* rounds(parts: readonly Part[]): Generator<readonly Part[]> {
  const byStream = [...Map.groupBy(parts, ({ topic, partition }) => `${topic} ${partition}`).values()]
  for (let n = 0; ; n++) {
    const round = byStream.flatMap(ofStream => ofStream.slice(n, n + 1))
    if (round.length === 0) return
    yield round
  }
}

/** kafkajs gives up on a group whose coordinator is only just being chosen; this asks again, 10 s at most. */
async function whileRetriable<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 100; ; left--) {
    try {
      return await work()
    } catch (error) {
      if (left === 0 || !(error as { retriable?: boolean }).retriable) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

function refused(error: unknown, name: string): DomainError {
  if (isError(error, FENCED)) return new DomainError('CONFLICT', `another process has taken over ${name}`)
  const message = `the event log cannot be written: ${(error as Error).message}`
  return new DomainError('UNAVAILABLE', message, { retryAfter: 5 })
}
