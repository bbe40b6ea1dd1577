import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, pushBatch, tokenFor } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { head, openRaw } from '../kit/raw.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { listen } from '../kit/sockets.ts'

let service: Service
beforeAll(async () => {
  service = await startService({ RATE_LIMIT_WS: '5', MAX_SOCKETS: '30' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const withToken = (token: string) => listen(service, { query: `?token=${token}` })

it('closes with 4401 when the token is revoked, and leaves the others', async () => {
  const { access_token } = await tokenFor(service, 'sync:read')
  const [doomed, other] = [await withToken(access_token), await listen(service)]
  await Promise.all([doomed.subscribe(), other.subscribe()])
  await call(service, '/auth/revoke', { as: null, body: { token: access_token } })
  const { code, reason } = await doomed.closed
  expect([code, reason]).toEqual([4401, expect.stringContaining('revoked')])
  await pushBatch(service, 'revoked', [{ id: 'a', data: {} }])
  await other.untilChange('a')
  expect(doomed.changes()).toEqual([])
  other.close()
})

it('closes with 4401 when the refresh token it came with is revoked, or its API key deleted', async () => {
  const { access_token, refresh_token } = await tokenFor(service, 'sync:read')
  const body = { name: 'socket', permissions: ['sync:read'] }
  const { key, id } = (await call<{ key: string; id: string }>(service, '/api-keys', { body })).body
  const byToken = await withToken(access_token)
  const byKey = await listen(service, { query: '', headers: { 'x-api-key': key } })
  await call(service, '/auth/revoke', { as: null, body: { token: refresh_token } })
  await call(service, `/api-keys/${id}`, { method: 'DELETE' })
  expect((await byToken.closed).code).toBe(4401)
  expect((await byKey.closed).code).toBe(4401)
})

it('closes with 4401 when the token expires', async () => {
  const brief = await startService({ TOKEN_SECONDS: '2' })
  try {
    const listener = await listen(brief, { query: `?token=${(await tokenFor(brief)).access_token}` })
    await listener.subscribe()
    expect((await listener.closed).code).toBe(4401)
  } finally {
    await brief.stop()
    removeData(brief)
  }
})

it('closes with 4429 past the limit of messages, each socket counted by itself', async () => {
  const [eager, calm] = [await listen(service), await listen(service)]
  for (let n = 0; n < 7; n++) eager.send('ping')
  calm.send('ping')
  expect((await eager.closed).code).toBe(4429)
  expect(eager.messages.map(({ type }) => type)).toEqual(Array(5).fill('pong'))
  await calm.next('pong')
  calm.close()
})

it('closes with 4413 when a message is too large', async () => {
  const listener = await listen(service)
  listener.ws.send(`{"type":"ping","payload":"${'x'.repeat(100_000)}"}`)
  expect((await listener.closed).code).toBe(4413)
  expect(listener.messages).toEqual([])
})

it('answers 503 past MAX_SOCKETS, and takes new ones when some have gone', async () => {
  const open = await Promise.all(Array.from({ length: 30 }, () => listen(service)))
  await expect(listen(service)).rejects.toMatchObject({ status: 503 })
  for (const listener of open) listener.close()
  const again = await until('room for a socket', () => listen(service).catch(() => undefined))
  again.close()
})

it('counts open sockets in the metrics, down to none', async () => {
  const count = async () => /^sync_websocket_connections (\d+)$/m.exec((await call(service, '/metrics')).text)?.[1]
  await until('the sockets of other tests to be gone', async () => (await count()) === '0')
  const listener = await listen(service)
  await listener.subscribe()
  const { text } = await call(service, '/metrics')
  expect(text).toMatch(/^sync_websocket_connections 1$/m)
  expect(text).toMatch(/^sync_websocket_subscriptions 1$/m)
  listener.close()
  await until('none', async () => (await count()) === '0')
  expect((await call(service, '/metrics')).text).toMatch(/^sync_websocket_subscriptions 0$/m)
})

it('closes with 1001 on SIGTERM', async () => {
  const ending = await startService()
  const listeners = await Promise.all(Array.from({ length: 5 }, () => listen(ending)))
  for (const listener of listeners) await listener.subscribe()
  const ended = ending.stop()
  for (const listener of listeners) expect((await listener.closed).code).toBe(1001)
  expect(await ended).toBe(0)
  removeData(ending)
})

it('keeps a socket open whose token it sees for the first time', async () => {
  const { access_token } = await tokenFor(service, 'sync:read')
  const client = await openRaw(service)
  // What a client that upgrades never says: uWebSockets.js acts on it when the upgrade is made late (decision 23).
  const upgrade = { Upgrade: 'websocket', Connection: 'close', 'Sec-WebSocket-Version': 13 }
  const key = { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' }
  client.write(head({ ...service, token: access_token }, 'GET /ws', { ...upgrade, ...key }))
  await client.untilReceived(/^HTTP\/1.1 101 /)
  const ping = Buffer.from('{"type":"ping"}')
  client.write(Buffer.concat([Buffer.from([0x81, 0x80 | ping.length, 0, 0, 0, 0]), ping]))
  await client.untilReceived(/"type":"pong"/)
  client.end()
})
