import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { deriveKeys } from '../../src/edge/auth/keys.ts'
import { createTokens } from '../../src/edge/auth/tokens.ts'
import { call, credentialsOf, pushBatch, tokenFor } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen } from '../kit/sockets.ts'

const encryptionKey = randomBytes(32).toString('hex')

let service: Service
/** Another one, whose tokens end soon. */
let brief: Service
beforeAll(async () => {
  const soon = { TOKEN_SECONDS: '4', TOKEN_EXPIRING_SECONDS: '2' }
  ;[service, brief] = await Promise.all([startService({ ENCRYPTION_KEY: encryptionKey }), startService(soon)])
})
afterAll(async () => {
  for (const each of [service, brief]) {
    await each?.stop()
    removeData(each)
  }
})

const open: Listener[] = []
afterEach(() => {
  for (const listener of open.splice(0)) listener.close()
})

async function withToken(token: string, to: Service = service): Promise<Listener> {
  const listener = await listen(to, { query: `?token=${token}` })
  open.push(listener)
  return listener
}

const revoke = (token: string) => call(service, '/auth/revoke', { as: null, body: { token } })

/** A token as the service itself would give it out. */
function forged(clientId: string, seconds: number, scopes = ['sync:read']): Promise<string> {
  return createTokens(deriveKeys(encryptionKey), seconds).issue(clientId, scopes, 'fam_forged')
}

describe('refresh', () => {
  it('puts a new token in the place of the old one, and subscriptions stay', async () => {
    const old = (await tokenFor(service, 'sync:read')).access_token
    const next = (await tokenFor(service, 'sync:read sync:write')).access_token
    const listener = await withToken(old)
    await listener.subscribe({ filters: { dataset: 'refreshed' } })
    listener.send('refresh', { token: next })
    const { payload } = await listener.next('refreshed')
    expect(payload).toEqual({ expires_in: expect.any(Number), scopes: ['sync:read', 'sync:write'] })
    expect(payload.expires_in).toBeGreaterThan(3500)

    // Whoever has only the old one is closed at that; this socket is not.
    const other = await withToken(old)
    await revoke(old)
    expect((await other.closed).code).toBe(4401)
    await pushBatch(service, 'refreshed', [{ id: 'a', data: {} }])
    await listener.untilChange('a')
    await revoke(next)
    expect((await listener.closed).code).toBe(4401)
  })

  it('refuses any other token, and the old one stays', async () => {
    const { client_id } = credentialsOf(service)
    const revoked = (await tokenFor(service, 'sync:read')).access_token
    await revoke(revoked)
    const cases: [token: unknown, code: string][] = [
      ['garbage', 'UNAUTHORIZED'],
      [revoked, 'UNAUTHORIZED'],
      [await forged(client_id, -10), 'UNAUTHORIZED'],
      [await forged('cli_other', 60), 'UNAUTHORIZED'],
      // Of whom it is comes first: that it may not read is nobody's business here.
      [await forged('cli_other', 60, ['sync:write']), 'UNAUTHORIZED'],
      [7, 'VALIDATION_ERROR'],
      [undefined, 'VALIDATION_ERROR'],
    ]
    const mine = (await tokenFor(service, 'sync:read')).access_token
    const listener = await withToken(mine)
    for (const [token, code] of cases) {
      const from = listener.messages.length
      listener.send('refresh', { token })
      const { payload } = await listener.next('error', from)
      expect(payload.code, String(token)).toBe(code)
      expect(payload.message).not.toContain('cli_other')
    }
    await listener.subscribe()
    listener.send('refresh', { token: await forged(client_id, 60) })
    await listener.next('refreshed')
  })

  it('refuses a token on a socket of an API key', async () => {
    const body = { name: 'socket', permissions: ['sync:read'] }
    const { key } = (await call<{ key: string }>(service, '/api-keys', { body })).body
    const listener = await listen(service, { query: '', headers: { 'x-api-key': key } })
    open.push(listener)
    listener.send('refresh', { token: service.token })
    expect((await listener.next('error')).payload.code).toBe('UNAUTHORIZED')
  })

  it('closes with 4403 when the new token may not read', async () => {
    const listener = await withToken(service.token)
    await listener.subscribe()
    listener.send('refresh', { token: (await tokenFor(service, 'sync:write')).access_token })
    expect(await listener.closed).toEqual({ code: 4403, reason: expect.stringContaining('sync:read') })
  })
})

it('a token that was revoked a moment ago starts no subscription', async () => {
  const { access_token } = await tokenFor(service, 'sync:read')
  const listener = await withToken(access_token)
  await revoke(access_token)
  listener.send('subscribe', {})
  expect((await listener.closed).code).toBe(4401)
  expect(listener.messages).toEqual([])
})

describe('token_expiring', () => {
  const warnings = ({ messages }: Listener) => messages.filter(({ type }) => type === 'token_expiring')

  it('comes once for each token, a while before it ends, and none when it does not', async () => {
    const listener = await withToken((await tokenFor(brief)).access_token, brief)
    const body = { name: 'socket', permissions: ['sync:read'] }
    const { key } = (
      await call<{ key: string }>(brief, '/api-keys', { body, as: (await tokenFor(brief)).access_token })
    ).body
    const everlasting = await listen(brief, { query: '', headers: { 'x-api-key': key } })
    open.push(everlasting)
    await listener.subscribe()
    const told = await listener.next('token_expiring')
    expect(Object.keys(told.payload)).toEqual(['expires_in'])
    expect(told.payload.expires_in).toBeLessThanOrEqual(2)
    listener.send('refresh', { token: (await tokenFor(brief)).access_token })
    await listener.next('refreshed')
    await until('a second warning', () => warnings(listener).length === 2, 10_000)
    expect((await listener.closed).code).toBe(4401)
    expect(warnings(listener).length).toBe(2)
    expect(listener.messages.map(({ type }) => type)).toEqual([
      ...['subscribed', 'token_expiring', 'refreshed', 'token_expiring'],
    ])
    expect(everlasting.messages).toEqual([])
  })

  it('comes for an API key that ends, too', async () => {
    const expires_at = new Date(Date.now() + 5000).toISOString()
    const body = { name: 'brief', permissions: ['sync:read'], expires_at }
    const { key } = (await call<{ key: string }>(service, '/api-keys', { body })).body
    const listener = await listen(service, { query: '', headers: { 'x-api-key': key } })
    open.push(listener)
    expect((await listener.next('token_expiring')).payload.expires_in).toBeLessThanOrEqual(5)
    expect((await listener.closed).code).toBe(4401)
    expect(warnings(listener).length).toBe(1)
  })
})
