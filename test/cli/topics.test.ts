import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import type { ShownTopic } from '../../src/edge/history/topics.ts'
import { call, pushLines, tokenFor } from '../kit/api.ts'
import { runCli } from '../kit/cli.ts'
import { readHistory } from '../kit/history-listener.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const kafka = inject('kafka')
const RECORDS = 50

describe.each(['the embedded log', 'Kafka'])('topics, on %s', where => {
  const possible = where !== 'Kafka' || kafka
  let broker: Broker | undefined
  let service: Service
  beforeAll(async () => {
    if (!possible) return
    broker = where === 'Kafka' ? await startBroker() : undefined
    service = await startService(broker && { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl })
    const lines = Array.from({ length: RECORDS }, (_, n) => JSON.stringify({ id: `r${n}`, data: { n } })).join('\n')
    await untilProjected(service, (await pushLines(service, 'dataset=counted', lines)).body.position)
  })
  afterAll(async () => {
    await service?.stop()
    if (service) removeData(service)
    await broker?.stop()
  })

  it.skipIf(!possible)('tells of each one what is declared and what is in it', async () => {
    const { body } = await call<{ log: string; items: ShownTopic[] }>(service, '/topics')
    expect(body.items.map(({ topic }) => topic).sort()).toEqual(
      readTopics()
        .map(({ name }) => name)
        .sort(),
    )
    for (const { topic, ...shown } of body.items) {
      const spec = readTopics().find(({ name }) => name === topic)!
      const retention_seconds = spec.retention_ms < 0 ? null : spec.retention_ms / 1000
      expect(shown).toMatchObject({
        key: spec.key,
        types: spec.records,
        readers: spec.readers,
        retention_seconds,
        from: null,
      })
      const events = await readHistory(service, `topic=${topic}`)
      expect([topic, shown.partitions]).toEqual([topic, where === 'Kafka' ? spec.partitions : 1])
      if (where !== 'Kafka') expect([topic, shown.events]).toEqual([topic, events.length])
      const times = events.map(({ time }) => time).sort()
      expect([topic, shown.first_at, shown.last_at]).toEqual([topic, times[0] ?? null, times.at(-1) ?? null])
      if (events.length === 0) expect(shown).toMatchObject({ position: null })
      else expect(await readHistory(service, `topic=${topic}&from=${shown.position}`)).toEqual([])
    }
    const records = body.items.find(({ topic }) => topic === 'sync.records')!
    expect(records.events).toBe(RECORDS)
    expect(records.position).toMatch(new RegExp(`^${body.log}~`))
  })

  it.skipIf(!possible)('shows only those that a caller may see', async () => {
    const { access_token: as } = await tokenFor(service, 'sync:read')
    const { body } = await call<{ items: ShownTopic[] }>(service, '/topics', { as })
    const names = body.items.map(({ topic }) => topic)
    expect([names.includes('sync.records'), names.includes('sync.access')]).toEqual([true, false])
  })

  it.skipIf(!possible)('are a table for people, and JSON for programs', async () => {
    const { code, stdout } = await runCli(service, ['topics'])
    const [head, ...rows] = stdout.trimEnd().split('\n')
    expect([code, head]).toEqual([0, expect.stringMatching(/^TOPIC +PARTITIONS +EVENTS +FIRST +LAST +KEPT +READ BY$/)])
    expect(rows).toHaveLength(readTopics().length)
    expect(rows.find(row => row.startsWith('sync.records '))).toMatch(
      / +50 +\d{4}-\d\d-\d\d \d\d:.* for ever +projector/,
    )
    expect(rows.find(row => row.startsWith('sync.commands '))).toContain('30 days')
    expect(rows.find(row => row.startsWith('sync.origins '))).toMatch(/ 0 +- +- +last of each key/)
    const json = await runCli(service, ['topics', '--json'])
    expect(JSON.parse(json.stdout)).toEqual((await call(service, '/topics')).body)
  })
})
