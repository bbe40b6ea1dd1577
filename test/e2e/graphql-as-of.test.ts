import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, pushBatch } from '../kit/api.ts'
import { setPolicy } from '../kit/conflicts.ts'
import { allNodes, ask, graphql, refusal } from '../kit/graphql.ts'
import { plainJob, runJob } from '../kit/pulls.ts'
import type { Source } from '../kit/rows-source.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

const STATE = `query State($asOf: String) {
  datasets(asOf: $asOf) { nodes { id name recordsCount lastUpdated position category records { nodes { id data version updatedAt position inDataset { recordsCount } } } } }
  records(dataset: "held", asOf: $asOf) { nodes { id data version position } }
  record(dataset: "held", id: "c", asOf: $asOf) { data version }
  dataset(id: "held", asOf: $asOf) { recordsCount conflictPolicy position }
  conflicts(asOf: $asOf) { nodes { id status resolution current incoming record { data version } } }
  jobs(asOf: $asOf) { totalCount nodes { id name status position runs { nodes { id status } } logs { nodes { message } } } }
}`

let service: Service
const moments: { position: string; time: string; state: object }[] = []

/** Remembers what is true now, as whoever asks now is told. */
async function remember(): Promise<void> {
  const { position } = await ask<{ position: string }>(service, '{ position }')
  const state = await ask(service, STATE)
  const time = new Date().toISOString()
  while (new Date().toISOString() === time) await new Promise(resolve => setImmediate(resolve))
  moments.push({ position, time, state })
}

beforeAll(async () => {
  service = await startService()
  await setPolicy(service, 'held', 'manual')
  const push = async (record: object | string) => {
    const text = typeof record === 'string' ? record : JSON.stringify(record)
    const body = `{"source":"t","dataset":"held","records":[${text}]}`
    const answer = await call<{ position: string }>(service, '/push/batch', { body, headers: JSON_TYPE })
    await untilProjected(service, answer.body.position)
  }
  await push('{"id":"c","data":{"n":12345678901234567890.123456789}}')
  await remember()
  await push({ id: 'c', data: { n: 2 } })
  await push({ id: 'c', data: { n: 3 }, metadata: { version: 1 } })
  await push({ id: 'd', data: { n: 1 } })
  await runJob(service, plainJob({ url: 'http://127.0.0.1:1' } as Source, { name: 'failing' }))
  await remember()
  await push({ id: 'd', op: 'delete' })
  const open = '{ conflicts { nodes { id } } }'
  const { conflicts } = await ask<{ conflicts: { nodes: { id: string }[] } }>(service, open)
  await ask(
    service,
    `mutation { resolveConflict(id: "${conflicts.nodes[0]!.id}", resolution: accept_incoming) { id } }`,
  )
  await ask(
    service,
    'mutation { configureDataset(dataset: "held", settings: {category: "later", conflictPolicy: null}) { id } }',
  )
  await remember()
  await untilProjected(service, (await pushBatch(service, 'new', [{ id: 'x', data: {} }])).body.position)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

describe('asOf', () => {
  it('gives what was true at a position, all of it', async () => {
    expect(moments).toHaveLength(3)
    expect(new Set(moments.map(({ state }) => JSON.stringify(state))).size).toBe(3)
    for (const { position, state } of moments) expect(await ask(service, STATE, { asOf: position })).toEqual(state)
  })

  it('gives what was true at a time, all of it', async () => {
    for (const { time, state } of moments) expect(await ask(service, STATE, { asOf: time })).toEqual(state)
  })

  it('keeps every digit of what was', async () => {
    const query = 'query Then($asOf: String) { record(dataset: "held", id: "c", asOf: $asOf) { data } }'
    const { text } = await graphql(service, query, { asOf: moments[0]!.position })
    expect(text).toBe('{"data":{"record":{"data":{"n":12345678901234567890.123456789}}}}')
  })

  it('gives each version of a record, page by page, with the position that shows it', async () => {
    interface Version {
      version: number
      operation: string
      data: object | null
      position: string
    }
    const nested = async (first: number): Promise<Version[]> => {
      const found: Version[] = []
      const query = `query Page($first: Int!, $after: String) { record(dataset: "held", id: "c") {
        history(first: $first, after: $after) { nodes { version operation data position } pageInfo { hasNextPage endCursor } } } }`
      for (let after: string | null = null; ; ) {
        interface Page {
          record: { history: { nodes: Version[]; pageInfo: { hasNextPage: boolean; endCursor: string } } }
        }
        const { record }: Page = await ask<Page>(service, query, { first, after })
        found.push(...record.history.nodes)
        if (!record.history.pageInfo.hasNextPage) return found
        after = record.history.pageInfo.endCursor
      }
    }
    const all = await nested(100)
    expect(all.map(({ version, operation }) => [version, operation])).toEqual([
      [1, 'create'],
      [2, 'update'],
      [3, 'update'],
    ])
    for (const first of [1, 2, 3]) expect(await nested(first)).toEqual(all)
    for (const { position, version, data } of all) {
      const query = 'query Then($asOf: String) { record(dataset: "held", id: "c", asOf: $asOf) { version data } }'
      expect(await ask(service, query, { asOf: position })).toEqual({ record: { version, data } })
    }
  })

  it('goes on through all pages of one moment while rows change', async () => {
    const rows = (n: number) => Array.from({ length: 30 }, (_, i) => ({ id: `p${i}`, data: { n } }))
    const { position } = (await pushBatch(service, 'paged', rows(1))).body
    const field = (args: string, page: string) => `records(dataset: "paged", asOf: "${position}", ${args}) { ${page} }`
    let n = 1
    const nodes = await allNodes<{ data: object }>(service, field, 'data', 7, async () => {
      await untilProjected(service, (await pushBatch(service, 'paged', rows(++n))).body.position)
    })
    expect(nodes).toEqual(Array(30).fill({ data: { n: 1 } }))
  })

  it.each([
    ['yesterday', 'VALIDATION_ERROR'],
    ['00000000~log.1', 'VALIDATION_ERROR'],
    ['2999-01-01T00:00:00Z', 'VALIDATION_ERROR'],
  ])('refuses %s', async (asOf, code) => {
    for (const field of ['jobs', 'datasets', 'conflicts', 'records(dataset: "held")']) {
      const query = `query Q($asOf: String) { ${field.replace(/(\(.*)?\)?$/, '')}(${field.includes('(') ? 'dataset: "held", ' : ''}asOf: $asOf) { nodes { id } } }`
      const refused = await refusal(service, query, { asOf })
      expect([refused.code, refused.field, refused.message]).toEqual([code, 'asOf', expect.stringMatching(/^asOf: /)])
    }
  })
})
