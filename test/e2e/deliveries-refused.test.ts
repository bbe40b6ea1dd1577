/** Deliveries that a webhook's schema refuses, or its data set's: kept, listed, mended, sent again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, type Item, type Problem, readRecords, tokenFor } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { secondsNow, signStandard, signStripe } from '../kit/signing.ts'
import { type Delivered, deliver, makeWebhook, type Rejected, rejectedOf } from '../kit/webhooks.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const STANDARD = { signature: { scheme: 'standard', secret: SECRET } }
const SCHEMA = {
  type: 'object',
  required: ['id', 'amount'],
  properties: { id: { type: 'string' }, amount: { type: 'integer', maximum: 100 }, 'a/b': { type: 'string' } },
}

interface Replayed extends Partial<Problem> {
  id: string
  status: string
  position: string
}

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

let made = 0
/** A webhook for a data set of its own, with what it is made of. */
async function fresh(more: object = {}) {
  const body = { name: 'tests', dataset: `refused-${made++}`, schema: SCHEMA, record_id: '/id', ...STANDARD, ...more }
  const { id } = await makeWebhook(service, body)
  const put = (change: object) => call(service, `/webhooks/${id}`, { method: 'PUT', body: { ...body, ...change } })
  return { id, dataset: body.dataset, put }
}
const send = (id: string, body: string, name = `msg_${Math.random()}`) =>
  deliver(service, id, body, signStandard(SECRET, name, secondsNow(), body))
/** The one row of a data set that was refused. */
async function refusedOf(dataset: string): Promise<Rejected> {
  const [row, ...more] = await rejectedOf(service, `dataset=${dataset}`)
  expect(more).toEqual([])
  return row!
}
const replay = (id: string, body: object | string = '') =>
  call<Replayed>(service, `/rejected/${id}/replay`, { method: 'POST', body })
const expectProblem = (answer: Answer<Partial<Problem>>, status: number, field?: string) => {
  expect(answer.status).toBe(status)
  if (field !== undefined) expect(answer.body.error!.details.map(each => each.field)).toContain(field)
}
const recordsOf = async (dataset: string, position: string): Promise<[string, Item['data']][]> =>
  (await readRecords(service, dataset, position)).map(({ id, data }) => [id, data])

describe('a delivery that does not fit the schema', () => {
  it.each<[string, string, string[]]>([
    ['lacks a field', '{"id":"a"}', ['/amount']],
    ['has a wrong type', '{"id":"a","amount":"1"}', ['/amount']],
    ['is wrong in two places', '{"id":"a","amount":101,"a/b":1}', ['/amount', '/a~1b']],
    ['is off by less than a number shows', '{"id":"a","amount":100.00000000000000001}', ['/amount']],
  ])('and %s is 400, tells where, and is kept', async (_, body, pointers) => {
    const { id, dataset } = await fresh()
    const answer: Answer<Delivered> = await send(id, body)
    expectProblem(answer, 400)
    expect(answer.body.error).toMatchObject({
      code: 'VALIDATION_ERROR',
      request_id: answer.headers.get('x-request-id'),
    })
    expect(new Set(answer.body.error!.details.map(({ field }) => field))).toEqual(new Set(pointers))
    const row = await refusedOf(dataset)
    expect(row).toMatchObject({
      ...{ dataset, source: 'tests', stage: 'validate', code: 'SCHEMA_VIOLATION', field: pointers[0], record_id: 'a' },
      ...{ status: 'open', original: body, original_encoding: 'utf8', webhook_id: id },
    })
    expect(row.message).toContain(pointers[0]!)
    for (const query of [
      `webhook_id=${id}`,
      `dataset=${dataset}&stage=validate&code=SCHEMA_VIOLATION&source=tests&status=open`,
    ]) {
      expect(await rejectedOf(service, query)).toEqual([row])
    }
  })

  it('is answered the same when it comes again, and kept once', async () => {
    const { id, dataset } = await fresh()
    const first = await send(id, '{"id":"a"}', 'msg_1')
    const again = await send(id, '{"id":"a"}', 'msg_1')
    expect([again.status, again.text]).toEqual([400, first.text])
    expect((await refusedOf(dataset)).status).toBe('open')
  })

  it('fits after the schema was changed, in a delivery of another name', async () => {
    const { id, put, dataset } = await fresh()
    expectProblem(await send(id, '{"id":"a"}'), 400, '/amount')
    expect((await put({ schema: { type: 'object' }, signature: { scheme: 'standard', secret: '***' } })).status).toBe(
      200,
    )
    const taken = await send(id, '{"id":"a"}')
    expect(await recordsOf(dataset, taken.body.position)).toEqual([['a', { id: 'a' }]])
  })
})

