import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { SourceBusy } from '../../../../src/catalog/connectors/connector.ts'
import { auths } from '../../../../src/catalog/connectors/rest-api/auth/index.ts'
import { DomainError } from '../../../../src/kernel/errors.ts'
import { type Had, openSource, pullAll, pullContext, pullWell, sendJson } from '../../../kit/source.ts'

const endpoints = [{ path: '/x', pagination: { type: 'page' } }]
const SECRET = 'canary 7a+b/c=&"<é'

describe('auth', () => {
  const FIXED: Record<string, [auth: object, sent: (had: Had) => unknown, expected: unknown]> = {
    none: [{ type: 'none' }, had => had.headers.authorization, undefined],
    bearer: [{ type: 'bearer', token: 'abc' }, had => had.headers.authorization, 'Bearer abc'],
    basic: [
      { type: 'basic', username: 'Ann', password: SECRET },
      had => Buffer.from(had.headers.authorization!.replace('Basic ', ''), 'base64').toString(),
      `Ann:${SECRET}`,
    ],
    'api_key in a header': [
      { type: 'api_key', in: 'header', name: 'X-Key', value: 'k1' },
      had => had.headers['x-key'],
      'k1',
    ],
    'api_key in the query': [
      { type: 'api_key', in: 'query', name: 'k e y', value: SECRET },
      had => had.url.searchParams.get('k e y'),
      SECRET,
    ],
  }

  it.each(Object.entries(FIXED))('%s is sent with every page', async (_, [auth, sent, expected]) => {
    const source = await openSource((request, response) => {
      const page = Number(request.url.searchParams.get('page'))
      sendJson(response, page > 2 ? '[]' : `[{"page":${page}}]`)
    })
    expect((await pullWell({ base_url: source.url, auth, endpoints })).data).toHaveLength(2)
    expect(source.had.map(sent)).toEqual([expected, expected, expected])
  })

  it.each(Object.entries(FIXED))('%s that is refused is not tried again', async (_, [auth]) => {
    const source = await openSource((_request, response) => response.writeHead(401).end())
    const { error } = await pullAll({ base_url: source.url, auth, endpoints })
    expect(error).toBeInstanceOf(DomainError)
    expect(error!.message).toBe('GET /x, page 1: it answered 401')
    expect(source.had).toHaveLength(1)
  })

  it('goes before what headers and params say', async () => {
    const source = await openSource((_, response) => sendJson(response, '[]'))
    const common = { base_url: source.url, endpoints: [{ path: '/x' }] }
    await pullWell({ ...common, auth: { type: 'bearer', token: 'abc' }, headers: { AUTHORIZATION: 'Basic x' } })
    expect(source.had[0]!.headers.authorization).toBe('Bearer abc')
    const auth = { type: 'api_key', in: 'query', name: 'key', value: 'k1' }
    await pullWell({ ...common, auth, params: { key: 'k2', a: [1, 'b'], t: true } })
    expect(source.had[1]!.url.search).toBe('?a=1&a=b&t=true&key=k1')
  })
})

interface Server {
  /** Ways to answer the requests for tokens, the last one again and again. */
  readonly tokens: ((
    form: URLSearchParams,
    had: Had,
  ) => { status?: number; body: unknown; headers?: Record<string, string> })[]
  /** Whether a request with that token, for that page, is let in. */
  readonly letIn?: (token: string, page: number) => boolean
  readonly pages?: number
}

