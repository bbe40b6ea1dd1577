import type { Admin, Kafka, Producer } from 'kafkajs'
import { DomainError } from '../kernel/errors.ts'
import { passPoint } from '../kernel/points.ts'
import { streamName } from '../kernel/position.ts'
import { alreadyConsumed } from './consumed.ts'
import type { Consumed, Stream } from './log.ts'

interface Owned {
  producer: Producer
  checkpoint: number
}

export interface TransactionMessage {
  topic: string
  partition: number
  key: Buffer
  value: Buffer
}

/**
 * Appends that carry a checkpoint: a Kafka transaction that holds the events and the group's offset in one stream, with
 * one transactional id for each group and stream. Opening the same id again fences whoever had it (KIP-98), and waits
 * for that one's last transaction to be finished, so the offset read afterwards is the true one.
 */
export function createTransactions(kafka: Kafka, admin: Admin) {
  const owners = new Map<string, Owned>()

  async function own(group: string, stream: Stream): Promise<number> {
    const name = `${group} ${stream.name}`
    await owners.get(name)?.producer.disconnect()
    const producer = kafka.producer({
      transactionalId: `${group}-${stream.name}`,
      idempotent: true,
      maxInFlightRequests: 1,
      retry: { initialRetryTime: 5, retries: 20, maxRetryTime: 1000 },
    })
    await producer.connect()
    // kafkajs asks for the producer's id, which is what fences the last owner, when the first transaction starts.
    const opening = await producer.transaction()
    await opening.abort()
    const checkpoint = await committed(group, stream)
    owners.set(name, { producer, checkpoint })
    return checkpoint
  }

  async function committed(group: string, stream: Stream): Promise<number> {
    const offsets = await whileRetriable(() => admin.fetchOffsets({ groupId: group, topics: [stream.topic] }))
    const found = offsets[0]?.partitions.find(({ partition }) => partition === stream.partition)
    const next = Number(found?.offset ?? -1)
    return next < 0 ? -1 : next - 1
  }

  return {
    own,
    async append(
      messages: readonly TransactionMessage[],
      { group, stream, offset }: Consumed,
    ): Promise<Map<string, number>> {
      const name = `${group} ${stream.name}`
      if (!owners.has(name)) await own(group, stream)
      const owned = owners.get(name)!
      if (offset <= owned.checkpoint) throw alreadyConsumed(offset, name)
      const last = new Map<string, number>()
      try {
        const transaction = await owned.producer.transaction()
        try {
          const byTopic = Map.groupBy(messages, message => message.topic)
          const written = await transaction.sendBatch({
            acks: -1,
            topicMessages: [...byTopic].map(([topic, list]) => ({ topic, messages: [...list] })),
          })
          passPoint('kafka.events-sent')
          await transaction.sendOffsets({
            consumerGroupId: group,
            topics: [
              { topic: stream.topic, partitions: [{ partition: stream.partition, offset: String(offset + 1) }] },
            ],
          })
          passPoint('kafka.offsets-sent')
          await transaction.commit()
          passPoint('kafka.committed')
          for (const { topicName, partition, baseOffset } of written) {
            const count = messages.filter(
              message => message.topic === topicName && message.partition === partition,
            ).length
            last.set(streamName(topicName, partition), Number(baseOffset) + count - 1)
          }
        } catch (error) {
          if (transaction.isActive()) await transaction.abort().catch(() => undefined)
          throw error
        }
      } catch (error) {
        owners.delete(name)
        throw refused(error, name)
      }
      owned.checkpoint = offset
      return last
    },
    async stop(): Promise<void> {
      await Promise.all([...owners.values()].map(({ producer }) => producer.disconnect()))
    },
  }
}

/** kafkajs gives up on a group whose coordinator is only just being chosen; this asks again, 10 s at most. */
async function whileRetriable<T>(ask: () => Promise<T>): Promise<T> {
  for (let left = 100; ; left--) {
    try {
      return await ask()
    } catch (error) {
      if (left === 0 || !(error as { retriable?: boolean }).retriable) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

const FENCED = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
])

function refused(error: unknown, name: string): DomainError {
  const type = (error as { type?: string }).type ?? ''
  if (FENCED.has(type)) return new DomainError('CONFLICT', `another process has taken over ${name}`)
  const message = `the event log cannot be written: ${(error as Error).message}`
  return new DomainError('UNAVAILABLE', message, { retryAfter: 5 })
}
