import { setTimeout as delay } from 'node:timers/promises'
import { type Admin, Kafka, logLevel, Partitioners, type Producer, type Transaction } from 'kafkajs'
import { DomainError } from '../../../kernel/errors.ts'
import { passPoint } from '../../../kernel/points.ts'
import type { Sink, SinkContext, SinkPage, SinkRefusal } from '../destination.ts'
import { isFenced, isPassing, kafkaFault } from './faults.ts'
import { messagesOf } from './messages.ts'
import { prepareTopic } from './topic.ts'

/** After that the brokers give up a transaction whose producer is gone, and readers of the topic go on. */
const TRANSACTION_MS = 60_000
/**
 * The brokers still finish a transaction for some milliseconds after they have said that it is committed, and take no other
 * meanwhile: ask again soon.
 */
const AGAIN_MS = 5
/** The checkpoint is the group's offset in this partition, whatever is in it. */
const PARTITION = 0

interface Opened {
  readonly admin: Admin
  readonly producer: Producer
  readonly maxBytes: number
}

/**
 * A topic as a sink. A page's messages and its number, as an offset of a group of the job's own, are one transaction
 * (KIP-98). Each job has one transactional id: who opens it shuts out whoever had it before, page by page.
 *
 * Kafka forgets a group that is not used for long (`offsets.retention.minutes`, a week by default), and the checkpoint
 * with it.
 */
export async function openTopicSink(topic: string, key: string | undefined, context: SinkContext): Promise<Sink> {
  const { jobId, runId, signal, answerMs } = context
  const groupId = `superinsight-sink-${jobId}`
  const kafka = new Kafka({
    brokers: [...context.brokers],
    clientId: 'superinsight-sink',
    logLevel: logLevel.NOTHING,
    connectionTimeout: answerMs,
    requestTimeout: answerMs,
    retry: { initialRetryTime: AGAIN_MS, retries: retriesWithin(answerMs), maxRetryTime: answerMs },
  })
  let opened: Opened | undefined
  let checkpoint: Sink['checkpoint']
  let isShutOut = false

  async function open(): Promise<Opened> {
    const admin = kafka.admin()
    const producer = kafka.producer({
      transactionalId: groupId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: TRANSACTION_MS,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    try {
      await admin.connect()
      const maxBytes = await prepareTopic(admin, topic)
      await producer.connect()
      // An empty transaction: from its beginning on nobody else writes, and what was left open is ended.
      await (await producer.transaction()).abort()
      checkpoint = await committed(admin)
      return { admin, producer, maxBytes }
    } catch (error) {
      await close({ admin, producer })
      throw error
    }
  }

  async function committed(admin: Admin): Promise<Sink['checkpoint']> {
    const found = await patiently(() => admin.fetchOffsets({ groupId, topics: [topic] }))
    const at = found[0]?.partitions.find(({ partition }) => partition === PARTITION)
    if (!at || Number(at.offset) < 0) return undefined
    return { number: Number(at.offset), runId: JSON.parse(at.metadata || '{}').runId ?? '' }
  }

  /** For what kafkajs does not ask again by itself: offsets, while the last transaction ends or a coordinator is chosen. */
  async function patiently<T>(work: () => Promise<T>): Promise<T> {
    for (const end = Date.now() + answerMs; ; ) {
      try {
        return await work()
      } catch (error) {
        if (!isPassing(error) || Date.now() > end) throw error
        await delay(AGAIN_MS, undefined, { signal })
      }
    }
  }

  async function close({ admin, producer }: Pick<Opened, 'admin' | 'producer'>): Promise<void> {
    await Promise.allSettled([producer.disconnect(), admin.disconnect()])
  }

  /** Opens the topic again when the last transaction did not end well: only then is it known whether it is in. */
  async function ready(): Promise<Opened> {
    if (isShutOut) throw new DomainError('CONFLICT', 'another runner has taken over the destination')
    opened ??= await open()
    return opened
  }

  /** Whatever fails is told as callers know it. */
  async function told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      if (isFenced(error)) isShutOut = true
      throw kafkaFault(error, topic)
    }
  }

  async function transact(
    { producer }: Opened,
    batches: ReturnType<typeof messagesOf>['batches'],
    number: number,
  ): Promise<void> {
    let transaction: Transaction | undefined
    try {
      transaction = await producer.transaction()
      for (const messages of batches) await transaction.send({ topic, messages: [...messages], timeout: answerMs })
      const offset = { partition: PARTITION, offset: String(number), metadata: JSON.stringify({ runId }) }
      const offsets = { consumerGroupId: groupId, topics: [{ topic, partitions: [offset] }] }
      await patiently(() => transaction!.sendOffsets(offsets))
      passPoint('sink.page-written')
      await transaction.commit()
    } catch (error) {
      // What became of it is only known once the topic is opened again.
      const last = opened
      opened = undefined
      if (transaction?.isActive()) await transaction.abort().catch(() => undefined)
      if (last) await close(last)
      throw error
    }
  }

  async function write(page: SinkPage, onRefused: (refused: readonly SinkRefusal[]) => Promise<void>): Promise<void> {
    const { number, first = number, rows } = page
    const open = await told(ready)
    const last = checkpoint?.number ?? 0
    if (last >= number) return
    if (last >= first) {
      throw new DomainError('CONFLICT', `the destination has pages up to ${last} of ${first} to ${number} already`)
    }
    const { batches, refused } = messagesOf(rows, { key, jobId, maxBytes: open.maxBytes })
    if (refused.length > 0) await onRefused(refused)
    passPoint('sink.refused-told')
    signal.throwIfAborted()
    await told(() => transact(open, batches, number))
    passPoint('sink.page-committed')
    checkpoint = { runId, number }
  }

  await told(ready)
  return {
    get checkpoint() {
      return checkpoint
    },
    write,
    async complete() {
      await told(ready)
      if (checkpoint?.runId === runId) return
      const at = checkpoint ? `at run ${checkpoint.runId}` : 'at no run'
      throw new DomainError('CONFLICT', `run ${runId} cannot be completed: the destination is ${at}`)
    },
    async stop() {
      if (opened) await close(opened)
      opened = undefined
    },
  }
}

/** How often to ask again, each time after twice as long, so that it is over when `ms` are. */
function retriesWithin(ms: number): number {
  return Math.max(1, Math.floor(Math.log2(ms / AGAIN_MS)) - 1)
}
