import { Kafka, logLevel } from 'kafkajs'
import { pino } from 'pino'
import { expect, inject, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { schemas } from '../../src/events/index.ts'
import { recordsProjection } from '../../src/projections/records.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { startProjector } from '../../src/workers/projector.ts'
import { startBroker } from '../kit/kafka.ts'
import { openLogAt } from '../kit/logs.ts'
import { until } from '../kit/processes.ts'
import { pushInto } from '../kit/projected.ts'

const kafka = inject('kafka')
const TOPIC = 'sync.records'

/** A runner that is killed leaves a transaction behind, which brokers give up when another takes over. */
it.skipIf(!kafka)('checkpoints pass a transaction that was given up, also where nothing comes after it', async () => {
  const broker = await startBroker()
  const log = await openLogAt(`kafka:${broker.brokers},${kafka!.registryUrl}`)
  const store = openSqliteStore({ file: ':memory:', cacheMb: 4 })
  const client = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING })
  const producer = client.producer({ transactionalId: 'given up', idempotent: true, maxInFlightRequests: 1 })
  try {
    await log.declare(readTopics(), schemas)
    await pushInto(log, { id: '1' }, { id: '2' }, { id: '3' })
    await producer.connect()
    const transaction = await producer.transaction()
    const messages = log.streams(TOPIC).map(({ partition }) => ({ key: 'k', value: 'void', partition }))
    await transaction.send({ topic: TOPIC, messages })
    await transaction.abort()
    const ends = () => log.ends(TOPIC)
    // The mark of a transaction is an event of nobody's: with it each stream has at least two.
    await until('the marks', async () => [...(await ends()).values()].every(end => end >= 1))

    await store.declare(recordsProjection.tables)
    const projector = await startProjector({
      ...{ log: { ...log, share: (_group, topic, on) => alone(() => on(log.streams(topic))) }, store },
      ...{ projection: recordsProjection, logger: pino({ level: 'silent' }), maxEvents: 100, maxBytes: 1_000_000 },
      onHolding: () => undefined,
      onProgress: () => undefined,
    })
    await until('the checkpoints to be where the log ends', async () => {
      const [reached, all] = [await store.checkpoints(['records']), await ends()]
      return [...all].every(([stream, end]) => reached.get(stream) === end)
    })
    expect(await store.count({ table: recordsProjection.tables[0]!, equal: {} })).toBe(3)
    await projector.stop()
  } finally {
    await producer.disconnect()
    await store.stop()
    await log.stop()
    await broker.stop()
  }
})

async function alone(begin: () => void): Promise<{ stop(): Promise<void> }> {
  begin()
  return { stop: async () => undefined }
}
