import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, credentialsOf, type Problem, pushBatch, tokenFor } from '../kit/api.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService({ RATE_LIMIT_API: '5000', LOG_LEVEL: 'debug' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

interface Key {
  id: string
  name: string
  key: string
  permissions: string[]
  expires_at: string | null
  rate_limit: number | null
  created_at: string
}

const BODY = {
  name: 'production-key',
  permissions: ['sync:read', 'sync:write'],
  expires_at: '2999-12-31T23:59:59Z',
  rate_limit: 1000,
}

function create(body: object | string, as?: string) {
  const headers = { 'content-type': 'application/json' }
  return call<Key & Problem>(service, '/api-keys', { body, headers, ...(as ? { as } : {}) })
}

/** A call with an API key in place of a token. */
function withKey<Body = Problem>(key: string, path: string, request: { method?: string; body?: object } = {}) {
  return call<Body>(service, path, { as: null, headers: { 'x-api-key': key }, ...request })
}

async function statusWith(key: string): Promise<number> {
  return (await withKey(key, '/datasets')).status
}

describe('API keys', () => {
  it('are made in the documented shape', async () => {
    const { status, body } = await create(BODY)
    expect([200, 201]).toContain(status)
    const fields = ['id', 'name', 'key', 'permissions', 'expires_at', 'rate_limit', 'created_at']
    expect(Object.keys(body).sort()).toEqual(fields.sort())
    expect(body).toMatchObject(BODY)
    expect(body.id).toMatch(/^key_[0-9a-z]+$/)
    expect(body.key).toMatch(/^sk_live_\S{20,}$/)
    expect(new Date(body.created_at).toISOString()).toBe(body.created_at)
  })

  it('are made from a name and permissions alone', async () => {
    const name = 'plain – 密钥 ключ 🔑'
    const { status, body } = await create({ name, permissions: ['sync:read'] })
    expect([200, 201]).toContain(status)
    expect(body).toMatchObject({ name, permissions: ['sync:read'], expires_at: null })
  })

  it('open what their permissions say, and are the source of what they push', async () => {
    const { key } = (await create(BODY)).body
    const pushed = await withKey<{ position: string }>(key, '/push/batch', {
      body: { records: [{ id: 'a', data: { n: 1 } }] },
    })
    expect(pushed.status).toBe(200)
    const { position } = pushed.body
    expect((await withKey(key, `/datasets/production-key/records/a?min_position=${position}`)).status).toBe(200)
    const { key: reader } = (await create({ name: 'reader', permissions: ['sync:read'] })).body
    const refused = await withKey(reader, '/push/batch', { body: { records: [{ id: 'a', data: {} }] } })
    expect([refused.status, refused.body.error.message]).toEqual([403, expect.stringContaining('sync:write')])
  })

  it('are never listed in clear', async () => {
    const { key, id } = (await create(BODY)).body
    const listed = await call<{ items: Key[] }>(service, '/api-keys')
    expect(listed.body.items.find(item => item.id === id)).toMatchObject({ name: BODY.name, rate_limit: 1000 })
    expect(listed.text).not.toContain('sk_live_')
    expect(listed.text).not.toContain(key.slice('sk_live_'.length))
  })

  it('are 401 when they are wrong or have expired', async () => {
    const { key } = (await create(BODY)).body
    for (const wrong of ['sk_live_wrong', `${key}x`, key.slice(0, -1), key.toLowerCase(), '']) {
      expect(await statusWith(wrong)).toBe(401)
    }
    // The documented example, whose end has passed: a key that opens nothing.
    const past = await create({ ...BODY, expires_at: '2025-12-31T23:59:59Z' })
    expect([200, 201]).toContain(past.status)
    expect(await statusWith(past.body.key)).toBe(401)
  })

  it('are 400 beside a token', async () => {
    const { key } = (await create(BODY)).body
    const both = await call(service, '/datasets', { headers: { 'x-api-key': key } })
    expect([both.status, both.body.error.code]).toEqual([400, 'VALIDATION_ERROR'])
  })

  it('stop working when they are deleted', async () => {
    const { key, id } = (await create(BODY)).body
    expect(await statusWith(key)).toBe(200)
    const removed = await call(service, `/api-keys/${id}`, { method: 'DELETE' })
    expect([200, 204]).toContain(removed.status)
    expect(await statusWith(key)).toBe(401)
    const again = await call(service, `/api-keys/${id}`, { method: 'DELETE' })
    expect([again.status, again.body.error.code]).toEqual([404, 'NOT_FOUND'])
  })

  it('have no more than their creator, whether a token or a key', async () => {
    const writer = (await tokenFor(service, 'sync:write')).access_token
    const beyond = await create({ name: 'k', permissions: ['sync:write', 'sync:admin'] }, writer)
    expect([beyond.status, beyond.body.error.message]).toEqual([403, expect.stringContaining('sync:admin')])
    const faster = await create({ ...BODY, rate_limit: 5001 })
    expect([faster.status, faster.body.error.message]).toEqual([403, expect.stringContaining('5001')])

    const { key } = (await create({ ...BODY, rate_limit: 50 })).body
    const made = (body: object) => withKey<Key & Problem>(key, '/api-keys', { body })
    expect((await made({ name: 'k', permissions: ['sync:admin'] })).status).toBe(403)
    expect((await made({ name: 'k', permissions: ['sync:read'], rate_limit: 51 })).status).toBe(403)
    const heir = await made({ name: 'k', permissions: ['sync:read'] })
    expect(heir.body.rate_limit).toBe(50)
    const ends = '2998-01-01T00:00:00Z'
    const ending = (await create({ ...BODY, expires_at: ends })).body.key
    const longer = await withKey<Key & Problem>(ending, '/api-keys', { body: BODY })
    expect([longer.status, longer.body.error.message]).toEqual([403, expect.stringContaining(BODY.expires_at)])
    const child = await withKey<Key & Problem>(ending, '/api-keys', { body: { name: 'k', permissions: ['sync:read'] } })
    expect(Date.parse(child.body.expires_at!)).toBe(Date.parse(ends))
    const reader = (await tokenFor(service, 'sync:read')).access_token
    expect((await create(BODY, reader)).status).toBe(403)
  })

  it('are limited as they say', async () => {
    const { key } = (await create({ ...BODY, rate_limit: 3 })).body
    const answers = await Promise.all(Array.from({ length: 6 }, () => withKey(key, '/datasets')))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429, 429])
    expect(answers[0]!.headers.get('x-ratelimit-limit')).toBe('3')
  })

  it('are out of reach for other clients', async () => {
    const { id } = (await create(BODY)).body
    const { key: stranger } = (await create({ name: 'stranger', permissions: ['sync:read', 'sync:write'] })).body
    const listed = await withKey<{ items: Key[] }>(stranger, '/api-keys')
    expect(listed.body.items.map(({ name }) => name)).toEqual(['stranger'])
    expect((await withKey(stranger, `/api-keys/${id}`, { method: 'DELETE' })).status).toBe(404)
  })

  it.each([
    ['an unknown field', '{"name":"k","permissions":["sync:read"],"admin":true}', 'admin'],
    ['__proto__', '{"name":"k","permissions":["sync:read"],"__proto__":{"rate_limit":5}}', '__proto__'],
    ['constructor', '{"name":"k","permissions":["sync:read"],"constructor":{}}', 'constructor'],
    ['an unknown permission', '{"name":"k","permissions":["sync:read","root"]}', 'permissions.1'],
    ['no permission', '{"name":"k","permissions":[]}', 'permissions'],
    ['no name', '{"permissions":["sync:read"]}', 'name'],
    ['a line break in its name', '{"name":"k\\nk","permissions":["sync:read"]}', 'name'],
    ['a NUL in its name', '{"name":"\\u0000","permissions":["sync:read"]}', 'name'],
    ['an escape in its name', '{"name":"\\u001b[31mk","permissions":["sync:read"]}', 'name'],
    ['a C1 control in its name', '{"name":"k\\u009b","permissions":["sync:read"]}', 'name'],
    ['a time that is none', '{"name":"k","permissions":["sync:read"],"expires_at":"tomorrow"}', 'expires_at'],
    ['a limit of 0', '{"name":"k","permissions":["sync:read"],"rate_limit":0}', 'rate_limit'],
    ['a limit in text', '{"name":"k","permissions":["sync:read"],"rate_limit":"9"}', 'rate_limit'],
    ['an array', '[]', 'body'],
  ])('are refused for %s, naming the field', async (_name, body, field) => {
    const answer = await create(body)
    expect([answer.status, answer.body.error?.code]).toEqual([400, 'VALIDATION_ERROR'])
    expect(answer.body.error.details.map(detail => detail.field)).toContain(field)
  })
})

