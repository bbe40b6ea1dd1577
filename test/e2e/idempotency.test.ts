import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, NDJSON, type PushAnswer, pushLines, readRecords } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { openStream } from '../kit/raw.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

type Pushed = Answer<PushAnswer>

const line = (id: string | number, n: unknown = 1) => `{"id":"${id}","data":{"n":${n}}}\n`
const batch = (dataset: string, ...values: unknown[]) =>
  JSON.stringify({ dataset, records: values.map((n, i) => ({ id: `r${i}`, data: { n } })) })
const push = (key: string, body: string | Buffer, headers = {}, query = ''): Promise<Pushed> =>
  call(service, `/push/batch${query}`, {
    body,
    headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers },
  })
const stream = (key: string, query: string, body: string | Buffer, headers = {}): Promise<Pushed> =>
  pushLines(service, query, body, { 'idempotency-key': key, ...headers })
async function versions(dataset: string, { body }: Pushed): Promise<unknown[][]> {
  await untilProjected(service, body.position)
  return (await readRecords(service, dataset, body.position)).map(({ id, data, version }) => [id, data.n, version])
}

/** The second is the first one's answer again, and says so. */
function expectReplay(first: Pushed, second: Pushed): void {
  expect([second.status, second.text]).toEqual([first.status, first.text])
  expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'))
  expect(second.headers.get('idempotency-replayed')).toBe('true')
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  expect(first.headers.get('x-request-id')).toBe(first.body.request_id)
  expect(second.headers.get('x-request-id')).not.toBe(first.body.request_id)
  expect(second.headers.get('x-ratelimit-limit')).not.toBeNull()
}

function expectProblem(answer: Answer<unknown>, status: number, code: string): void {
  expect([answer.status, answer.body]).toMatchObject([status, { error: { code } }])
}

describe('a batch under an Idempotency-Key', () => {
  it('that is sent twice is answered twice and taken once', async () => {
    const first = await push('twice', batch('twice', 1))
    expect([first.status, first.body.accepted]).toEqual([200, 1])
    const between = await push('another', batch('twice', 2))
    expectReplay(first, await push('twice', batch('twice', 1)))
    expect(await versions('twice', between)).toEqual([['r0', 2, 2]])
    expectReplay(first, await push('twice', gzipSync(batch('twice', 1)), { 'content-encoding': 'gzip' }))
  })

  it('with another body, or query, is 422', async () => {
    const body = JSON.stringify({ source: 's', records: [{ id: 'a', data: {} }] })
    const first = await push('bodies', body, {}, '?dataset=one')
    expect(first.status).toBe(200)
    for (const again of [
      await push('bodies', `${body} `, {}, '?dataset=one'),
      await push('bodies', body, {}, '?dataset=two'),
      await push('bodies', body),
      await push('bodies', 'not JSON'),
    ]) {
      expectProblem(again, 422, 'UNPROCESSABLE')
      expect(again.headers.get('idempotency-replayed')).toBeNull()
    }
    expectReplay(first, await push('bodies', body, {}, '?dataset=one&unknown=1'))
  })

  it('of which some or all rows are refused is answered the same again', async () => {
    const some = JSON.stringify({ dataset: 'some', records: [{ id: 'a', data: {} }, { id: 'b' }] })
    const first = await push('some', some)
    expect(first.status).toBe(207)
    expectReplay(first, await push('some', some))
    for (const [key, wrong] of Object.entries({ none: '{"records":[{}]}', json: '{"records":', field: '{"x":1}' })) {
      const refused = await push(key, wrong)
      expectProblem(refused, 400, 'VALIDATION_ERROR')
      const again = await push(key, wrong)
      expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([400, refused.text, 'true'])
      expectProblem(await push(key, batch('e', 1)), 422, 'UNPROCESSABLE')
    }
  })

  it('is another one for another caller and on another route', async () => {
    const made = await call<{ key: string }>(service, '/api-keys', {
      body: { name: 'other', permissions: ['sync:write'] },
    })
    const asOther = { 'x-api-key': made.body.key }
    const mine = await push('shared', batch('callers', 1))
    const others = await call<PushAnswer>(service, '/push/batch', {
      as: null,
      body: batch('callers', 2),
      headers: { 'content-type': 'application/json', 'idempotency-key': 'shared', ...asOther },
    })
    const streamed = await stream('shared', 'dataset=callers', line('r0', 3))
    expect([mine.status, others.status, streamed.status]).toEqual([200, 200, 200])
    expect(await versions('callers', streamed)).toEqual([['r0', 3, 3]])
  })

  it('sent many times at once is taken once: the others are told to wait, or answered the same', async () => {
    for (let round = 0; round < 5; round++) {
      const body = batch('at-once', ...Array.from({ length: 200 }, (_, n) => `"${round} ${n}"`))
      const answers = await Promise.all(Array.from({ length: 10 }, () => push(`at-once-${round}`, body)))
      const waiting = answers.filter(({ status }) => status === 409)
      for (const each of waiting) {
        expectProblem(each, 409, 'CONFLICT')
        expect(Number(each.headers.get('retry-after'))).toBeGreaterThan(0)
      }
      const answered = answers.filter(({ status }) => status === 200)
      expect(waiting.length + answered.length).toBe(10)
      expect(new Set(answered.map(({ text }) => text)).size).toBe(1)
      const [first] = answered
      expect(new Set((await versions('at-once', first!)).map(([, , version]) => version))).toEqual(new Set([round + 1]))
    }
  })

  it('needs a key of 1 to 255 visible ASCII characters', async () => {
    for (const wrong of ['', 'x'.repeat(256), 'two words', 'é', '\t']) {
      const answer = await push(wrong, batch('wrong', 1))
      expectProblem(answer, 400, 'VALIDATION_ERROR')
      expect(answer.body.error!.details[0]!.field).toBe('Idempotency-Key')
    }
    for (const right of ['x'.repeat(255), '"8e03978e-40d5-43e8-bc93-6894a57f9324"', '!', '~']) {
      expect((await push(right, batch('right', 1))).status).toBe(200)
    }
  })
})

