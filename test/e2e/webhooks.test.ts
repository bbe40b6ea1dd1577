import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, tokenFor } from '../kit/api.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { secondsNow, signGithub, signStandard } from '../kit/signing.ts'
import { deliver, makeWebhook, type ShownWebhook } from '../kit/webhooks.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const get = (id: string) => call<ShownWebhook & Problem>(service, `/webhooks/${id}`)
const put = (id: string, body: object) =>
  call<ShownWebhook & Problem>(service, `/webhooks/${id}`, { method: 'PUT', body })
const remove = (id: string) => call(service, `/webhooks/${id}`, { method: 'DELETE' })
const signed = (secret: string, body = '{"a":1}') => signStandard(secret, `msg_${Math.random()}`, secondsNow(), body)

const WHOLE = {
  name: 'till',
  dataset: 'sales',
  schema: { type: 'object', required: ['a'] },
  record_id: '/id',
  signature: { scheme: 'standard', secret: SECRET },
  enabled: true,
}

describe('a webhook', () => {
  it('is made, read, listed, changed and deleted, and its secret is never told', async () => {
    const made = await makeWebhook(service, WHOLE)
    const hidden = { ...WHOLE, signature: { scheme: 'standard', secret: '***' } }
    expect(made).toEqual({
      ...{ id: expect.stringMatching(/^wh_[0-9a-z]+$/), ...hidden },
      ...{ url: `/v1/sync/push/webhook/${made.id}`, created_at: expect.stringMatching(/^\d{4}-.*Z$/) },
    })
    expect((await get(made.id)).body).toEqual(made)
    const list = await call<{ items: ShownWebhook[]; next_cursor: string | null }>(service, '/webhooks?limit=1000')
    expect(list.body.items.find(({ id }) => id === made.id)).toEqual(made)
    const changed = await put(made.id, {
      ...WHOLE,
      name: 'other',
      signature: { scheme: 'standard', secret: [OTHER, SECRET] },
    })
    const two = { ...made, name: 'other', signature: { scheme: 'standard', secret: ['***', '***'] } }
    expect([changed.status, changed.body]).toEqual([200, two])
    expect((await get(made.id)).body).toEqual(two)
    expect((await remove(made.id)).status).toBe(204)
    for (const gone of [await get(made.id), await put(made.id, WHOLE), await remove(made.id)]) {
      expect([gone.status, gone.body.error.code]).toEqual([404, 'NOT_FOUND'])
    }
    expect((await deliver(service, made.id, '{"a":1}', signed(SECRET))).status).toBe(404)
  })

  it('of which only what is needed was said takes any object, with a token', async () => {
    const made = await makeWebhook(service, { name: 'plain', dataset: 'plain' })
    const rest = { schema: null, record_id: null, signature: { scheme: 'none' }, enabled: true }
    expect(made).toMatchObject({ name: 'plain', dataset: 'plain', ...rest })
    expect((await deliver(service, made.id, '{}', {}, service.token)).status).toBe(200)
  })

  it('is listed in pages, each once', async () => {
    const made = []
    for (let n = 0; n < 5; n++) made.push((await makeWebhook(service, { name: `page ${n}` })).id)
    const found: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/webhooks?limit=2${cursor && `&cursor=${cursor}`}`
      const page = await call<{ items: ShownWebhook[]; next_cursor: string | null }>(service, path)
      expect(page.body.items.length).toBeLessThanOrEqual(2)
      found.push(...page.body.items.map(({ id }) => id))
      cursor = page.body.next_cursor
    }
    expect(new Set(found).size).toBe(found.length)
    expect(found).toEqual(expect.arrayContaining(made))
  })

  it('is looked at with sync:read, and changed with sync:write', async () => {
    const made = await makeWebhook(service, WHOLE)
    const reader = (await tokenFor(service, 'sync:read')).access_token
    const writer = (await tokenFor(service, 'sync:write')).access_token
    const ask = async (as: string | null, method: string, path: string, body?: object) =>
      (await call(service, path, { as, method, ...(body ? { body } : {}) })).status
    const one = `/webhooks/${made.id}`
    expect([await ask(reader, 'GET', one), await ask(reader, 'GET', '/webhooks')]).toEqual([200, 200])
    expect([await ask(writer, 'GET', one), await ask(writer, 'GET', '/webhooks')]).toEqual([403, 403])
    for (const [method, path] of [
      ['POST', '/webhooks'],
      ['PUT', one],
      ['DELETE', one],
    ] as const) {
      expect([await ask(reader, method, path, WHOLE), await ask(null, method, path, WHOLE)]).toEqual([403, 401])
    }
    expect(await ask(writer, 'PUT', one, WHOLE)).toBe(200)
    expect(await ask(writer, 'DELETE', one)).toBe(204)
  })

  it.each<[string, unknown, string]>([
    ['no body', undefined, 'body'],
    ['no name', { dataset: 'd' }, 'name'],
    ['an empty name', { name: '', dataset: 'd' }, 'name'],
    ['a name of too many bytes', { name: '名'.repeat(100), dataset: 'd' }, 'name'],
    ['a name with a NUL', { name: 'a\0', dataset: 'd' }, 'name'],
    ['no data set', { name: 'n' }, 'dataset'],
    ['a data set of too many bytes', { name: 'n', dataset: '名'.repeat(100) }, 'dataset'],
    ['a data set with a NUL', { name: 'n', dataset: 'a\0' }, 'dataset'],
    ['an unknown field', { name: 'n', dataset: 'd', colour: 'red' }, 'colour'],
    ['an unknown field inside', { name: 'n', dataset: 'd', signature: { scheme: 'none', key: 'k' } }, 'signature.key'],
    [
      'an unknown scheme',
      { name: 'n', dataset: 'd', signature: { scheme: 'shopify', secret: 's' } },
      'signature.scheme',
    ],
    ['a scheme without a secret', { name: 'n', dataset: 'd', signature: { scheme: 'github' } }, 'signature.secret'],
    [
      'a secret without a scheme',
      { name: 'n', dataset: 'd', signature: { scheme: 'none', secret: 's' } },
      'signature.secret',
    ],
    ['an empty secret', { name: 'n', dataset: 'd', signature: { scheme: 'github', secret: '' } }, 'signature.secret'],
    [
      'three secrets',
      { name: 'n', dataset: 'd', signature: { scheme: 'github', secret: ['a', 'b', 'c'] } },
      'signature.secret',
    ],
    ['no secrets', { name: 'n', dataset: 'd', signature: { scheme: 'github', secret: [] } }, 'signature.secret'],
    [
      'a kept secret that never was',
      { name: 'n', dataset: 'd', signature: { scheme: 'github', secret: '***' } },
      'signature.secret',
    ],
    [
      'no base64 after whsec_',
      { name: 'n', dataset: 'd', signature: { scheme: 'standard', secret: 'whsec_!' } },
      'signature.secret',
    ],
    ['a pointer without a slash', { name: 'n', dataset: 'd', record_id: 'id' }, 'record_id'],
    ['a pointer with a wrong escape', { name: 'n', dataset: 'd', record_id: '/a~2' }, 'record_id'],
    ['a schema that is none', { name: 'n', dataset: 'd', schema: { type: 'thing' } }, 'schema.type'],
    ['a schema that leads elsewhere', { name: 'n', dataset: 'd', schema: { $ref: 'https://example.com/s' } }, 'schema'],
    ['enabled that is no boolean', { name: 'n', dataset: 'd', enabled: 'yes' }, 'enabled'],
  ])('with %s is refused, and the field is named', async (_, body, field) => {
    const made = await makeWebhook(service, WHOLE)
    const bodies =
      body === undefined ? { body: '', headers: { 'content-type': 'application/json' } } : { body: body as object }
    for (const answer of [
      await call(service, '/webhooks', { method: 'POST', ...bodies }),
      // Where a secret is stored, "***" keeps it.
      ...(JSON.stringify(body)?.includes('***')
        ? []
        : [await call(service, `/webhooks/${made.id}`, { method: 'PUT', ...bodies })]),
    ]) {
      expect([answer.status, answer.body.error.code]).toEqual([400, 'VALIDATION_ERROR'])
      const fields = answer.body.error.details.map(each => each.field)
      if (field !== 'body') expect(fields).toContain(field)
      for (const { message } of answer.body.error.details) expect(message).not.toBe('Invalid input')
    }
    expect((await get(made.id)).body).toEqual(made)
  })

  it('of which there are too many is refused with 409', async () => {
    const limited = await startService({ MAX_WEBHOOKS: '2' })
    for (let n = 0; n < 2; n++) await makeWebhook(limited, {})
    const third = await call(limited, '/webhooks', { body: { name: 'n', dataset: 'd' } })
    expect([third.status, third.body.error.message]).toEqual([409, 'there are 2 webhooks, the limit'])
    await limited.stop()
    removeData(limited)
  })
})

describe('the secrets of a webhook', () => {
  const status = async (id: string, secret: string) => (await deliver(service, id, '{"a":1}', signed(secret))).status
  const statuses = async (id: string) => [await status(id, SECRET), await status(id, OTHER)]

  it('are kept by "***", replaced by others, and two are live while they are rotated', async () => {
    const { id } = await makeWebhook(service, { ...WHOLE, schema: null, record_id: null })
    const secrets = async (secret: string | string[]) => {
      const signature = { scheme: 'standard', secret }
      const { status: answered } = await put(id, { ...WHOLE, schema: null, record_id: null, signature })
      expect(answered).toBe(200)
      return statuses(id)
    }
    expect(await statuses(id)).toEqual([200, 401])
    expect(await secrets('***')).toEqual([200, 401])
    expect(await secrets([SECRET, OTHER])).toEqual([200, 200])
    expect(await secrets(['***', '***'])).toEqual([200, 200])
    expect(await secrets('***')).toEqual([200, 200])
    expect(await secrets([OTHER])).toEqual([401, 200])
    expect(await secrets(SECRET)).toEqual([200, 401])
    const mixed = await put(id, { ...WHOLE, signature: { scheme: 'standard', secret: ['***', OTHER] } })
    expect([mixed.status, mixed.body.error.details[0]!.field]).toEqual([400, 'signature.secret'])
    expect(await statuses(id)).toEqual([200, 401])
  })

  it('are gone when it needs none, and must be given again after that', async () => {
    const { id } = await makeWebhook(service, { ...WHOLE, schema: null, record_id: null })
    expect((await put(id, { name: 'n', dataset: 'd' })).body.signature).toEqual({ scheme: 'none' })
    expect(await statuses(id)).toEqual([401, 401])
    const kept = await put(id, { name: 'n', dataset: 'd', signature: { scheme: 'github', secret: '***' } })
    expect([kept.status, kept.body.error.details[0]!.field]).toEqual([400, 'signature.secret'])
    await put(id, { name: 'n', dataset: 'd', signature: { scheme: 'github', secret: 'again' } })
    expect((await deliver(service, id, '{}', signGithub('again', 'd1', '{}'))).status).toBe(200)
  })

  it('changed by many at once are those of one of them, or that one is told of a conflict', async () => {
    const { id } = await makeWebhook(service, { ...WHOLE, schema: null, record_id: null })
    const bodies = [SECRET, OTHER, '***', SECRET, '***', OTHER].map(secret => ({
      ...{ ...WHOLE, schema: null, record_id: null },
      signature: { scheme: 'standard', secret },
    }))
    const answers = await Promise.all(bodies.map(body => put(id, body)))
    for (const { status } of answers) expect([200, 409]).toContain(status)
    expect(answers.some(answer => answer.status === 200)).toBe(true)
    expect((await statuses(id)).sort()).toEqual([200, 401])
  })
})