/** A source that wants tokens, and a server that gives them. */
async function openBoth({ tokens, letIn = () => true, pages = 3 }: Server) {
  const asked: { form: URLSearchParams; had: Had }[] = []
  const server = await openSource((request, response) => {
    const form = new URLSearchParams(request.body)
    asked.push({ form, had: request })
    const answer = tokens.length > 1 ? tokens.shift()! : tokens[0]!
    const { status = 200, body, headers = {} } = answer(form, request)
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  const source = await openSource((request, response) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    const page = Number(request.url.searchParams.get('page'))
    if (!letIn(token, page)) response.writeHead(401).end(`${token} is no good`)
    else sendJson(response, page > pages ? '[]' : `[{"page":${page}}]`)
  })
  const client = { token_url: `${server.url}/token`, client_id: 'me', client_secret: SECRET }
  const configOf = (auth: object) => ({ base_url: source.url, auth: { ...client, ...auth }, endpoints })
  return { asked, source, configOf, used: () => source.had.map(({ headers }) => headers.authorization) }
}

const token =
  (name: string, more: object = {}) =>
  () => ({ body: { access_token: name, token_type: 'Bearer', ...more } })
const CREDENTIALS = { type: 'oauth2_client_credentials' }
const REFRESH = { type: 'oauth2_refresh', refresh_token: 'refresh-1' }

describe('OAuth2 tokens', () => {
  it('are asked for once a run, for a client', async () => {
    const { asked, configOf, used } = await openBoth({ tokens: [token('t-1', { expires_in: 3600 })] })
    const { data } = await pullWell(configOf({ ...CREDENTIALS, scope: 'a b' }))
    expect(data).toHaveLength(3)
    expect(used()).toEqual(Array(4).fill('Bearer t-1'))
    expect(asked).toHaveLength(1)
    expect(asked[0]!.had).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(Object.fromEntries(asked[0]!.form)).toEqual({
      grant_type: 'client_credentials',
      scope: 'a b',
      client_id: 'me',
      client_secret: SECRET,
    })
  })

  it('are asked for anew shortly before they expire', async () => {
    let made = 0
    const { configOf, used } = await openBoth({
      tokens: [() => ({ body: { access_token: `t-${++made}`, expires_in: 100 } })],
      // Each page takes 40 seconds.
      letIn: () => vi.setSystemTime(Date.now() + 40_000) !== undefined,
    })
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    await pullWell(configOf(CREDENTIALS))
    // After 0, 40, 80 and 120 seconds; the last tenth of its life a token is left alone.
    expect(used()).toEqual(['Bearer t-1', 'Bearer t-1', 'Bearer t-1', 'Bearer t-2'])
  })

  it.each([CREDENTIALS, REFRESH])(
    'are asked for anew when one is refused in the middle of a run: $type',
    async auth => {
      const { asked, configOf, used, source } = await openBoth({
        tokens: [token('t-1'), token('t-2')],
        letIn: (name, page) => name === 't-2' || page < 3,
      })
      const context = pullContext()
      const { data } = await pullWell(configOf(auth), undefined, context)
      expect(data).toEqual(['{"page":1}', '{"page":2}', '{"page":3}'])
      expect(used()).toEqual(['Bearer t-1', 'Bearer t-1', 'Bearer t-1', 'Bearer t-2', 'Bearer t-2'])
      expect([asked.length, source.had.length]).toEqual([2, 5])
      expect(context.told[0]).toMatchObject({ level: 'warning', message: expect.stringContaining('refused the token') })
    },
  )

  it('that are refused again are a failure', async () => {
    const { asked, configOf, source } = await openBoth({ tokens: [token('t-1'), token('t-2')], letIn: () => false })
    const { error } = await pullAll(configOf(CREDENTIALS))
    expect(error).toBeInstanceOf(DomainError)
    expect(error!.message).toBe('GET /x, page 1: it answered 401 (no content type): *** is no good')
    expect([asked.length, source.had.length]).toEqual([2, 2])
  })

  it('are asked for with a header where the form is refused', async () => {
    const onlyBasic = (_form: URLSearchParams, { headers }: Had) => {
      const [id, secret] = Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64')
        .toString()
        .split(':')
      const decoded = (text = '') => decodeURIComponent(text.replaceAll('+', ' '))
      if (decoded(id) !== 'me' || decoded(secret) !== SECRET) return { status: 401, body: { error: 'invalid_client' } }
      return { body: { access_token: 't-1', expires_in: 0 } }
    }
    const { asked, configOf } = await openBoth({ tokens: [onlyBasic], pages: 1 })
    expect((await pullWell(configOf(CREDENTIALS))).data).toHaveLength(1)
    expect(asked.map(({ form, had }) => [form.has('client_secret'), had.headers.authorization !== undefined])).toEqual([
      [true, false],
      [false, true],
      [false, true],
    ])
  })

  it.each<[string, { status?: number; body: unknown }, string]>([
    [
      'a refusal',
      { status: 400, body: { error: 'invalid_grant', error_description: `no ${SECRET}` } },
      'answered 400: invalid_grant: no ***',
    ],
    ['a refusal without a reason', { status: 403, body: '<html>' }, 'answered 403'],
    ['no token', { body: { token_type: 'Bearer' } }, 'answered without an access_token that can be sent'],
    [
      'a token that would be two headers',
      { body: { access_token: 'a\r\nb: c' } },
      'answered without an access_token that can be sent',
    ],
    ['no JSON', { body: 'hello' }, 'answered without an access_token that can be sent'],
  ])('fail with %s', async (_, answer, why) => {
    const { configOf, source } = await openBoth({ tokens: [() => answer] })
    const { error } = await pullAll(configOf(CREDENTIALS))
    expect(error).toBeInstanceOf(DomainError)
    expect(error!.message).toMatch(/^auth: http:\/\/127\.0\.0\.1:\d+\/token /)
    expect(error!.message.replace(/^auth: \S+ /, '')).toBe(why)
    expect(source.had).toEqual([])
  })

  it('are waited for', async () => {
    const failing = await openBoth({ tokens: [() => ({ status: 500, body: '' }), token('t-1')] })
    expect((await pullWell(failing.configOf(CREDENTIALS))).data).toHaveLength(3)
    const busy = await openBoth({ tokens: [() => ({ status: 429, body: '', headers: { 'retry-after': '60' } })] })
    const { error } = await pullAll(busy.configOf(CREDENTIALS))
    expect(error).toBeInstanceOf(SourceBusy)
    expect((error as SourceBusy).until).toBeGreaterThan(Date.now() + 50_000)
    expect(error!.message).toMatch(
      /^auth: POST http:\/\/127\.0\.0\.1:\d+\/token: it answered 429 and wants to be left alone/,
    )
  })

  it('are asked for with a refresh token, which is used again where it stays', async () => {
    const { asked, configOf } = await openBoth({ tokens: [token('t-1', { expires_in: 0 })], pages: 1 })
    await pullWell(configOf({ ...REFRESH, client_secret: undefined }))
    expect(asked.map(({ form }) => Object.fromEntries(form))).toEqual(
      Array(2).fill({ grant_type: 'refresh_token', refresh_token: 'refresh-1', client_id: 'me' }),
    )
  })

  it('bring new refresh tokens, which are kept before anything is done with them', async () => {
    const kept: unknown[] = []
    let made = 1
    const rotating = (form: URLSearchParams) => {
      // One that was used is worth nothing any more.
      if (form.get('refresh_token') !== `refresh-${made}`) return { status: 400, body: { error: 'invalid_grant' } }
      made++
      return { body: { access_token: `t-${made}`, refresh_token: `refresh-${made}`, expires_in: 0 } }
    }
    const { configOf, source, used } = await openBoth({ tokens: [rotating], pages: 1 })
    const keepSecret = async (path: unknown, value: string) => void kept.push([path, value, source.had.length])
    await pullWell(configOf(REFRESH), undefined, pullContext({ keepSecret }))
    expect(kept).toEqual([
      [['auth', 'refresh_token'], 'refresh-2', 0],
      [['auth', 'refresh_token'], 'refresh-3', 1],
    ])
    expect(used()).toEqual(['Bearer t-2', 'Bearer t-3'])
    // The next run begins with what was kept.
    await pullWell(configOf({ ...REFRESH, refresh_token: 'refresh-3' }))
  })

  it('bring new refresh tokens that cannot be kept', async () => {
    const { configOf } = await openBoth({ tokens: [token('t-1', { refresh_token: 'refresh-2' })] })
    const context = pullContext()
    await pullWell(configOf(REFRESH), undefined, context)
    expect(context.told[0]).toEqual({
      level: 'warning',
      message: 'the source has replaced a secret of this job, and there is nowhere to keep it',
      metadata: { field: 'auth.refresh_token' },
    })
    const failing = pullContext({ keepSecret: () => Promise.reject(new Error('the store is gone')) })
    const { error, rows } = await pullAll(configOf(REFRESH), undefined, failing)
    expect([error!.message, rows]).toEqual(['the store is gone', []])
  })

  it('count as calls', async () => {
    const { configOf } = await openBoth({ tokens: [token('t-1')] })
    const { error, data } = await pullAll({ ...configOf(CREDENTIALS), max_calls: 3 })
    expect(data).toHaveLength(2)
    expect(error!.message).toBe('GET /x, page 3: the run has made 3 requests, which is all that max_calls allows')
  })
})

it('has every kind tried', () => {
  const tried = ['none', 'bearer', 'basic', 'api_key', CREDENTIALS.type, REFRESH.type]
  expect(auths.map(({ type }) => type)).toEqual(tried)
})
