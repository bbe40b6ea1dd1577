/** GraphQL over a log of many partitions: what one position of the embedded log says, a vector of them says here. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { pushBatch } from '../kit/api.ts'
import { available } from '../kit/faults.ts'
import { allNodes, ask } from '../kit/graphql.ts'
import { subscribe } from '../kit/graphql-feed.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { createDatabase } from '../kit/postgres.ts'
import { makeJob, plainJob } from '../kit/pulls.ts'
import type { Source } from '../kit/rows-source.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const [kafka, postgres] = [inject('kafka'), inject('postgres')]
const possible = available('GraphQL on Kafka', kafka && postgres ? undefined : 'It needs Kafka and PostgreSQL.')
const ROWS = 30

const STATE = `query State($asOf: String) {
  dataset(id: "many", asOf: $asOf) { recordsCount records(first: 100) { nodes { id data version position } } }
  jobs(asOf: $asOf) { totalCount nodes { id name } }
}`

interface Change {
  changes: { position: string; recordId: string; operation: string }
}
const CHANGES = `subscription Changes($since: String) { changes(dataset: "many", since: $since) {
  position ... on RecordChange { recordId operation } } }`

describe.skipIf(!possible)('GraphQL, from Kafka and PostgreSQL', () => {
  let broker: Broker
  let database: Awaited<ReturnType<typeof createDatabase>>
  let service: Service
  beforeAll(async () => {
    ;[broker, database] = await Promise.all([startBroker(), createDatabase(postgres!)])
    const env = { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl, DATABASE_URL: database.url }
    service = await startService(env)
  })
  afterAll(async () => {
    await service?.stop()
    removeData(service)
    await Promise.all([broker?.stop(), database?.drop()])
  })

  const push = async (n: number, ids = ROWS) => {
    const rows = Array.from({ length: ids }, (_, id) => ({ id: `r${id}`, data: { n } }))
    await untilProjected(service, (await pushBatch(service, 'many', rows)).body.position)
    return (await ask<{ position: string }>(service, '{ position }')).position
  }

  it('answers what was true at each position that it gave out', async () => {
    const moments: [position: string, state: object][] = []
    for (let n = 0; n < 3; n++) {
      await makeJob(service, plainJob({ url: 'http://127.0.0.1:1' } as Source, { name: `job ${n}` }))
      moments.push([await push(n, ROWS - n), await ask(service, STATE)])
    }
    expect(new Set(moments.map(([, state]) => JSON.stringify(state))).size).toBe(3)
    for (const [asOf, state] of moments) expect(await ask(service, STATE, { asOf })).toEqual(state)
  })

  it('has each event once, and each record’s versions, whatever the page', async () => {
    const before = await push(10)
    const after = await push(11)
    for (const first of [7, 1000]) {
      const field = (args: string, page: string) =>
        `events(topic: "sync.records", from: "${before}", to: "${after}", ${args}) { ${page} }`
      const events = await allNodes<{ id: string; payload: { id: string } }>(service, field, 'id payload', first)
      expect(events).toHaveLength(ROWS)
      expect(new Set(events.map(({ payload }) => payload.id)).size).toBe(ROWS)
    }
    const versions = 'history(first: 100) { nodes { version data position } }'
    const { record } = await ask<{
      record: { version: number; history: { nodes: { version: number; data: { n: number } }[] } }
    }>(service, `{ record(dataset: "many", id: "r3") { version ${versions} } }`)
    expect(record.history.nodes.map(({ version }) => version)).toEqual(
      Array.from({ length: record.version }, (_, i) => i + 1),
    )
    expect(record.history.nodes.at(-1)!.data).toEqual({ n: 11 })
  })

  it('goes on with changes where another subscription has stopped', async () => {
    const since = await push(20)
    const feed = await subscribe<Change>(service, CHANGES, { since })
    await push(21)
    await feed.next(() => feed.results.length === ROWS)
    // As if no more of them had got through.
    const first = feed.results.slice(0, 11).map(({ data }) => data!.changes)
    feed.close()
    const again = await subscribe<Change>(service, CHANGES, { since: first.at(-1)!.position })
    const told = () => [...first, ...again.results.map(({ data }) => data!.changes)].map(({ recordId }) => recordId)
    await again.next(() => told().length >= ROWS)
    expect(told().sort()).toEqual(Array.from({ length: ROWS }, (_, n) => `r${n}`).sort())
    again.close()
  })
})
