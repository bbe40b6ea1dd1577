import { rmSync } from 'node:fs'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { schemas } from '../../src/events/index.ts'
import { call, type Item, pushBatch, readRecords, type TokenAnswer, tokenFor } from '../kit/api.ts'
import { readTopic } from '../kit/events.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { openLogAt } from '../kit/logs.ts'
import { until } from '../kit/processes.ts'
import { type Service, startService } from '../kit/service.ts'

const kafka = inject('kafka')

/** A service that stood still for longer than Kafka keeps the offsets of a group without members. */
describe.skipIf(!kafka)('after Kafka has forgotten the groups', () => {
  let broker: Broker
  let service: Service
  const env = () => ({ KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl })

  beforeAll(async () => {
    broker = await startBroker()
    service = await startService(env())
  }, 60_000)
  afterAll(async () => {
    await service?.stop()
    await broker?.stop()
    if (service) rmSync(service.dataDir, { recursive: true, force: true })
  })

  it('no command is decided again and no change is told again, also while the read store is made anew', async () => {
    const refresh = async (token: string) => {
      const body = { grant_type: 'refresh_token', refresh_token: token }
      return call<TokenAnswer>(service, '/auth/refresh', { as: null, body })
    }
    const { refresh_token: first } = await tokenFor(service)
    const second = (await refresh(first)).body.refresh_token
    for (const n of [1, 2]) await pushBatch(service, 'told', [{ id: 'a', data: { n } }], { ack: 'projected' })
    await service.stop()
    const before = await ends()

    const admin = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId)
    expect(groups.sort()).toEqual(['decider', 'projector-records', 'runner'])
    await until('the groups to be gone', () => admin.deleteGroups(groups).then(() => true))
    await admin.disconnect()
    for (const file of ['read.db', 'read.db-wal', 'read.db-shm']) rmSync(`${service.dataDir}/${file}`, { force: true })

    service = await startService(env(), { dataDir: service.dataDir })
    const { position } = (await pushBatch(service, 'told', [{ id: 'b', data: {} }])).body
    const rows: Item[] = await readRecords(service, 'told', position)
    expect(rows.map(({ id, version }) => [id, version])).toEqual([
      ['a', 2],
      ['b', 1],
    ])
    // Decided again, the first refresh would be the theft of a spent token, which ends all that follow from it.
    expect((await refresh(second)).status).toBe(200)
    await service.stop()
    const after = await ends()
    // One change for b; the start's token and the refresh each have one event.
    expect([after['sync.changes']! - before['sync.changes']!, after['sync.access']! - before['sync.access']!]).toEqual([
      1, 2,
    ])
  }, 120_000)

  /** How many events each topic has. */
  async function ends(): Promise<Record<string, number>> {
    const log = await openLogAt(`kafka:${broker.brokers},${kafka!.registryUrl}`)
    const topics = ['sync.changes', 'sync.access']
    await log.declare(readTopics(), schemas)
    const counts = await Promise.all(topics.map(async topic => [topic, (await readTopic(log, topic)).length] as const))
    await log.stop()
    return Object.fromEntries(counts)
  }
})
