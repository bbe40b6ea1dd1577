import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, type PushAnswer, pushBatch, pushLines, tokenFor } from '../kit/api.ts'
import { jobEnd, pushFile } from '../kit/forms.ts'
import { until } from '../kit/processes.ts'
import { findRejected, pushRefused, type Rejected, type RejectedPage } from '../kit/rejected.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_LINE_BYTES: '2048' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const itemsOf = (query: string) => findRejected(service, query)
const refusedOf = (dataset: string, records: object[]) => pushRefused(service, dataset, records)
const replay = (id: string, body?: string | object) =>
  call<Rejected>(service, `/rejected/${id}/replay`, { method: 'POST', ...(body === undefined ? {} : { body }) })

/** A record as its JSON text, once a replay is in. */
const recordText = async (dataset: string, id: string, position: string) =>
  (await call(service, `/datasets/${dataset}/records/${encodeURIComponent(id)}?min_position=${position}`)).text

const configure = (dataset: string, body: object) => call(service, `/datasets/${dataset}`, { method: 'PUT', body })
const AMOUNT = { type: 'object', properties: { n: { type: 'number', minimum: 1 } }, required: ['n'] }

describe('a refused row that is sent again', () => {
  it('goes in as it is once its data set takes it', async () => {
    await configure('relaxed', { schema: AMOUNT, schema_contract: 'discard_row' })
    const [item] = await refusedOf('relaxed', [
      { id: 'a', data: { n: 0 }, metadata: { version: 7, updated_at: '2020-01-01T00:00:00Z' } },
    ])
    const still = await replay(item!.id)
    expect([still.status, still.body.error.code, still.body.error.details[0]!.field]).toEqual([
      400,
      'VALIDATION_ERROR',
      '/n',
    ])
    expect((await call<Rejected>(service, `/rejected/${item!.id}`)).body).toEqual(item)
    await configure('relaxed', { schema: null })
    const answer = await replay(item!.id)
    expect([answer.status, answer.body.status, answer.body.id]).toEqual([200, 'replayed', item!.id])
    expect(answer.body.replay!.position).toBe(answer.body.position)
    expect(JSON.parse(await recordText('relaxed', 'a', answer.body.position))).toMatchObject({
      data: { n: 0 },
      version: 1,
    })
    const { replay: done, ...rest } = (await call<Rejected>(service, `/rejected/${item!.id}`)).body
    expect(rest).toEqual({ ...item, status: 'replayed' })
    expect(JSON.parse(await recordText('relaxed', 'a', done!.position))).toMatchObject({ data: { n: 0 } })
  })

  it('is treated as its push would have been: written over or not, transformed or not, with the time it had', async () => {
    const steps = [{ type: 'default', config: { values: { by: 'steps' } } }]
    const metadata = { version: 7, updated_at: '2020-01-01T00:00:00.000Z' }
    for (const [dataset, options, expected] of [
      ['as-pushed-a', { transform: false }, { data: { n: 0 }, updated_at: metadata.updated_at }],
      ['as-pushed-b', { upsert: true }, { data: { n: 0, by: 'steps' }, updated_at: metadata.updated_at }],
      ['as-pushed-c', { upsert: false }, { data: { n: 1 } }],
    ] as const) {
      await configure(dataset, { schema: AMOUNT, schema_contract: 'discard_row', transformations: steps })
      await pushBatch(service, dataset, [{ id: 'a', data: { n: 1 } }], { transform: false })
      const { body } = await pushBatch(service, dataset, [{ id: 'a', data: { n: 0 }, metadata }], {
        validate: true,
        transform: true,
        ...options,
      })
      const [item] = await itemsOf(`request_id=${body.request_id}&min_position=${body.position}`)
      await configure(dataset, { schema: null })
      const answer = await replay(item!.id)
      expect(JSON.parse(await recordText(dataset, 'a', answer.body.position)), dataset).toMatchObject(expected)
    }
    await configure('as-pushed-d', { schema: AMOUNT, schema_contract: 'discard_row' })
    const [bad] = await refusedOf('as-pushed-d', [{ id: 'a', data: { n: 0 }, metadata }])
    const good = await replay(bad!.id, { data: { n: 5 } })
    expect(JSON.parse(await recordText('as-pushed-d', 'a', good.body.position))).toMatchObject({
      data: { n: 5 },
      updated_at: metadata.updated_at,
    })
  })

  it('makes its data set’s schema grow where that evolves', async () => {
    await configure('grown', { schema: AMOUNT, schema_contract: 'evolve' })
    const [item] = await refusedOf('grown', [{ id: 'a' }])
    const { status, body } = await replay(item!.id, { data: { n: 1, colour: 'red' } })
    expect(status).toBe(200)
    const { schema } = (
      await call<{ schema: { properties: object } } & Problem>(service, `/datasets/grown?min_position=${body.position}`)
    ).body
    expect(schema.properties).toMatchObject({ colour: { type: 'string' } })
  })

  it('goes in with mended data, kept to the byte', async () => {
    const [noData, wrongData] = await refusedOf('mended', [{ id: 'a' }, { id: 'b', data: 'x' }])
    const data = '{"big": 90071992547409931.50, "e": 1E400, "tags": ["é\\u00e9"]}'
    for (const { id, record_id } of [noData!, wrongData!]) {
      const { status, body } = await replay(id, `{ "data" : ${data} }`)
      expect(status).toBe(200)
      expect(await recordText('mended', record_id!, body.position)).toContain(`"data":${data},`)
    }
    const [item] = await refusedOf('mended', [{ data: { n: 1 } }])
    const none = await replay(item!.id, { data: { n: 1 } })
    expect([none.status, none.body.error.details[0]!.field]).toEqual([400, 'record_id'])
    const named = await replay(item!.id, { record_id: 'c', data: { n: 1 } })
    expect(named.status, named.text).toBe(200)
    const [whole] = await refusedOf('mended', [{ data: { n: 1 } }])
    const asRecord = await replay(whole!.id, { data: { id: 'd', data: { n: 2 }, metadata: { version: 3 } } })
    expect(JSON.parse(await recordText('mended', 'd', asRecord.body.position))).toMatchObject({ data: { n: 2 } })
  })

  it.each([
    ['nothing', undefined, 'data'],
    ['text', 'x', undefined],
    ['a list', '[]', 'body'],
    ['data that is none', '{"data":[]}', 'data'],
    ['data that is cut off', '{"data":{"a":', undefined],
    ['bytes that are not UTF-8', Buffer.from([...Buffer.from('{"data":{"a":"'), 0xff, ...Buffer.from('"}}')]), 'body'],
    ['an unknown field', '{"dta":{}}', 'dta'],
    ['an id that is none', '{"data":{},"record_id":7}', 'record_id'],
    ['an empty id', '{"data":{},"record_id":""}', 'record_id'],
    ['an id with a NUL', '{"data":{},"record_id":"a\\u0000"}', 'record_id'],
    ['data that is too large', `{"data":{"a":"${'x'.repeat(2048)}"}}`, 'data'],
    ['data that is too deep', `{"data":${'{"a":'.repeat(101)}1${'}'.repeat(101)}}`, undefined],
  ])('with %s is refused and stays open', async (_name, body, field) => {
    const [item] = await refusedOf('open', [{ id: 'a' }])
    const answer = await replay(item!.id, body as string | undefined)
    expect([answer.status, answer.body.error?.code]).toEqual([400, 'VALIDATION_ERROR'])
    if (field) expect(answer.body.error.details[0]!.field).toBe(field)
    expect((await call<Rejected>(service, `/rejected/${item!.id}`)).body.status).toBe('open')
    expect((await call(service, '/datasets/open')).status).toBe(404)
  })

  it('that is not UTF-8, or was too long to be kept, does not go in as it is', async () => {
    const lines = Buffer.concat(
      ['{"id":"a","data":{"x":"', Buffer.from([0xff]), `"}}\n{"id":"b","data":{"x":"${'x'.repeat(3000)}"}}\n`].map(
        part => Buffer.from(part),
      ),
    )
    const { body } = await pushLines(service, 'dataset=bytes', lines)
    const items = await itemsOf(`request_id=${body.request_id}&min_position=${body.position}`)
    for (const { id } of items) {
      const as = await replay(id)
      expect([as.status, as.body.error.details[0]!.field]).toEqual([400, 'data'])
      expect((await replay(id, { data: { x: 'mended' }, record_id: 'c' })).status).toBe(200)
    }
  })

  it('many times at once goes in once', async () => {
    for (let round = 0; round < 5; round++) {
      const [item] = await refusedOf('once', [{ id: `r${round}` }])
      const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => replay(item!.id, { data: { n } })))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)])
      for (const { status, body } of answers) if (status === 409) expect(body.error.code).toBe('CONFLICT')
      const won = answers.findIndex(({ status }) => status === 200)
      const text = await recordText('once', `r${round}`, answers[won]!.body.position)
      expect(JSON.parse(text)).toMatchObject({ data: { n: won }, version: 1 })
      const late = await replay(item!.id, { data: { n: 'late' } })
      expect([late.status, late.body.error.message]).toEqual([409, expect.stringContaining(item!.id)])
    }
  })

  it('under an Idempotency-Key is answered the same again', async () => {
    const [item] = await refusedOf('key', [{ id: 'a' }])
    const headers = { 'idempotency-key': 'replay' }
    const push = (body: object) => call(service, `/rejected/${item!.id}/replay`, { body, headers })
    const first = await push({ data: { n: 1 } })
    const again = await push({ data: { n: 1 } })
    expect([first.status, again.status, again.text]).toEqual([200, 200, first.text])
    expect((await push({ data: { n: 2 } })).status).toBe(422)
  })

  it('from a file takes its place: the id of its row, or that of its id_column', async () => {
    const byPlace = await pushFile(service, 'a,b\n1,2\n3\n', { options: { dataset: 'by-place' } })
    const job = await jobEnd(service, byPlace.body.job_id)
    const [ragged] = await itemsOf(`job_id=${job.id}&min_position=${job.position}`)
    expect((await replay(ragged!.id)).status).toBe(400)
    const done = await replay(ragged!.id, { data: { a: '3', b: '4' } })
    expect(done.status, done.text).toBe(200)
    const id = `${byPlace.body.file_id}-000000000002`
    expect(ragged!.record_id).toBe(id)
    expect(JSON.parse(await recordText('by-place', id, done.body.position)).data).toEqual({ a: '3', b: '4' })

    const byColumn = await pushFile(service, 'k,b\n1,2\n3\n', { options: { dataset: 'by-column', id_column: 'k' } })
    const other = await jobEnd(service, byColumn.body.job_id)
    const [row] = await itemsOf(`job_id=${other.id}&min_position=${other.position}`)
    expect(row!.record_id).toBeNull()
    const without = await replay(row!.id, { data: { b: '4' } })
    expect([without.status, without.body.error.details[0]!.field]).toEqual([400, 'record_id'])
    const mended = await replay(row!.id, { data: { k: '3', b: '4' } })
    expect(mended.status, mended.text).toBe(200)
    expect(JSON.parse(await recordText('by-column', '3', mended.body.position)).data).toEqual({ k: '3', b: '4' })
  })

  it('from a csv is read as its schema has its columns', async () => {
    await configure('csv', { schema: AMOUNT, schema_contract: 'discard_row' })
    const pushed = await pushFile(service, 'k,n\na,0.50\n', { options: { dataset: 'csv', id_column: 'k' } })
    const job = await jobEnd(service, pushed.body.job_id)
    const [row] = await itemsOf(`job_id=${job.id}&min_position=${job.position}`)
    await configure('csv', { schema: { ...AMOUNT, properties: { n: { type: 'number' } } } })
    const answer = await replay(row!.id)
    expect(answer.status, answer.text).toBe(200)
    expect(await recordText('csv', 'a', answer.body.position)).toContain('"n":0.50')
  })

  it.each([
    ['in its body', '/key', 'k1'],
    ['its own', null, expect.stringMatching(/^evt_/)],
  ])('from a webhook whose id is %s goes in with it, its whole body as data', async (_name, record_id, id) => {
    const dataset = `hook ${record_id}`
    const body = { name: dataset, dataset, schema: AMOUNT, record_id, signature: { scheme: 'none' } }
    const made = await call<{ id: string }>(service, '/webhooks', { body })
    const deliver = (delivery: object) => call(service, `/push/webhook/${made.body.id}`, { body: delivery })
    expect((await deliver({ id: 'x', data: { n: 1 } })).status).toBe(400)
    expect((await deliver({ key: 'k1', n: 0 })).status).toBe(400)
    const rows = await until('both to be there', async () => {
      const found = await itemsOf(`dataset=${encodeURIComponent(dataset)}`)
      return found.length === 2 && found
    })
    const [whole, keyed] = ['"data"', '"key"'].map(part => rows.find(({ original }) => original.includes(part))!)
    const mended = { id: 'x', data: { n: 1 }, key: 'k1', n: 2 }
    for (const row of [whole!, keyed!]) {
      expect((await replay(row.id)).status).toBe(400)
      const answer = await replay(row.id, { data: mended })
      expect(answer.status, answer.text).toBe(200)
      const path = `/datasets/${encodeURIComponent(dataset)}/records?min_position=${answer.body.position}`
      const { items } = (await call<RejectedPage>(service, path)).body
      expect(items.at(-1)).toMatchObject({ id, data: mended })
    }
  })

  it('needs who may write', async () => {
    const [item] = await refusedOf('scopes', [{ id: 'a' }])
    const { access_token: as } = await tokenFor(service, 'sync:read')
    expect((await call(service, `/rejected/${item!.id}/replay`, { body: { data: {} }, as })).status).toBe(403)
    expect((await call(service, '/rejected/replay', { body: {}, as })).status).toBe(403)
    expect((await call(service, `/rejected/${item!.id}`, { as })).status).toBe(200)
  })
})

