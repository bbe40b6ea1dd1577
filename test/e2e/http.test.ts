import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, credentialsOf, type Problem, pushBatch, pushLines } from '../kit/api.ts'
import { head, openRaw } from '../kit/raw.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { listen } from '../kit/sockets.ts'

let service: Service
/** Another one, with limits that a test can reach. */
let limited: Service
beforeAll(async () => {
  ;[service, limited] = await Promise.all([
    startService(),
    startService({ RATE_LIMIT_PUSH: '5', RATE_LIMIT_API: '20' }),
  ])
})
afterAll(async () => {
  for (const each of [service, limited]) {
    await each?.stop()
    removeData(each)
  }
})

describe('errors', () => {
  it.each([
    ['GET', '/nothing', 404, 'NOT_FOUND'],
    ['GET', '', 404, 'NOT_FOUND'],
    ['GET', '/datasets/', 404, 'NOT_FOUND'],
    ['GET', '/datasets/a/records/b/c', 404, 'NOT_FOUND'],
    ['GET', '/datasets/%zz', 400, 'VALIDATION_ERROR'],
    ['GET', '/datasets?as_of=2999-01-01T00:00:00Z', 400, 'VALIDATION_ERROR'],
    ['GET', '/ws', 400, 'VALIDATION_ERROR'],
    ['POST', '/ws', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/datasets/a/records', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/push/batch', 405, 'METHOD_NOT_ALLOWED'],
    ['PUT', '/auth/token', 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', '/health', 405, 'METHOD_NOT_ALLOWED'],
  ])('%s %s: %i, in the documented shape', async (method, path, status, code) => {
    const answer = await call(service, path, { method })
    expect([answer.status, answer.body.error?.code]).toEqual([status, code])
    expect(Object.keys(answer.body)).toEqual(['error'])
    expect(Object.keys(answer.body.error)).toEqual(['code', 'message', 'details', 'request_id'])
    expect(answer.headers.get('content-type')).toContain('application/json')
    expect(answer.headers.has('allow')).toBe(status === 405)
  })

  it('name the methods there are', async () => {
    expect((await call(service, '/push/batch')).headers.get('allow')).toBe('POST')
    expect((await call(service, '/api-keys', { method: 'PUT' })).headers.get('allow')!.split(', ').sort()).toEqual([
      'GET',
      'HEAD',
      'POST',
    ])
  })

  it('are the same outside of the base path', async () => {
    const answer = await call<Problem>({ ...service, url: new URL('/', service.url).origin }, '/datasets')
    expect([answer.status, answer.body.error.code]).toEqual([404, 'NOT_FOUND'])
  })
})

describe('HEAD', () => {
  it('answers as GET does, without the body, and the connection goes on', async () => {
    const client = await openRaw(service)
    client.write(head(service, 'HEAD /health'))
    await client.untilReceived(/^HTTP\/1\.1 200 [\s\S]*?content-length: [1-9][\s\S]*?\r\n\r\n/i)
    client.write(head(service, 'HEAD /push/batch'))
    await client.untilReceived(/HTTP\/1\.1 405 [\s\S]*?\r\n\r\n$/)
    client.write(head(service, 'GET /health/live'))
    await client.untilReceived(/"alive"/)
    expect(client.received().match(/[{}]/g)).toEqual(['{', '}'])
    client.end()
  })
})

describe('X-Request-Id', () => {
  const idOf = (answer: Answer<Problem>) => answer.headers.get('x-request-id')

  it('is taken, and is in every answer and error', async () => {
    const headers = { 'x-request-id': 'my-id.1:2_3' }
    for (const path of [
      '/datasets',
      '/health',
      '/metrics',
      '/nothing',
      '/push/batch',
      '/datasets?limit=0',
      '/.well-known/jwks.json',
    ]) {
      const answer = await call(service, path, { headers })
      expect([path, idOf(answer)]).toEqual([path, 'my-id.1:2_3'])
      if (answer.status >= 400) expect(answer.body.error.request_id).toBe('my-id.1:2_3')
    }
    const unknown = await call(service, '/datasets', { as: 'wrong', headers })
    expect([unknown.status, idOf(unknown), unknown.body.error.request_id]).toEqual([401, 'my-id.1:2_3', 'my-id.1:2_3'])
    const token = await call(service, '/auth/token', { as: null, headers, body: { grant_type: 'x' } })
    expect([token.status, idOf(token), token.body.error.request_id]).toEqual([400, 'my-id.1:2_3', 'my-id.1:2_3'])
    const body = { source: 'ids', records: [{ id: 'a', data: {} }] }
    const push = await call<{ request_id: string }>(service, '/push/batch', { headers, body })
    expect(push.body.request_id).toBe('my-id.1:2_3')
  })

  it('is made when there is none, or none that can stand in a log line', async () => {
    const made = new Set<string>()
    for (const given of [undefined, '', 'two words', 'x'.repeat(101), '"quoted"', '<a>']) {
      const answer = await call(service, '/nothing', { headers: given === undefined ? {} : { 'x-request-id': given } })
      expect(idOf(answer)).toMatch(/^req_[0-9a-z]+$/)
      expect(answer.body.error.request_id).toBe(idOf(answer))
      made.add(idOf(answer)!)
    }
    expect(made.size).toBe(6)
  })
})

describe('rate limits', () => {
  const states = (answers: Answer<unknown>[], name: string) => answers.map(({ headers }) => Number(headers.get(name)))

  function expectRefused(answer: Answer<Partial<Problem>>, limit: number): void {
    const { headers, body } = answer
    expect(body.error).toMatchObject({ code: 'RATE_LIMITED', request_id: headers.get('x-request-id') })
    expect(headers.get('x-ratelimit-limit')).toBe(String(limit))
    expect(headers.get('x-ratelimit-remaining')).toBe('0')
    const wait = Number(headers.get('x-ratelimit-reset')) - Date.now() / 1000
    const retryAfter = Number(headers.get('retry-after'))
    expect(retryAfter).toBeGreaterThanOrEqual(1)
    expect(Math.abs(retryAfter - wait)).toBeLessThan(2.5)
    expect(wait).toBeLessThan(61)
  }

  it('let exactly so many of those through that come at once, and count down', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(limited, '/datasets')))
    const taken = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status === 429)
    expect([taken.length, refused.length]).toEqual([20, 30])
    expect(new Set(states(taken, 'x-ratelimit-limit'))).toEqual(new Set([20]))
    expect(states(taken, 'x-ratelimit-remaining').sort((a, b) => a - b)).toEqual([...Array(20).keys()])
    for (const each of refused) expectRefused(each, 20)
  })

  it('count pushes by themselves, a stream as one', async () => {
    const lines = '{"id":"a","data":{}}\n'.repeat(50)
    const push = (n: number) =>
      n % 2 ? pushLines(limited, 'dataset=limits', lines) : pushBatch(limited, 'limits', [{ id: 'a', data: {} }])
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => push(n)))
    const taken = answers.filter(({ status }) => status === 200)
    expect(taken).toHaveLength(5)
    expect(states(taken, 'x-ratelimit-remaining').sort()).toEqual([0, 1, 2, 3, 4])
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(7)
    for (const each of refused) expectRefused(each, 5)
  })

  it('hold for those who try tokens, and never for probes', async () => {
    const wrong = {
      as: null,
      body: { grant_type: 'client_credentials', ...credentialsOf(limited), client_secret: 'x' },
    }
    const answers = await Promise.all(Array.from({ length: 30 }, () => call(limited, '/auth/token', wrong)))
    const statuses = answers.map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([401, 429]))
    expect(statuses.filter(status => status === 401).length).toBeLessThan(20)
    const upgrade = listen(limited, { query: '?token=wrong' })
    await expect(upgrade).rejects.toMatchObject({ status: 429, headers: { 'x-ratelimit-limit': '20' } })
    const probes = await Promise.all(Array.from({ length: 30 }, () => call(limited, '/health/live', { as: null })))
    expect(new Set(probes.map(({ status }) => status))).toEqual(new Set([200]))
  })

  it('are in the headers of every answer', async () => {
    for (const path of ['/health', '/metrics', '/nothing', '/datasets', '/push/batch']) {
      const { headers } = await call(service, path)
      for (const name of ['limit', 'remaining', 'reset']) {
        expect([path, headers.get(`x-ratelimit-${name}`)]).toEqual([path, expect.stringMatching(/^\d+$/)])
      }
    }
  })
})

