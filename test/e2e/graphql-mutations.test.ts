import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, pushBatch, readRecords, tokenFor } from '../kit/api.ts'
import { setPolicy } from '../kit/conflicts.ts'
import { ask, type Connected, graphql, refusal } from '../kit/graphql.ts'
import { plainJob } from '../kit/pulls.ts'
import type { Source } from '../kit/rows-source.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const PUSH = `mutation Push($dataset: String, $records: [JSON!]!, $options: PushOptions, $key: String) {
  pushRecords(dataset: $dataset, records: $records, options: $options, idempotencyKey: $key) {
    requestId accepted rejected position processingTimeMs errors { index id field code message retryable } } }`

interface Pushed {
  pushRecords: { requestId: string; accepted: number; rejected: number; position: string; errors: object[] }
}

describe('pushing records', () => {
  it('goes the way of a batch: good ones in, bad ones told and kept', async () => {
    const records = [{ id: 'a', data: { n: 1 } }, { data: {} }, { id: 'b', data: { n: 2 } }]
    const { pushRecords } = await ask<Pushed>(service, PUSH, { dataset: 'pushed', records })
    expect(pushRecords).toMatchObject({
      accepted: 2,
      rejected: 1,
      errors: [{ index: 1, field: 'id', retryable: false }],
    })
    expect((await readRecords(service, 'pushed', pushRecords.position)).map(({ id }) => id)).toEqual(['a', 'b'])
    const rejected = await call<{ items: { id: string; request_id: string }[] }>(service, '/rejected?dataset=pushed')
    const [kept] = rejected.body.items
    expect(kept!.request_id).toBe(pushRecords.requestId)
    const replay =
      'mutation Mend($id: ID!, $data: JSON) { replayRejected(id: $id, data: $data, recordId: "c") { id position } }'
    const { replayRejected } = await ask<{ replayRejected: { id: string; position: string } }>(service, replay, {
      ...{ id: kept!.id, data: { n: 3 } },
    })
    expect((await readRecords(service, 'pushed', replayRejected.position)).map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect((await refusal(service, replay, { id: kept!.id, data: {} })).code).toBe('CONFLICT')
  })

  it('keeps every digit, in variables and in the query itself', async () => {
    const exact =
      '{"wide":12345678901234567890.123456789,"huge":1e400,"deep":[{"n":0.1234567890123456789}],"text":"1e5"}'
    const headers = { 'content-type': 'application/json' }
    const query = JSON.stringify(PUSH)
    const body = `{"query":${query},"variables":{"dataset":"exact","records":[{"id":"v","data":${exact}}],"options":{"ack":"projected"}}}`
    const pushed = await call<{ data: Pushed }>(service, '/graphql', { body, headers })
    expect([pushed.status, pushed.body.data.pushRecords.accepted]).toEqual([200, 1])
    const literal = exact.replace(/"(\w+)":/g, '$1: ')
    await ask(
      service,
      `mutation Push($id: String!, $n: JSON) {
      pushRecords(dataset: "exact", options: {ack: "projected"}, records: [
        {id: "l", data: ${literal}}, {id: $id, data: {n: $n, list: [1.50, -0, true, null, "x\\n"]}}]) { accepted } }`,
      { id: 'm', n: { deep: [1] } },
    )
    const { text } = await graphql(service, '{ records(dataset: "exact") { nodes { data } } }')
    expect(text).toContain(
      `{"data":${exact}},{"data":{"n":{"deep":[1]},"list":[1.50,-0,true,null,"x\\n"]}},{"data":${exact}}`,
    )
  })

  it('is done once under a key', async () => {
    const records = [{ id: 'once', data: { n: 1 } }]
    const once = () => ask<Pushed>(service, PUSH, { dataset: 'once', records, key: 'k1' })
    const first = await once()
    expect(await once()).toEqual(first)
    const other = await refusal(service, PUSH, { dataset: 'once', records: [{ id: 'other', data: {} }], key: 'k1' })
    expect([other.code, other.message]).toEqual(['UNPROCESSABLE', expect.stringContaining('idempotencyKey')])
    expect((await refusal(service, PUSH, { records, key: 'ü' })).field).toBe('idempotencyKey')
    expect(await readRecords(service, 'once', first.pushRecords.position)).toHaveLength(1)
  })

  it('is an error when none is taken, and for options that are none', async () => {
    const none = await refusal(service, PUSH, { dataset: 'none', records: [{ data: {} }, 5] })
    expect([none.status, none.code, none.message, none.error.extensions.details.map(({ field }) => field)]).toEqual([
      ...[200, 'VALIDATION_ERROR', 'all 2 records were refused'],
      ['records.0.id', 'records.1'],
    ])
    const odd = await refusal(service, PUSH, { records: [{ id: 'a', data: {} }], options: { ack: 'never' } })
    expect([odd.code, odd.field]).toEqual(['VALIDATION_ERROR', 'options.ack'])
  })

  it('counts as pushes do, and each mutation as a request', async () => {
    const own = await startService({ RATE_LIMIT_PUSH: '2', RATE_LIMIT_API: '5' })
    try {
      const push = (n: number) => `p${n}: pushRecords(dataset: "d", records: [{id: "${n}", data: {}}]) { accepted }`
      const { body } = await graphql(own, `mutation { ${push(1)} ${push(2)} ${push(3)} }`)
      expect(body.data).toEqual({ p1: { accepted: 1 }, p2: { accepted: 1 }, p3: null })
      expect(body.errors?.map(({ path, extensions }) => [path, extensions.code])).toEqual([[['p3'], 'RATE_LIMITED']])
      expect((await pushBatch(own, 'd', [{ id: 'x', data: {} }])).status).toBe(429)
      const pause = (n: number) => `j${n}: pauseJob(id: "job_${n}") { id }`
      const many = await graphql(own, `mutation { ${[1, 2, 3, 4, 5, 6].map(pause).join(' ')} }`)
      const codes = many.body.errors?.map(({ extensions }) => extensions.code)
      expect(codes).toEqual([...Array(4).fill('NOT_FOUND'), 'RATE_LIMITED', 'RATE_LIMITED'])
    } finally {
      await own.stop()
      removeData(own)
    }
  })
})

describe('jobs', () => {
  const source = { url: 'http://127.0.0.1:1' } as Source
  const CREATE = 'mutation Make($job: JSON!) { createJob(job: $job) { id name status connector schedule position } }'
  interface Made {
    createJob: { id: string; name: string; connector: { config: object }; position: string }
  }

  it('are made, changed and deleted, their secrets hidden', async () => {
    const { createJob: job } = await ask<Made>(service, CREATE, { job: plainJob(source, { name: 'one' }) })
    expect(job).toMatchObject({ name: 'one', status: 'pending', schedule: { type: 'manual' } })
    expect(job.connector.config).toMatchObject({ auth: { token: '***' } })
    const update = 'mutation Set($id: ID!, $job: JSON!) { updateJob(id: $id, job: $job) { name connector } }'
    const body = { ...plainJob(source, { name: 'two' }), connector: job.connector }
    expect(await ask(service, update, { id: job.id, job: body })).toEqual({
      updateJob: { name: 'two', connector: job.connector },
    })
    const wrong = await refusal(service, CREATE, {
      job: plainJob(source, { schedule: { type: 'cron', expression: 'x' } }),
    })
    expect([wrong.code, wrong.field]).toEqual(['VALIDATION_ERROR', 'schedule.expression'])
    const remove = 'mutation Remove($id: ID!) { deleteJob(id: $id) { id position } }'
    const { deleteJob } = await ask<{ deleteJob: { position: string } }>(service, remove, job)
    expect(deleteJob.position).toContain('~')
    expect((await refusal(service, remove, job)).code).toBe('NOT_FOUND')
    expect((await refusal(service, 'mutation { startJob(id: "job_none") { id } }')).code).toBe('NOT_FOUND')
  })

  it('are started once however many start them, and others are told what refused them', async () => {
    const { createJob: job } = await ask<Made>(service, CREATE, { job: plainJob(source, { name: 'raced' }) })
    const start = () =>
      graphql(service, 'mutation Start($id: ID!) { startJob(id: $id) { id runId status position } }', job)
    const pause = await refusal(service, 'mutation Pause($id: ID!) { pauseJob(id: $id) { id } }', job)
    expect([pause.status, pause.code, pause.message]).toEqual([200, 'CONFLICT', expect.stringContaining('pending')])
    const answers = await Promise.all([start(), start(), start()])
    const started = answers.filter(({ body }) => body.data?.startJob)
    const codes = answers.flatMap(({ body }) => body.errors?.map(({ extensions }) => extensions.code) ?? [])
    // The run fails at once, and may be started again: but never twice by two that raced for one state.
    expect(started.length + codes.filter(code => code === 'CONFLICT').length).toBe(3)
    const runs = await ask<{ job: { runs: Connected<{ id: string }> } }>(
      service,
      'query Runs($id: ID!) { job(id: $id) { runs { nodes { id } } } }',
      job,
    )
    expect(runs.job.runs.nodes.map(({ id }) => id).sort()).toEqual(
      started.map(({ body }) => (body.data!.startJob as { runId: string }).runId).sort(),
    )
  })
})

describe('conflicts', () => {
  it('are decided, opened again, and decided once', async () => {
    await setPolicy(service, 'held', 'manual')
    for (const data of ['{"a":1}', '{"a":3.00000000000000000001}'])
      await call(service, '/push/batch', {
        body: `{"source":"tests","dataset":"held","records":[{"id":"c","data":${data}}]}`,
        headers: { 'content-type': 'application/json' },
      })
    const { body } = await pushBatch(service, 'held', [{ id: 'c', data: { a: 2 }, metadata: { version: 1 } }])
    await untilProjected(service, body.position)
    const open = '{ conflicts(dataset: "held", status: "open") { nodes { id current incoming } } }'
    const { conflicts } = await ask<{ conflicts: Connected<{ id: string }> }>(service, open)
    const [found] = conflicts.nodes
    const resolve =
      'mutation Resolve($id: ID!, $how: Resolution!, $data: JSON) { resolveConflict(id: $id, resolution: $how, data: $data) { status resolution position record { data } } }'
    const kept = await refusal(service, resolve, { id: found!.id, how: 'merge' })
    expect([kept.code, kept.field]).toEqual(['VALIDATION_ERROR', 'data'])
    const merged = await graphql(
      service,
      `mutation { resolveConflict(id: "${found!.id}", resolution: merge, data: {a: 12345678901234567890.5}) { status resolution record { data } } }`,
    )
    expect(merged.text).toBe(
      '{"data":{"resolveConflict":{"status":"resolved","resolution":"merge","record":{"data":{"a":12345678901234567890.5}}}}}',
    )
    const again = await refusal(service, resolve, { id: found!.id, how: 'keep_current' })
    expect([again.status, again.code]).toEqual([200, 'CONFLICT'])
    const reopen = 'mutation Reopen($id: ID!) { reopenConflict(id: $id) { status resolution } }'
    expect(await ask(service, reopen, found)).toEqual({ reopenConflict: { status: 'open', resolution: null } })
    const back = await graphql(service, resolve.replace(' position', ''), { id: found!.id, how: 'keep_current' })
    expect(back.text).toContain('"record":{"data":{"a":3.00000000000000000001}}')
    expect((await refusal(service, resolve, { id: found!.id, how: 'odd' })).code).toBe('VALIDATION_ERROR')
    expect((await refusal(service, reopen, { id: 'conf_none' })).code).toBe('NOT_FOUND')
  })
})

describe('data sets', () => {
  it('are set up before their first record, and each fault names its field', async () => {
    const set = `mutation Set($settings: DatasetSettings!) { configureDataset(dataset: "new", settings: $settings) {
      dataset name category schema schemaContract conflictPolicy transformations position recordsCount } }`
    const settings = {
      name: 'New things',
      category: 'things',
      schema: { type: 'object', required: ['n'] },
      conflictPolicy: 'manual',
    }
    expect(await ask(service, set, { settings })).toEqual({
      configureDataset: {
        ...{ ...settings, dataset: 'new', schemaContract: 'discard_row', transformations: [], recordsCount: 0 },
        position: expect.stringContaining('~'),
      },
    })
    const { configureDataset } = await ask<{ configureDataset: object }>(service, set, { settings: { category: null } })
    expect(configureDataset).toMatchObject({ category: null, conflictPolicy: 'manual' })
    const wrong = await refusal(service, set, { settings: { schemaContract: 'odd' } })
    expect([wrong.code, wrong.field]).toEqual(['VALIDATION_ERROR', 'schemaContract'])
    expect((await refusal(service, set, { settings: { conflictPolicy: { type: 'odd' } } })).field).toMatch(
      /^conflictPolicy/,
    )
  })
})

describe('scopes', () => {
  it('are asked of mutations as of the commands', async () => {
    const mutation = 'mutation { pauseJob(id: "job_none") { id } }'
    const { access_token: reader } = await tokenFor(service, 'sync:read')
    const refused = await refusal(service, mutation, {}, { as: reader })
    expect([refused.status, refused.code, refused.message]).toEqual([
      403,
      'FORBIDDEN',
      expect.stringContaining('sync:write'),
    ])
    const { access_token: writer } = await tokenFor(service, 'sync:write')
    expect((await refusal(service, mutation, {}, { as: writer })).code).toBe('NOT_FOUND')
    const get = await call(service, `/graphql?query=${encodeURIComponent(mutation)}`)
    expect([get.status, get.headers.get('allow'), get.text]).toEqual([
      405,
      'POST',
      expect.stringContaining('METHOD_NOT_ALLOWED'),
    ])
  })
})