describe('a stream under an Idempotency-Key', () => {
  const body = Array.from({ length: 20_000 }, (_, n) => line(n % 5000, n)).join('')

  it('that is sent twice is answered twice and taken once', async () => {
    const first = await stream('s-twice', 'dataset=s-twice', body)
    expect([first.status, first.body.accepted]).toEqual([200, 20_000])
    expectReplay(first, await stream('s-twice', 'dataset=s-twice', body))
    const zipped = await stream('s-twice', 'dataset=s-twice', gzipSync(body), { 'content-encoding': 'gzip' })
    expectReplay(first, zipped)
    expect(new Set((await versions('s-twice', first)).map(([, , version]) => version))).toEqual(new Set([4]))
  })

  it('with another body, or query, is 422, and nothing of it is taken', async () => {
    const first = await stream('s-bodies', 'dataset=s-bodies', body)
    for (const [query, other] of [
      ['dataset=s-bodies', body.slice(0, -1)],
      ['dataset=s-bodies', ''],
      ['dataset=s-bodies&upsert=false', body],
      ['dataset=s-bodies&ack=projected', body],
      ['dataset=s-bodies&source=t', body],
      ['dataset=s-others', `${body}${line('more')}`],
    ] as const) {
      expectProblem(await stream('s-bodies', query, other), 422, 'UNPROCESSABLE')
    }
    expect((await versions('s-bodies', first)).length).toBe(5000)
    expect((await call(service, '/datasets/s-others')).status).toBe(404)
    const broken = await stream('s-bodies', 'dataset=s-bodies', 'x', { 'content-encoding': 'gzip' })
    expectProblem(broken, 400, 'VALIDATION_ERROR')
    expectReplay(first, await stream('s-bodies', 'dataset=s-bodies', body))
  })

  it('with receipts is answered again with its last line', async () => {
    const receipts = { accept: 'application/x-ndjson' }
    const lines = `${line('a')}x\n${line('b')}`
    const first = await stream('receipts', 'dataset=s-receipts', lines, receipts)
    const last = first.text.trim().split('\n').at(-1)!
    expect(JSON.parse(last)).toMatchObject({ accepted: 2, rejected: 1 })
    const again = await stream('receipts', 'dataset=s-receipts', lines, receipts)
    expect([again.status, again.text]).toEqual([200, `${last}\n`])
    expect(again.headers.get('content-type')).toBe('application/x-ndjson')
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    const plain = await stream('receipts', 'dataset=s-receipts', lines)
    expect([plain.status, plain.text]).toEqual([207, last])
    expectProblem(await stream('receipts', 'dataset=s-receipts', line('c'), receipts), 422, 'UNPROCESSABLE')
  })

  it('is running until it ends: until then the same one is 409', async () => {
    const key = { 'Idempotency-Key': 'running' }
    const client = await openStream(service, 'dataset=s-running', false, key)
    client.chunk(line('a', 1))
    await until('its first line to be in', async () => (await call(service, '/datasets/s-running')).status === 200)
    const meanwhile = await stream('running', 'dataset=s-running', line('a', 1) + line('a', 2))
    expectProblem(meanwhile, 409, 'CONFLICT')
    client.chunk(line('a', 2))
    client.chunk('')
    const [, text] = await client.untilReceived(/\r\n\r\n(\{.*\})$/)
    const again = await stream('running', 'dataset=s-running', line('a', 1) + line('a', 2))
    expect([again.status, again.text]).toEqual([200, text])
    expect(await versions('s-running', again)).toEqual([['a', 2, 2]])
    client.end()
  })

  it('that was cut off is taken whole when it is sent again', async () => {
    for (const receipts of [false, true]) {
      const dataset = `s-cut-${receipts}`
      const client = await openStream(service, `dataset=${dataset}`, receipts, { 'Idempotency-Key': dataset })
      client.chunk(body.slice(0, 50_000))
      await until('its first lines to be in', async () => (await call(service, `/datasets/${dataset}`)).status === 200)
      client.reset()
      const again = await until('it not to be running any more', async () => {
        const answer = await stream(
          dataset,
          `dataset=${dataset}`,
          body,
          receipts ? { accept: NDJSON['content-type'] } : {},
        )
        return answer.status !== 409 && answer
      })
      expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, null])
      const { accepted, position } = JSON.parse(again.text.trim().split('\n').at(-1)!)
      expect(accepted).toBe(20_000)
      await untilProjected(service, position)
      expect(await readRecords(service, dataset, position)).toHaveLength(5000)
    }
  })

  it('broken inside its zip may be sent again', async () => {
    const zipped = gzipSync(body)
    const headers = { 'content-encoding': 'gzip' }
    expectProblem(await stream('zip', 'dataset=s-zip', zipped.subarray(0, -20), headers), 400, 'VALIDATION_ERROR')
    const again = await stream('zip', 'dataset=s-zip', zipped, headers)
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, null])
  })
})

it('replays, conflicts and mismatches are counted', async () => {
  const text = await (await fetch(`${service.url}/metrics`)).text()
  for (const result of ['replayed', 'mismatch', 'conflict'])
    expect(text).toMatch(new RegExp(`sync_idempotency_total\\{result="${result}"\\} [1-9]`))
})
