import type { Producer } from 'kafkajs'
import { passPoint } from '../../kernel/points.ts'
import { streamName } from '../../kernel/position.ts'
import { CHECKPOINTS, checkpointKey } from '../kafka-checkpoints.ts'
import { refused, type Target } from './target.ts'

/** Where a group goes on: the offset of the next event to handle. */
export interface Handled {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly next: number
}

/** How long a coordinator may take to be chosen and to load what it needs: a broker just started has none yet. */
const COORDINATOR_MS = 30_000
const LOOK_AGAIN_MS = 100

/** Commits how far each group has come, the way the service does, and waits until Kafka says so too. */
export async function commitHandled(target: Target, source: string, handled: readonly Handled[]): Promise<void> {
  if (handled.length === 0) return
  const transactionalId = `migrate-${source}`
  const producer = target.kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    for (const [group, ofGroup] of Map.groupBy(handled, each => each.group)) {
      await whileRetriable(() => commit(producer, group, ofGroup))
      await whileRetriable(() => requireCommitted(target, group, ofGroup))
    }
  } finally {
    await producer.disconnect()
  }
  passPoint('migrate.committed')
}

async function commit(producer: Producer, group: string, handled: readonly Handled[]): Promise<void> {
  const topics = [...Map.groupBy(handled, each => each.topic)].map(([topic, list]) => ({
    topic,
    partitions: list.map(({ partition, next }) => ({ partition, offset: String(next) })),
  }))
  const messages = handled.map(({ topic, partition, next }) => ({
    key: checkpointKey(group, streamName(topic, partition)),
    value: String(next - 1),
  }))
  const transaction = await producer.transaction()
  try {
    await transaction.send({ topic: CHECKPOINTS, messages })
    await transaction.sendOffsets({ consumerGroupId: group, topics })
    await transaction.commit()
  } catch (error) {
    if (transaction.isActive()) await transaction.abort()
    throw error
  }
}

/** Offsets of a transaction are seen when its marker is written, a moment after it is committed. */
async function requireCommitted({ admin }: Target, group: string, handled: readonly Handled[]): Promise<void> {
  const topics = [...new Set(handled.map(({ topic }) => topic))]
  const found = new Map<string, string>()
  for (const { topic, partitions } of await admin.fetchOffsets({ groupId: group, topics }))
    for (const { partition, offset } of partitions) found.set(`${topic} ${partition}`, offset)
  const wrong = handled.find(({ topic, partition, next }) => found.get(`${topic} ${partition}`) !== String(next))
  if (!wrong) return
  const message = `the group ${group} does not stand at ${wrong.next} in ${wrong.topic}-${wrong.partition}`
  throw Object.assign(new Error(message), { retriable: true })
}

/** Throws when a service works on this Kafka: it would take a part of the copy for the whole. */
export async function requireNobody({ admin }: Target, groups: readonly string[]): Promise<void> {
  if (groups.length === 0) return
  const described = await whileRetriable(() => admin.describeGroups([...groups]))
  const busy = described.groups.find(({ members }) => members.length > 0)
  if (busy) throw refused(`a service works on this Kafka, as group ${busy.groupId}: stop it first`)
}

/** Asks again while the answer is that it may be another one soon. */
async function whileRetriable<T>(ask: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + COORDINATOR_MS; ; ) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() > end || !(error as { retriable?: boolean }).retriable) throw error
      await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }
}