describe('health and metrics need no credentials', () => {
  it('GET /health in the documented shape', async () => {
    const { status, body } = await call<object>(service, '/health', { as: null })
    expect(status).toBe(200)
    const components = { database: 'healthy', redis: 'healthy', connectors: 'healthy' }
    expect(body).toMatchObject({ status: 'healthy', components, version: '1.0.0' })
  })

  it('GET /health/live and /health/ready', async () => {
    expect((await call(service, '/health/live', { as: null })).status).toBe(200)
    expect((await call(service, '/health/ready', { as: null })).status).toBe(200)
  })

  it('GET /metrics in Prometheus text, with the documented names', async () => {
    await pushBatch(service, 'metrics', [{ id: 'a', data: {} }, { id: 'b' }])
    await call(service, '/datasets/metrics')
    for (let n = 0; n < 5; n++) await call(service, `/made-up-${n}`, { method: `MADEUP${n}` })
    const { status, headers, text } = await call(service, '/metrics', { as: null })
    expect([status, headers.get('content-type')]).toEqual([200, expect.stringMatching(/^text\/plain; version=0\.0\.4/)])
    expect(text).toContain('# HELP sync_operations_total Total sync operations\n# TYPE sync_operations_total counter\n')
    expect(text).toMatch(/^sync_operations_total\{connector="push",status="success"\} [1-9]/m)
    expect(text).toContain(
      '# HELP sync_latency_seconds Sync operation latency\n# TYPE sync_latency_seconds histogram\n',
    )
    expect(text).toMatch(/^sync_latency_seconds_bucket\{le="0\.1"\} \d+$/m)
    expect(text).toMatch(/^sync_latency_seconds_bucket\{le="0\.5"\} \d+$/m)
    expect(text).toMatch(/^sync_latency_seconds_bucket\{le="\+Inf"\} [1-9]/m)
    expect(text).toMatch(/^sync_ingest_records_total\{result="rejected"\} 1$/m)
    expect(text).toMatch(/^sync_http_requests_total\{route="GET \/datasets\/:dataset",status="\d+"\} 1$/m)
    // What a caller makes up must not become a new series for ever.
    expect(text).not.toMatch(/MADEUP|made-up/)
  })
})