it('leaves no secret in DATA_DIR, in errors or in the log lines', async () => {
  const { client_id, client_secret } = credentialsOf(service)
  const { key, id } = (await create(BODY)).body
  const { access_token, refresh_token } = await tokenFor(service)
  const body = { grant_type: 'refresh_token', refresh_token }
  const { body: second } = await call<{ refresh_token: string }>(service, '/auth/refresh', { as: null, body })
  await call(service, '/auth/refresh', { as: null, body })
  await call(service, '/auth/token', { as: null, body: { grant_type: 'password', client_id, client_secret } })
  await call(service, `/datasets?token=${access_token}`, { as: null })
  await pushBatch(service, 'secrets', [{ id: 'a', data: { n: 1 } }])
  await call(service, `/api-keys/${id}`, { method: 'DELETE' })

  const mac = (token: string) => token.split('.').at(-1)!
  const secrets = [client_secret, key, key.slice(8), mac(refresh_token), mac(second.refresh_token), mac(access_token)]
  const files = readdirSync(service.dataDir, { recursive: true, encoding: 'utf8' })
  expect(files).toEqual(expect.arrayContaining(['log.db', 'read.db', 'credentials.json', 'encryption.key']))
  const open = ['credentials.json', 'encryption.key']
  const kept = files.filter(name => !open.includes(name) && statSync(join(service.dataDir, name)).isFile())
  const encryptionKey = readFileSync(join(service.dataDir, 'encryption.key'), 'utf8')
  let found = 0
  for (const name of kept) {
    const bytes = readFileSync(join(service.dataDir, name))
    // What must be there shows that the search looks at the right bytes.
    if (bytes.includes(id)) found++
    for (const secret of [...secrets, encryptionKey]) expect([name, bytes.includes(secret)]).toEqual([name, false])
  }
  expect(found).toBeGreaterThan(0)
  const output = service.process.output()
  expect(output).toContain('/v1/sync/api-keys')
  for (const secret of [...secrets, encryptionKey]) expect(output.includes(secret)).toBe(false)
})