describe('all refused rows that fit a filter', () => {
  const replayAll = (body: object | string) => call<PushAnswer>(service, '/rejected/replay', { body })

  it('go in, and those that are still bad are told of like those of a batch', async () => {
    await configure('many', { schema: AMOUNT, schema_contract: 'discard_row' })
    const rows = Array.from({ length: 250 }, (_, n) => ({ id: `r${n}`, data: { n: -n } }))
    expect(await refusedOf('many', rows)).toHaveLength(250)
    const none = await replayAll({ dataset: 'many' })
    expect([none.status, none.body.accepted, none.body.rejected, none.body.errors.length]).toEqual([400, 0, 250, 100])
    await configure('many', { schema: { ...AMOUNT, properties: { n: { type: 'number', minimum: -199 } } } })
    const some = await replayAll({ dataset: 'many', stage: 'validate' })
    expect([some.status, some.body.accepted, some.body.rejected]).toEqual([207, 200, 50])
    expect(some.body.errors).toHaveLength(50)
    for (const error of some.body.errors)
      expect(error).toMatchObject({ index: expect.any(Number), id: expect.stringMatching(/^rej_/), field: '/n' })
    expect(some.body).toMatchObject({ request_id: expect.any(String), processing_time_ms: expect.any(Number) })
    const path = `/datasets/many/records?limit=1000&min_position=${some.body.position}`
    expect((await call<RejectedPage>(service, path)).body.items).toHaveLength(200)
    expect(await itemsOf(`dataset=many&status=open&min_position=${some.body.position}`)).toHaveLength(50)
    await configure('many', { schema: null })
    const rest = await replayAll({ dataset: 'many', status: 'open' })
    expect([rest.status, rest.body.accepted, rest.body.rejected, rest.body.errors]).toEqual([200, 50, 0, []])
    const nothing = await replayAll({ dataset: 'many' })
    expect([nothing.status, nothing.body.accepted, nothing.body.rejected]).toEqual([200, 0, 0])
  })

  it('twice at once go in once each', async () => {
    await configure('twice', { schema: AMOUNT, schema_contract: 'discard_row' })
    await refusedOf(
      'twice',
      Array.from({ length: 150 }, (_, n) => ({ id: `r${n}`, data: {} })),
    )
    await configure('twice', { schema: null })
    const answers = await Promise.all([1, 2, 3].map(() => replayAll({ dataset: 'twice' })))
    expect(answers.reduce((sum, { body }) => sum + body.accepted, 0)).toBe(150)
    const { position } = answers.find(({ body }) => body.accepted > 0)!.body
    const open = await itemsOf(`dataset=twice&status=open&min_position=${position}`)
    expect(open).toEqual([])
    for (const { body } of answers) for (const error of body.errors) expect(error.code).toBe('CONFLICT')
  })

  it('are not asked for by what is not known', async () => {
    for (const [body, field] of [
      [{ datset: 'x' }, 'datset'],
      [{ status: 'replayed' }, 'status'],
      [{ since: 'x' }, 'since'],
      [{ dataset: 1 }, 'dataset'],
    ] as const) {
      const answer = await replayAll(body)
      expect([answer.status, answer.body.error?.details[0]?.field]).toEqual([400, field])
    }
    expect((await replayAll('x')).status).toBe(415)
  })
})
