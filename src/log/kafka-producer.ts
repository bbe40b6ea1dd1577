import { type Connection, ConnectionPool, initProducerIdV4, Producer, produceV11, Writer } from '@platformatic/kafka'
import { streamName } from '../kernel/position.ts'
import type { RecordBatch } from './kafka-records.ts'

export interface Part {
  readonly topic: string
  readonly partition: number
  readonly batch: RecordBatch
}

/** Sends record batches as an idempotent producer (KIP-98), one request to each broker at a time. */
export interface BatchProducer {
  /**
   * Resolves with the last offset in each stream once all in-sync replicas have the parts. While brokers do not answer it
   * sends the same batches again, whose numbers let a broker see a repeat, until the timeout; then it gives up.
   */
  send(parts: readonly Part[]): Promise<Map<string, number>>
  /** How often it has sent the same again so far. */
  readonly retries: number
  stop(): Promise<void>
}

const ALL_REPLICAS = -1
const RETRY_MS = 100
const MAX_SEQUENCE = 0x7fffffff

interface Identity {
  id: bigint
  epoch: number
}

interface Numbered extends Part {
  readonly bytes: Buffer
}

export function createBatchProducer(options: {
  brokers: readonly string[]
  clientId: string
  timeoutMs: number
}): BatchProducer {
  const { clientId, timeoutMs } = options
  const connectionOptions = { connectTimeout: timeoutMs, requestTimeout: timeoutMs }
  const pool = new ConnectionPool(clientId, connectionOptions)
  // Only asked for metadata: who leads which partition.
  const directory = new Producer({ clientId, bootstrapBrokers: [...options.brokers], retries: 0, ...connectionOptions })
  let identity: Promise<Identity> | undefined
  let sequences = new Map<string, number>()
  let retries = 0

  async function identify(): Promise<Identity> {
    const { brokers } = await directory.metadata({ topics: [] })
    const connection = await pool.getFirstAvailable([...brokers.values()])
    const { producerId, producerEpoch } = await initProducerIdV4.api.async(connection, null, timeoutMs, -1n, -1)
    return { id: producerId, epoch: producerEpoch }
  }

  /** Numbers the parts. The same numbers go with every try, so that a broker that has them already takes none twice. */
  function number(parts: readonly Part[], producer: Identity): Numbered[] {
    const time = Date.now()
    return parts.map(part => {
      const stream = streamName(part.topic, part.partition)
      const sequence = sequences.get(stream) ?? 0
      sequences.set(stream, (sequence + part.batch.count) % (MAX_SEQUENCE + 1))
      return { ...part, bytes: part.batch.finish(producer, sequence, time) }
    })
  }

  async function sendOnce(parts: readonly Numbered[], refresh: boolean): Promise<Map<string, number>> {
    const topics = [...new Set(parts.map(({ topic }) => topic))]
    const metadata = await directory.metadata({ topics, forceUpdate: refresh })
    const byLeader = Map.groupBy(
      parts,
      ({ topic, partition }) => metadata.topics.get(topic)!.partitions[partition]!.leader,
    )
    const last = new Map<string, number>()
    const requests = [...byLeader].map(async ([leader, ofLeader]) => {
      const connection = await pool.get(metadata.brokers.get(leader)!)
      const { responses } = await produce(connection, ofLeader, timeoutMs)
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

  return {
    get retries() {
      return retries
    },
    async send(parts) {
      const end = Date.now() + timeoutMs
      try {
        identity ??= again(identify, end)
        const numbered = number(parts, await identity)
        return await again(tries => {
          if (tries > 0) retries++
          return sendOnce(numbered, tries > 0)
        }, end)
      } catch (error) {
        // Whether the brokers have these batches is not known any more, so their numbers cannot be gone on from. A new
        // identity starts from nothing.
        identity = undefined
        sequences = new Map()
        throw error
      }
    },
    async stop() {
      await Promise.allSettled([pool.close(), directory.close(true)])
    },
  }
}

/** Tries until it works, the error is final, or `end` has passed: brokers that start or change leaders refuse for a while. */
async function again<T>(work: (tries: number) => Promise<T>, end: number): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work(tries)
    } catch (error) {
      if (Date.now() > end || isFinal(error)) throw error
      await new Promise(resolve => setTimeout(resolve, RETRY_MS))
    }
  }
}

/** Errors after which the same batch can never be taken, by the names of the protocol's error codes. */
const FINAL = [
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH', 'MESSAGE_TOO_LARGE'],
  ...['RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'CORRUPT_MESSAGE', 'TOPIC_AUTHORIZATION_FAILED'],
]

function isFinal(error: unknown): boolean {
  const { apiId, errors = [] } = error as { apiId?: string; errors?: unknown[] }
  return (apiId !== undefined && FINAL.includes(apiId)) || errors.some(isFinal)
}

type ProduceResponse = ReturnType<typeof produceV11.parseResponse>

/** One Produce request, version 11 (Kafka protocol guide), with the batches as they are. */
function produce(connection: Connection, parts: readonly Numbered[], timeoutMs: number): Promise<ProduceResponse> {
  const createPayload = () =>
    Writer.create()
      .appendString(null)
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
