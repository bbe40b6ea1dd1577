import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, credentialsOf, type Problem, pushBatch, type TokenAnswer, tokenFor } from '../kit/api.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { listen } from '../kit/sockets.ts'

interface Client {
  id: string
  client_id: string
  client_secret: string
  name: string
  scopes: string[]
  created_at: string
}

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function make(body: object): Promise<Client> {
  const { status, body: made } = await call<Client>(service, '/clients', { body })
  expect(status).toBe(201)
  return made
}
const grant = (credentials: object, more: object = {}) =>
  call<TokenAnswer & Problem>(service, '/auth/token', {
    as: null,
    body: { grant_type: 'client_credentials', ...credentials, ...more },
  })
const secretOf = ({ client_id, client_secret }: Client) => ({ client_id, client_secret })

describe('OAuth clients', () => {
  it('are made with a secret that is shown once', async () => {
    const made = await call<Client>(service, '/clients', { body: { name: 'shop', scopes: ['sync:write'] } })
    expect(made.status).toBe(201)
    expect(made.headers.get('cache-control')).toBe('no-store')
    const { client_secret, ...shown } = made.body
    expect(client_secret).toMatch(/^[\w-]{43}$/)
    const time = expect.stringMatching(/Z$/)
    expect(shown).toEqual({ id: shown.id, client_id: shown.id, name: 'shop', scopes: ['sync:write'], created_at: time })
    expect(shown.id).toMatch(/^cli_/)
    expect((await call(service, `/clients/${shown.id}`)).body).toEqual(shown)
    const list = await call<{ items: Client[]; next_cursor: null }>(service, '/clients')
    expect(list.body.items).toContainEqual(shown)
    expect(list.text).not.toContain(client_secret)
  })

  it('get tokens with their scopes, or fewer, and none beyond', async () => {
    const shop = await make({ name: 'shop' })
    const { body: all } = await grant(secretOf(shop))
    expect(all.scope).toBe('sync:read sync:write')
    const { body: some } = await grant(secretOf(shop), { scope: 'sync:write' })
    expect(some.scope).toBe('sync:write')
    const pushed = await pushBatch({ ...service, token: some.access_token }, 'orders', [{ id: '1', data: {} }])
    expect(pushed.status).toBe(200)
    const beyond = await grant(secretOf(shop), { scope: 'sync:admin' })
    expect([beyond.status, beyond.body.error.error]).toEqual([400, 'invalid_scope'])
    expect(beyond.body.error.message).toContain('sync:admin is none of the client')
  })

  it('are 401 with a wrong secret, another one’s secret or an unknown id', async () => {
    const [shop, till] = [await make({ name: 'shop' }), await make({ name: 'till' })]
    const { client_secret } = credentialsOf(service)
    for (const wrong of [
      { client_id: shop.client_id, client_secret: till.client_secret },
      { client_id: shop.client_id, client_secret },
      { client_id: shop.client_id, client_secret: '' },
      { client_id: 'cli_unknown', client_secret: shop.client_secret },
    ]) {
      const { status, body } = await grant(wrong)
      expect([status, body.error.error]).toEqual([401, 'invalid_client'])
    }
  })

  it('open nothing once they are deleted: tokens, refresh tokens and sockets end', async () => {
    const shop = await make({ name: 'shop' })
    const { body: tokens } = await grant(secretOf(shop))
    const socket = await listen({ ...service, token: tokens.access_token })
    const other = await listen(service)
    expect((await call(service, `/clients/${shop.id}`, { method: 'DELETE' })).status).toBe(204)
    expect((await call(service, '/datasets', { as: tokens.access_token })).status).toBe(401)
    expect((await grant(secretOf(shop))).status).toBe(401)
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
    expect((await call(service, '/auth/refresh', { as: null, body: refresh })).status).toBe(401)
    expect((await socket.closed).code).toBe(4401)
    expect((await other.subscribe()).type).toBe('subscribed')
    other.close()
    expect((await call(service, `/clients/${shop.id}`, { method: 'DELETE' })).status).toBe(404)
    expect((await call(service, `/clients/${shop.id}`)).status).toBe(404)
  })

  it('are for admins, who give no scope that they lack', async () => {
    const { access_token } = await tokenFor(service, 'sync:read sync:write')
    for (const [path, method] of [
      ['/clients', 'GET'],
      ['/clients', 'POST'],
      ['/clients/cli_1', 'DELETE'],
    ]) {
      const { status, body } = await call(service, path!, { method: method!, as: access_token })
      expect([status, body.error.message]).toEqual([403, expect.stringContaining('sync:admin')])
    }
    const admin = (await tokenFor(service, 'sync:admin')).access_token
    const beyond = await call(service, '/clients', { as: admin, body: { name: 'x', scopes: ['sync:write'] } })
    expect([beyond.status, beyond.body.error.message]).toEqual([403, expect.stringContaining('scopes: sync:write')])
  })

  it.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'a\u0000b' }, 'name'],
    [{ name: 'a', scopes: [] }, 'scopes'],
    [{ name: 'a', scopes: ['sync:all'] }, 'scopes.0'],
    [{ name: 'a', secret: 'mine' }, 'secret'],
  ])('are not made from %j', async (body, field) => {
    const { status, body: answer } = await call(service, '/clients', { body })
    expect([status, answer.error.details[0]?.field]).toEqual([400, field])
  })

  it('leave the first one alone', async () => {
    const { client_id } = credentialsOf(service)
    const answer = await call(service, `/clients/${client_id}`, { method: 'DELETE' })
    expect([answer.status, answer.body.error.message]).toEqual([409, expect.stringContaining('ADMIN_CLIENT_ID')])
  })
})
