import { type Connection, type ConnectionPool, type Producer, produceV11, Writer } from '@platformatic/kafka'
import { streamName } from '../kernel/position.ts'
import type { Identity, RecordBatch } from './kafka-records.ts'

/** Events for one partition. */
export interface Part {
  readonly topic: string
  readonly partition: number
  readonly batch: RecordBatch
}

export interface Numbered extends Part {
  readonly bytes: Buffer
}

/** Gives an idempotent producer's batches their numbers (KIP-98). */
export interface Numbering {
  readonly identity: Identity
  /** The same numbers go with every try, so that a broker that has them already takes none twice. */
  number(parts: readonly Part[], options?: { transactional: boolean }): Numbered[]
}

const ALL_REPLICAS = -1
const RETRY_MS = 100
/** A transaction's coordinator still writes the marks of the one before: it takes a few milliseconds. */
const CONCURRENT_MS = 3
const MAX_SEQUENCE = 0x7fffffff

export function createNumbering(identity: Identity): Numbering {
  const sequences = new Map<string, number>()
  return {
    identity,
    number(parts, { transactional } = { transactional: false }) {
      const time = Date.now()
      return parts.map(part => {
        const stream = streamName(part.topic, part.partition)
        const sequence = sequences.get(stream) ?? 0
        sequences.set(stream, (sequence + part.batch.count) % (MAX_SEQUENCE + 1))
        return { ...part, bytes: part.batch.finish(identity, sequence, time, transactional) }
      })
    },
  }
}

/** What requests to brokers need: connections, and somebody to ask who leads which partition. */
export interface Brokers {
  readonly pool: ConnectionPool
  readonly directory: Pick<Producer, 'metadata'>
  readonly timeoutMs: number
}

/**
 * A connection to whichever broker can be reached. A cluster may say that it has none: its only one was frozen, and is not
 * taken back yet. The pool would then look for the first of none until the stack ends, and that answer is kept: `refresh`
 * asks again.
 */
export async function connectToAny(
  { pool, directory }: Pick<Brokers, 'pool' | 'directory'>,
  refresh: boolean,
): Promise<Connection> {
  const { brokers } = await directory.metadata({ topics: [], forceUpdate: refresh })
  if (brokers.size === 0) throw new Error('the cluster has no broker that is ready')
  return pool.getFirstAvailable([...brokers.values()])
}

/** Sends each part to its partition's leader; resolves with the last offset in each stream. */
export async function produceToLeaders(
  { pool, directory, timeoutMs }: Brokers,
  parts: readonly Numbered[],
  refresh: boolean,
  transactionalId: string | null = null,
): Promise<Map<string, number>> {
  const topics = [...new Set(parts.map(({ topic }) => topic))]
  const metadata = await directory.metadata({ topics, forceUpdate: refresh })
  const byLeader = Map.groupBy(
    parts,
    ({ topic, partition }) => metadata.topics.get(topic)!.partitions[partition]!.leader,
  )
  const last = new Map<string, number>()
  const requests = [...byLeader].map(async ([leader, ofLeader]) => {
    const connection = await pool.get(metadata.brokers.get(leader)!)
    const { responses } = await produce(connection, ofLeader, timeoutMs, transactionalId)
    for (const { name, partitionResponses } of responses) {
      for (const { index, baseOffset } of partitionResponses) {
        const { batch } = ofLeader.find(part => part.topic === name && part.partition === index)!
        last.set(streamName(name, index), Number(baseOffset) + batch.count - 1)
      }
    }
  })
  await Promise.all(requests)
  return last
}

/** Tries until it works, the error is final, or `end` has passed: brokers that start or change leaders refuse for a while. */
export async function again<T>(work: (tries: number) => Promise<T>, end: number): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work(tries)
    } catch (error) {
      if (Date.now() > end || isError(error, FINAL)) throw error
      const delay = isError(error, ['CONCURRENT_TRANSACTIONS']) ? CONCURRENT_MS : RETRY_MS
      await new Promise(resolve => setTimeout(resolve, delay))
    }
  }
}

/** Errors after which the same batch can never be taken, by the names of the protocol's error codes. */
/** Another producer has opened the same transactional id since, or this one's transaction was given up. */
export const FENCED = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_TXN_STATE', 'INVALID_PRODUCER_ID_MAPPING']
const FINAL = [
  ...FENCED,
  ...['TRANSACTION_ABORTABLE', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED'],
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH', 'MESSAGE_TOO_LARGE'],
  ...['RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'CORRUPT_MESSAGE', 'TOPIC_AUTHORIZATION_FAILED'],
]

/** Whether an error is, or has in it, one of the protocol's with one of these names. */
export function isError(error: unknown, names: readonly string[]): boolean {
  const { apiId, errors = [] } = error as { apiId?: string; errors?: unknown[] }
  return (apiId !== undefined && names.includes(apiId)) || errors.some(each => isError(each, names))
}

type ProduceResponse = ReturnType<typeof produceV11.parseResponse>

/** One Produce request, version 11 (Kafka protocol guide), with the batches as they are. */
function produce(
  connection: Connection,
  parts: readonly Numbered[],
  timeoutMs: number,
  transactionalId: string | null,
): Promise<ProduceResponse> {
  const createPayload = () =>
    Writer.create()
      .appendString(transactionalId)
      .appendInt16(ALL_REPLICAS)
      .appendInt32(timeoutMs)
      .appendArray([...Map.groupBy(parts, ({ topic }) => topic)], (topics, [topic, ofTopic]) => {
        topics.appendString(topic).appendArray(ofTopic, (partitions, { partition, bytes }) => {
          partitions.appendInt32(partition).appendBytes(bytes)
        })
      })
      .appendTaggedFields()
  const { key, version } = produceV11.api
  return new Promise((resolve, reject) => {
    connection.send(key, version, createPayload, produceV11.parseResponse, true, true, (error, response) => {
      if (error) reject(error)
      else resolve(response as ProduceResponse)
    })
  })
}
