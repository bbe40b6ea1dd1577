import { buildSchema, getIntrospectionQuery } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Item, pushBatch, pushLines, readRecords } from '../kit/api.ts'
import { setPolicy } from '../kit/conflicts.ts'
import { allNodes, ask, type Connected, graphql } from '../kit/graphql.ts'
import { plainJob, runJob } from '../kit/pulls.ts'
import type { Source } from '../kit/rows-source.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const WIDE = '{"wide": 12345678901234567890.123456789, "huge":1e400, "2":[ -0, 1.0 ],\n"1":{"a":"\\u0000 \\"x\\""}}'

let service: Service
let end: string
beforeAll(async () => {
  service = await startService()
  const lines = Array.from({ length: 25 }, (_, n) =>
    JSON.stringify({ id: `r${String(n).padStart(2, '0')}`, data: { n } }),
  )
  await pushLines(service, 'dataset=flights', lines.join('\n'))
  const exact = `{"source":"tests","dataset":"exact","records":[{"id":"one","data":${WIDE}}]}`
  const headers = { 'content-type': 'application/json' }
  await call(service, '/push/batch', { body: exact, headers })
  await setPolicy(service, 'held', 'manual')
  await pushBatch(service, 'held', [{ id: 'c', data: { a: 1 } }])
  await pushBatch(service, 'held', [{ id: 'c', data: { a: 3 } }])
  const { body } = await pushBatch(service, 'held', [{ id: 'c', data: { a: 2 }, metadata: { version: 1 } }])
  end = body.position
  await untilProjected(service, end)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

describe('queries', () => {
  it('give records by pages that fit together, with the cursors of each', async () => {
    const all = await readRecords(service, 'flights', end)
    for (const first of [1, 7, 25, 1000]) {
      const field = (args: string, page: string) => `records(dataset: "flights", ${args}) { ${page} }`
      const nodes = await allNodes(service, field, 'id data version updatedAt position dataset', first)
      expect(nodes).toEqual(
        (all as (Item & { origin: unknown })[]).map(({ updated_at, origin: _, ...record }) => ({
          ...record,
          updatedAt: updated_at,
          dataset: 'flights',
        })),
      )
    }
    const query =
      '{ records(dataset: "flights", first: 3) { edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }'
    const { records } = await ask<{ records: Connected<{ id: string }> }>(service, query)
    expect(records.pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: records.edges[0]!.cursor,
      endCursor: records.edges[2]!.cursor,
    })
    const next = `{ records(dataset: "flights", first: 0, after: "${records.edges[0]!.cursor}") { nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }`
    expect(await ask(service, next)).toEqual({
      records: { nodes: [], pageInfo: { hasNextPage: true, hasPreviousPage: true, endCursor: null } },
    })
  })

  it('page through everything once while rows are written', async () => {
    const ids = new Set<string>()
    let pages = 0
    const field = (args: string, page: string) => `records(dataset: "busy", ${args}) { ${page} }`
    const rows = (from: number, step: number) =>
      Array.from({ length: 100 }, (_, n) => ({ id: `b${String(from + n * step).padStart(5, '0')}`, data: { n } }))
    await untilProjected(service, (await pushBatch(service, 'busy', rows(0, 10))).body.position)
    const nodes = await allNodes<{ id: string }>(service, field, 'id', 9, async page => {
      for (const { id } of page) ids.add(id)
      if (++pages < 10) await untilProjected(service, (await pushBatch(service, 'busy', rows(pages, 10))).body.position)
    })
    expect(nodes).toHaveLength(ids.size)
    for (const { id } of rows(0, 10)) expect(ids.has(id)).toBe(true)
  })

  it('keep every digit of data, and its text', async () => {
    const { text } = await graphql(service, '{ records(dataset: "exact") { nodes { data } } }')
    expect(text).toContain(WIDE.replace('\n', ' '))
    const one = await graphql(service, '{ record(dataset: "exact", id: "one") { data } }')
    expect(one.text).toBe(`{"data":{"record":{"data":${WIDE.replace('\n', ' ')}}}}`)
  })

  it('find records by their fields, by an object or by text', async () => {
    const ids = async (where: unknown) => {
      const query = 'query Where($where: JSON) { records(dataset: "flights", where: $where) { nodes { id } } }'
      const { records } = await ask<{ records: Connected<{ id: string }> }>(service, query, { where })
      return records.nodes.map(({ id }) => id)
    }
    expect(await ids({ n: { gte: 3, lt: 6 } })).toEqual(['r03', 'r04', 'r05'])
    expect(await ids('n>=3,n<6')).toEqual(['r03', 'r04', 'r05'])
    expect(await ids(null)).toHaveLength(20)
    const literal = await ask(service, '{ records(dataset: "flights", where: {n: {gt: 23}}) { nodes { id } } }')
    expect(literal).toEqual({ records: { nodes: [{ id: 'r24' }] } })
  })

  it('go from one noun to another: data sets, their records, conflicts and what is in conflict', async () => {
    const query = `{
      datasets(search: "he") { nodes { id dataset name recordsCount position conflictPolicy schemaContract
        records { nodes { id data inDataset { name } } } record(id: "none") { id } } pageInfo { hasNextPage } }
      conflicts(dataset: "held", status: "open") { nodes {
        id dataset recordId type status current incoming resolution fields policy position record { data version } } }
    }`
    const { datasets, conflicts } = await ask<{ datasets: Connected<object>; conflicts: Connected<{ id: string }> }>(
      service,
      query,
    )
    expect(datasets).toEqual({
      nodes: [
        {
          ...{
            id: expect.stringMatching(/^ds_/),
            dataset: 'held',
            name: 'held',
            recordsCount: 1,
            conflictPolicy: 'manual',
          },
          ...{ position: expect.stringContaining('~'), schemaContract: 'discard_row', record: null },
          records: { nodes: [{ id: 'c', data: { a: 3 }, inDataset: { name: 'held' } }] },
        },
      ],
      pageInfo: { hasNextPage: false },
    })
    const [found] = conflicts.nodes
    expect(found).toMatchObject({
      ...{
        dataset: 'held',
        recordId: 'c',
        type: 'version',
        status: 'open',
        resolution: null,
        policy: 'manual',
      },
      ...{ current: { a: 3 }, incoming: { a: 2 }, fields: ['a'], record: { data: { a: 3 }, version: 2 } },
    })
    const one = await ask(
      service,
      'query One($id: ID!) { conflict(id: $id) { id } none: conflict(id: "conf_0") { id } }',
      found,
    )
    expect(one).toEqual({ conflict: { id: found!.id }, none: null })
    const rest = (await call<{ position: string }>(service, `/conflicts/${found!.id}`)).body
    expect((found as unknown as { position: string }).position).toBe(rest.position)
  })

  it('give jobs with their runs and what those told', async () => {
    const source = { url: 'http://127.0.0.1:1' } as Source
    const { id } = await runJob(service, plainJob(source, { name: 'pull' }))
    const query = `query Job($id: ID!) {
      job(id: $id) { id name connectorType status connector schedule destination transformations nextRuns runId position error createdAt
        runs { nodes { id jobId status trigger error position job { id name } } }
        logs(last: 2, level: "warning") { nodes { level message runId metadata timestamp } pageInfo { hasPreviousPage } } }
      jobs(status: "failed") { totalCount nodes { id } }
      none: job(id: "job_0") { id }
    }`
    const { job, jobs, none } = await ask<{ job: { logs: Connected<{ message: string }> }; jobs: object; none: null }>(
      service,
      query,
      { id },
    )
    const rest = (await call<Record<string, unknown>>(service, `/jobs/${id}`)).body
    expect(job).toMatchObject({
      ...{
        id,
        name: 'pull',
        connectorType: 'rest_api',
        status: 'failed',
        connector: rest.connector,
        error: rest.error,
      },
      ...{
        schedule: rest.schedule,
        destination: rest.destination,
        nextRuns: [],
        position: rest.position,
        runId: rest.run_id,
      },
      runs: { nodes: [{ id: rest.run_id, jobId: id, status: 'failed', trigger: 'manual', job: { id, name: 'pull' } }] },
    })
    const { logs } = (await call<{ logs: { message: string }[] }>(service, `/jobs/${id}/logs?level=warning`)).body
    expect(job.logs.nodes.map(({ message }) => message)).toEqual(logs.slice(-2).map(({ message }) => message))
    expect([jobs, none]).toEqual([{ totalCount: 1, nodes: [{ id }] }, null])
  })

  it('give events as the history has them, by topic, type, key and place', async () => {
    interface Event {
      id: string
      position: string
      payload: { id: string }
    }
    const history = (await call<{ items: Event[] }>(service, `/events?topic=sync.records&to=${end}&limit=1000`)).body
      .items
    const fields = 'id topic type key position time payload'
    const field = (args: string, page: string) => `events(topic: "sync.records", to: "${end}", ${args}) { ${page} }`
    for (const first of [10, 1000]) expect(await allNodes(service, field, fields, first)).toEqual(history)
    const query = `query Part($from: String!, $to: String!) { events(topic: ["sync.records", "sync.jobs"], type: "RecordPushed", from: $from, to: $to) { nodes { ${fields} } pageInfo { hasNextPage } } }`
    const part = await ask(service, query, { from: history[4]!.position, to: history[9]!.position })
    expect(part).toEqual({ events: { nodes: history.slice(5, 10), pageInfo: { hasNextPage: false } } })
    const rare = await allNodes<Event>(
      service,
      (args, page) => `events(key: "exact\\u0000one", to: "${end}", ${args}) { ${page} }`,
      fields,
      1,
    )
    expect(rare.map(({ payload }) => payload.id)).toEqual(['one', 'one'])
  })
})

describe('the schema', () => {
  it('is there for anyone', async () => {
    const { status, text } = await call(service, '/graphql/schema', { as: null })
    expect([status, buildSchema(text).getQueryType()?.name]).toEqual([200, 'Query'])
  })

  it('can be asked for, as clients do', async () => {
    const { __schema } = await ask<{ __schema: { queryType: { name: string } } }>(service, getIntrospectionQuery())
    expect(__schema.queryType.name).toBe('Query')
  })
})
