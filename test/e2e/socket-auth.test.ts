import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { call, metric, pushBatch, tokenFor } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen } from '../kit/sockets.ts'

let service: Service
/** Another one, that lets few wait and not for long. */
let strict: Service
beforeAll(async () => {
  const few = { MAX_WAITING_SOCKETS: '2', AUTH_TIMEOUT_MS: '100' }
  ;[service, strict] = await Promise.all([startService(), startService(few)])
})
afterAll(async () => {
  for (const each of [service, strict]) {
    await each?.stop()
    removeData(each)
  }
})

const open: Listener[] = []
afterEach(() => {
  for (const listener of open.splice(0)) listener.close()
})

/** Connects without any credential. */
async function waiting(to: Service = service): Promise<Listener> {
  const listener = await listen(to, { query: '' })
  open.push(listener)
  return listener
}

async function keyFor(more: object = {}): Promise<string> {
  const body = { name: 'socket', permissions: ['sync:read'], ...more }
  return (await call<{ key: string }>(service, '/api-keys', { body })).body.key
}

describe('a socket that was opened without a credential', () => {
  it('is what its first message says, with a token or an API key, and subscribes like any other', async () => {
    const { access_token } = await tokenFor(service, 'sync:read sync:write')
    const [byToken, byKey] = [await waiting(), await waiting()]
    byToken.send('auth', { token: access_token })
    byKey.send('auth', { api_key: await keyFor() })
    const answers = [await byToken.next('authenticated'), await byKey.next('authenticated')]
    const { expires_in } = answers[0]!.payload
    expect(answers.map(({ payload }) => payload)).toEqual([
      { scopes: ['sync:read', 'sync:write'], expires_in: expect.any(Number) },
      { scopes: ['sync:read'], expires_in: null },
    ])
    expect(expires_in).toBeGreaterThan(3500)
    expect(expires_in).toBeLessThanOrEqual(3600)
    await Promise.all([byToken, byKey].map(each => each.subscribe({ filters: { dataset: 'let-in' } })))
    await pushBatch(service, 'let-in', [{ id: 'a', data: {} }])
    await Promise.all([byToken, byKey].map(each => each.untilChange('a')))
  })

  it('may send on before it is answered', async () => {
    for (const credential of [{ token: service.token }, { api_key: await keyFor() }]) {
      const listener = await waiting()
      listener.send('auth', credential)
      listener.send('subscribe', { subscription_id: 'mine' })
      listener.send('ping')
      await listener.next('pong')
      await listener.next('subscribed')
      expect(listener.messages.map(({ type }) => type).sort()).toEqual(['authenticated', 'pong', 'subscribed'])
      expect(listener.messages[0]!.type).toBe('authenticated')
    }
  })

  const message = (payload: object) => JSON.stringify({ type: 'auth', payload })
  it.each([
    ['a bad token', message({ token: 'garbage' }), 4401, 'the token is not valid'],
    ['a bad API key', message({ api_key: 'sk_live_garbage' }), 4401, 'the API key is not valid'],
    ['no credential', message({}), 4401, /first message/],
    ['two credentials', message({ token: 'a', api_key: 'b' }), 4401, /first message/],
    ['another message', '{"type":"ping"}', 4401, /first message/],
    ['what is not JSON', 'auth', 4401, /first message/],
    ['bytes', Buffer.from(message({ token: 'garbage' })), 4401, /first message/],
  ])('is closed for %s', async (_, data, code, reason) => {
    const listener = await waiting()
    listener.ws.send(data)
    expect(await listener.closed).toEqual({ code, reason: expect.stringMatching(reason) })
    expect(listener.messages).toEqual([])
  })

  it('is closed with 4401 for a revoked token, with 4403 for one that may not read', async () => {
    const [revoked, writer] = [await tokenFor(service, 'sync:read'), await tokenFor(service, 'sync:write')]
    await call(service, '/auth/revoke', { as: null, body: { token: revoked.access_token } })
    const [one, other] = [await waiting(), await waiting()]
    one.send('auth', { token: revoked.access_token })
    other.send('auth', { token: writer.access_token })
    expect(await one.closed).toEqual({ code: 4401, reason: 'the token was revoked' })
    expect(await other.closed).toEqual({ code: 4403, reason: expect.stringContaining('sync:read') })
  })

  it('is closed when it says nothing, and makes room', async () => {
    const [one, other] = [await waiting(strict), await waiting(strict)]
    // Others may still come in with a credential.
    open.push(await listen(strict))
    await expect(waiting(strict)).rejects.toMatchObject({ status: 503, headers: { 'retry-after': '10' } })
    for (const each of [one, other])
      expect(await each.closed).toEqual({ code: 4401, reason: 'no auth message within 100 ms' })
    await waiting(strict)
  })

  it('makes room when it is let in, and when it goes', async () => {
    for (let n = 0; n < 4; n++) {
      const listener = await waiting(strict)
      listener.send('auth', { token: strict.token })
      await listener.next('authenticated')
    }
    for (let n = 0; n < 4; n++) {
      const before = await metric(strict, 'sync_websocket_connections')
      ;(await waiting(strict)).close()
      await until('it to be gone', async () => (await metric(strict, 'sync_websocket_connections')) <= before)
    }
    expect((await waiting(strict)).messages).toEqual([])
  })

  it('counts as a request of its address, so that nobody can try tokens as often as they like', async () => {
    const limited = await startService({ RATE_LIMIT_API: '4' })
    try {
      const codes: number[] = []
      // One request was for the service's token.
      for (let n = 0; n < 5; n++) {
        const listener = await waiting(limited)
        listener.send('auth', { token: 'garbage' })
        codes.push((await listener.closed).code)
      }
      expect(codes).toEqual([4401, 4401, 4401, 4429, 4429])
      open.push(await listen(limited))
    } finally {
      await limited.stop()
      removeData(limited)
    }
  })
})

it('a second auth is an error, and changes nothing', async () => {
  const listener = await waiting()
  listener.send('auth', { token: service.token })
  await listener.next('authenticated')
  listener.send('auth', { token: 'garbage' })
  expect((await listener.next('error')).payload).toMatchObject({ code: 'CONFLICT' })
  await listener.subscribe()
})