describe('sending it again', () => {
  it('as it is: not while it is refused, and once when it is not any more', async () => {
    const { id, put, dataset } = await fresh()
    await send(id, '{"id":"a","big":9007199254740993}')
    const row = await refusedOf(dataset)
    expectProblem(await replay(row.id), 400, '/amount')
    expectProblem(await replay(row.id, {}), 400, '/amount')
    expect((await refusedOf(dataset)).status).toBe('open')
    await put({ schema: null })
    const replayed = await replay(row.id)
    expect([replayed.status, replayed.body]).toMatchObject([200, { id: row.id, status: 'replayed' }])
    const records = await call(service, `/datasets/${dataset}/records?min_position=${replayed.body.position}`)
    expect(records.text).toContain('{"id":"a","big":9007199254740993}')
    expect(await refusedOf(dataset)).toMatchObject({ status: 'replayed', replay: { position: expect.any(String) } })
    expectProblem(await replay(row.id), 409)
    expectProblem(await replay(row.id, { data: { id: 'b', amount: 1 } }), 409)
    expect(await recordsOf(dataset, replayed.body.position)).toHaveLength(1)
  })

  it('mended: it must fit, and has the id that its data says', async () => {
    const { id, dataset } = await fresh()
    await send(id, '{"amount":1}')
    const row = await refusedOf(dataset)
    expect(row.record_id).toBeNull()
    expectProblem(await replay(row.id), 400, '/id')
    expectProblem(await replay(row.id, { data: { id: 'a', amount: 1000 } }), 400, '/amount')
    expectProblem(await replay(row.id, { data: [] }), 400, 'data')
    expectProblem(await replay(row.id, { data: {}, other: 1 }), 400, 'other')
    expectProblem(await replay(row.id, '{"data":{"id":"a","amount":1}'), 400)
    expectProblem(await replay(row.id, '"a"'), 400, 'body')
    expect((await refusedOf(dataset)).status).toBe('open')
    const mended = await replay(row.id, '{"data":{"id":"a","amount":1,"big":9007199254740993}}')
    expect(mended.status).toBe(200)
    const records = await call(service, `/datasets/${dataset}/records?min_position=${mended.body.position}`)
    expect(records.text).toContain('{"id":"a","amount":1,"big":9007199254740993}')
  })

  it('mended in its id as well: the new one counts, or the one that is given', async () => {
    const { id, dataset } = await fresh()
    await send(id, '{"id":"typo"}', 'one')
    await send(id, '{"id":"typo"}', 'two')
    const [one, two] = await rejectedOf(service, `dataset=${dataset}`)
    const data = { id: 'right', amount: 1 }
    expect((await replay(one!.id, { data })).status).toBe(200)
    const given = await replay(two!.id, { data, record_id: 'given' })
    const found = await recordsOf(dataset, given.body.position)
    expect(found).toEqual([
      ['given', data],
      ['right', data],
    ])
  })

  it('keeps the name that its provider gave it, where that is the id', async () => {
    const { id, dataset } = await fresh({ record_id: null, signature: { scheme: 'stripe', secret: 's' } })
    const body = '{"id":"evt_1"}'
    expectProblem(await deliver(service, id, body, signStripe('s', secondsNow(), body)), 400, '/amount')
    const row = await refusedOf(dataset)
    expect(row.record_id).toBe('evt_1')
    const mended = await replay(row.id, { data: { id: 'other', amount: 1 } })
    expect(await recordsOf(dataset, mended.body.position)).toEqual([['evt_1', { id: 'other', amount: 1 }]])
  })

  it('all of what was delivered is data, also when it looks like a record', async () => {
    const { id, put, dataset } = await fresh()
    const body = { id: 'a', data: { amount: 1 }, op: 'delete' }
    await send(id, JSON.stringify(body))
    await put({ schema: null })
    const replayed = await replay((await refusedOf(dataset)).id)
    expect(await recordsOf(dataset, replayed.body.position)).toEqual([['a', body]])
  })

  it.each<[string, Buffer]>([
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0x69, 0x64, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d])],
    ['no JSON', Buffer.from('{"id":"a"')],
    ['an array', Buffer.from('[1]')],
  ])('of what is %s needs data', async (_, body) => {
    const { id, dataset } = await fresh({ schema: null })
    const sent = await deliver(service, id, body, signStandard(SECRET, 'm', secondsNow(), body))
    expectProblem(sent, 400)
    const row = await refusedOf(dataset)
    expectProblem(await replay(row.id), 400, 'data')
    const mended = await replay(row.id, { data: { id: 'a' } })
    expect(await recordsOf(dataset, mended.body.position)).toEqual([['a', { id: 'a' }]])
  })

  it('after its webhook is gone: what is left to go by is what is given', async () => {
    const { id, dataset } = await fresh()
    await send(id, '{"id":"a"}')
    await call(service, `/webhooks/${id}`, { method: 'DELETE' })
    const replayed = await replay((await refusedOf(dataset)).id)
    expect(await recordsOf(dataset, replayed.body.position)).toEqual([['a', { id: 'a' }]])
  })

  it('many by a filter: those that fit now go in, the others stay open', async () => {
    const { id, put, dataset } = await fresh()
    for (let n = 0; n < 6; n++) await send(id, `{"id":"r${n}"${n % 2 ? ',"extra":1' : ''}}`)
    await until('all to be listed', async () => (await rejectedOf(service, `dataset=${dataset}`)).length === 6)
    await put({ schema: { type: 'object', required: ['extra'] } })
    const answer = await call<{ accepted: number; rejected: number; errors: { field: string }[]; position: string }>(
      service,
      '/rejected/replay',
      { body: { webhook_id: id } },
    )
    expect([answer.status, answer.body]).toMatchObject([207, { accepted: 3, rejected: 3 }])
    expect(answer.body.errors.map(({ field }) => field)).toEqual(['/extra', '/extra', '/extra'])
    expect((await recordsOf(dataset, answer.body.position)).map(([name]) => name)).toEqual(['r1', 'r3', 'r5'])
    expect((await rejectedOf(service, `dataset=${dataset}&status=open`)).map(row => row.record_id)).toEqual([
      'r0',
      'r2',
      'r4',
    ])
  })

  it('needs sync:write', async () => {
    const { id, dataset } = await fresh()
    await send(id, '{"id":"a"}')
    const row = await refusedOf(dataset)
    const as = (await tokenFor(service, 'sync:read')).access_token
    expect((await call(service, `/rejected/${row.id}`, { as })).status).toBe(200)
    expect((await call(service, `/rejected/${row.id}/replay`, { as, method: 'POST' })).status).toBe(403)
  })
})

it('rejections are found since any time there ever was', async () => {
  const { id, dataset } = await fresh()
  await send(id, '{"id":"a"}')
  const at = (query: string) => rejectedOf(service, `dataset=${dataset}&${query}`)
  for (const time of [
    '0001-01-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '1970-01-01T00:00:00Z',
    '2020-01-01T00:00:00%2B02:00',
  ]) {
    expect(await at(`since=${time}`), time).toHaveLength(1)
    expect(await at(`until=${time}`), time).toHaveLength(0)
  }
  expect(await at('since=9999-12-31T23:59:59Z')).toHaveLength(0)
  expect(await at('until=9999-12-31T23:59:59Z')).toHaveLength(1)
})
