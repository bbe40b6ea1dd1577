import { gzipSync } from 'node:zlib'
import { Webhook as Standard } from 'standardwebhooks'
import { Webhook as Svix } from 'svix'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, readRecords, tokenFor } from '../kit/api.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { secondsNow, signGithub, signSlack, signStandard, signStripe } from '../kit/signing.ts'
import { type Delivered, deliver, makeWebhook, rejectedOf } from '../kit/webhooks.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

let made = 0
/** A webhook for a data set of its own. */
async function fresh(more: object = {}): Promise<{ id: string; dataset: string }> {
  const dataset = `hooks-${made++}`
  const { id } = await makeWebhook(service, { dataset, ...more })
  return { id, dataset }
}
const standard = (secret = SECRET) => ({ signature: { scheme: 'standard', secret } })
const expectProblem = (answer: Answer<Delivered>, status: number, code: string) =>
  expect([answer.status, answer.body.error?.code]).toEqual([status, code])

describe('a delivery signed by', () => {
  const SCHEMES: [
    string,
    string,
    (body: string) => Record<string, string>,
    (body: string) => Record<string, string>,
  ][] = [
    [
      ...(['standardwebhooks', 'standard'] as const),
      body => {
        const time = new Date()
        const signature = new Standard(SECRET).sign('msg_1', time, body)
        return {
          'webhook-id': 'msg_1',
          'webhook-timestamp': `${Math.floor(+time / 1000)}`,
          'webhook-signature': signature,
        }
      },
      body => signStandard(SECRET, 'msg_1', secondsNow() - 400, body),
    ],
    [
      ...(['svix', 'standard'] as const),
      body => {
        const time = new Date()
        const signature = new Svix(SECRET).sign('msg_1', time, body)
        return { 'svix-id': 'msg_1', 'svix-timestamp': `${Math.floor(+time / 1000)}`, 'svix-signature': signature }
      },
      body => signStandard(SECRET, 'msg_1', secondsNow() + 400, body),
    ],
    ['GitHub', 'github', body => signGithub(SECRET, 'd-1', body), body => signGithub('x', 'd-1', body)],
    [
      'Stripe',
      'stripe',
      body => signStripe(SECRET, secondsNow(), body),
      body => signStripe(SECRET, secondsNow() - 400, body),
    ],
    [
      'Slack',
      'slack',
      body => signSlack(SECRET, secondsNow(), body),
      body => signSlack(SECRET, secondsNow() - 400, body),
    ],
  ]
  it.each(SCHEMES)('%s is taken without a token, altered or stale it is not', async (_, scheme, sign, stale) => {
    const { id, dataset } = await fresh({ signature: { scheme, secret: SECRET }, record_id: '/id' })
    const body = '{"id":"evt_1","event_id":"Ev1","n":9007199254740993, "text":"ä 😀"}'
    for (const wrong of [
      await deliver(service, id, body, {}),
      await deliver(service, id, body, {}, service.token),
      await deliver(service, id, body, stale(body)),
      await deliver(service, id, body.replace('3,', '4,'), sign(body)),
    ]) {
      expectProblem(wrong, 401, 'UNAUTHORIZED')
      expect(wrong.headers.get('www-authenticate')).toBeTruthy()
    }
    const taken = await deliver(service, id, body, sign(body))
    expect([taken.status, taken.body]).toEqual([
      200,
      { received: true, webhook_id: id, event_id: expect.stringMatching(/^evt_/), position: expect.any(String) },
    ])
    const records = await call<{ items: object[] }>(
      service,
      `/datasets/${dataset}/records?min_position=${taken.body.position}`,
    )
    expect(records.text).toContain('"n":9007199254740993')
    expect(records.body.items).toMatchObject([{ id: 'evt_1', data: { event_id: 'Ev1', text: 'ä 😀' }, version: 1 }])
    expect(taken.headers.get('x-ratelimit-limit')).not.toBeNull()
  })
})

describe('a delivery to an unsigned webhook', () => {
  it('needs a credential with sync:write', async () => {
    const { id } = await fresh()
    const reader = (await tokenFor(service, 'sync:read')).access_token
    expectProblem(await deliver(service, id, '{}'), 401, 'UNAUTHORIZED')
    expectProblem(await deliver(service, id, '{}', {}, 'wrong'), 401, 'UNAUTHORIZED')
    expectProblem(await deliver(service, id, '{}', {}, reader), 403, 'FORBIDDEN')
    expect((await deliver(service, id, '{}', {}, service.token)).status).toBe(200)
    const { body } = await call<{ key: string }>(service, '/api-keys', {
      body: { name: 'k', permissions: ['sync:write'] },
    })
    expect((await deliver(service, id, '{}', { 'x-api-key': body.key })).status).toBe(200)
  })

  it('that is signed all the same is not taken for it', async () => {
    const { id } = await fresh()
    expectProblem(await deliver(service, id, '{}', signStandard(SECRET, 'm', secondsNow(), '{}')), 401, 'UNAUTHORIZED')
  })
})

it('a webhook that is disabled is answered as one that never was', async () => {
  const { id } = await fresh({ ...standard(), enabled: false })
  const unknown = `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`
  const plain = (answer: Answer<Delivered>, own: string) => {
    const { request_id, ...error } = answer.body.error!
    const names = [...answer.headers.keys()].sort()
    return [answer.status, names, JSON.stringify(error).replaceAll(own, 'ID')]
  }
  const headers = signStandard(SECRET, 'm', secondsNow(), '{}')
  for (const [more, as] of [
    [headers, null],
    [{}, null],
    [{}, service.token],
    [{ 'content-type': 'text/plain' }, null],
  ] as const) {
    const disabled = await deliver(service, id, '{}', more, as)
    expectProblem(disabled, 404, 'NOT_FOUND')
    expect(plain(disabled, id)).toEqual(plain(await deliver(service, unknown, '{}', more, as), unknown))
  }
  const enabled = { name: 'tests', dataset: 'hooks', signature: { scheme: 'standard', secret: '***' }, enabled: true }
  await call(service, `/webhooks/${id}`, { method: 'PUT', body: enabled })
  expect((await deliver(service, id, '{}', headers)).status).toBe(200)
})

describe('the id of the record', () => {
  const sent = async (webhook: object, body: string, headers: (body: string) => Record<string, string>) => {
    const { id, dataset } = await fresh(webhook)
    const answer = await deliver(service, id, body, headers(body))
    expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
    const [record] = await readRecords(service, dataset, answer.body.position)
    return [record!.id, answer.body.event_id]
  }
  const sign = (body: string) => signStandard(SECRET, 'msg_7', secondsNow(), body)

  it.each([
    ['/id', '{"id":"a/b ä"}', 'a/b ä'],
    ['/data/object/id', '{"data":{"object":{"id":12345678901234567890}}}', '12345678901234567890'],
    ['/items/1/id', '{"items":[{"id":"x"},{"id":"y"}]}', 'y'],
  ])('is what the pointer %s leads to', async (record_id, body, id) => {
    expect((await sent({ ...standard(), record_id }, body, sign))[0]).toBe(id)
  })

  it('is else what the provider calls the delivery, else the event’s', async () => {
    const scheme = (name: string) => ({ signature: { scheme: name, secret: SECRET } })
    const stripe = (body: string) => signStripe(SECRET, secondsNow(), body)
    const slack = (body: string) => signSlack(SECRET, secondsNow(), body)
    expect((await sent(standard(), '{"id":1}', sign))[0]).toBe('msg_7')
    expect((await sent(scheme('github'), '{"id":1}', body => signGithub(SECRET, 'guid-1', body)))[0]).toBe('guid-1')
    expect((await sent(scheme('stripe'), '{"id":"evt_9"}', stripe))[0]).toBe('evt_9')
    expect((await sent(scheme('slack'), '{"event_id":"Ev9"}', slack))[0]).toBe('Ev9')
    for (const [name, headers] of [
      ['stripe', stripe],
      ['slack', slack],
    ] as const) {
      const [id, event] = await sent(scheme(name), '{"other":"x"}', headers)
      expect(id).toBe(event)
    }
    const [id, event] = await sent(scheme('github'), '{}', body => ({
      ...signGithub(SECRET, 'x', body),
      'x-github-delivery': '',
    }))
    expect(id).toBe(event)
  })

  it.each([['{}'], ['{"id":null}'], ['{"id":1.5}'], ['{"id":{}}'], ['{"id":""}'], ['{"id":"a\\u0000"}']])(
    '%s has none',
    async body => {
      const { id, dataset } = await fresh({ ...standard(), record_id: '/id' })
      const answer = await deliver(service, id, body, sign(body))
      expectProblem(answer, 400, 'VALIDATION_ERROR')
      expect(answer.body.error!.details[0]!.field).toMatch(/id$/)
      expect(await rejectedOf(service, `dataset=${dataset}`)).toMatchObject([{ stage: 'parse', original: body }])
    },
  )
})

describe('a body', () => {
  const take = async (body: string | Buffer, headers: Record<string, string> = {}) => {
    const hook = await fresh(standard())
    const answer = await deliver(service, hook.id, body, {
      ...signStandard(SECRET, 'm', secondsNow(), body),
      ...headers,
    })
    return { ...hook, answer }
  }

  it.each<[string, Buffer, string]>([
    ['that is no JSON', Buffer.from('{"a":1'), 'INVALID_JSON'],
    ['that is empty', Buffer.alloc(0), 'INVALID_JSON'],
    ['with more behind it', Buffer.from('{} {}'), 'INVALID_JSON'],
    ['that is a form', Buffer.from('payload=%7B%7D'), 'INVALID_JSON'],
    ['nested too deep', Buffer.from(`{"a":${'['.repeat(200)}${']'.repeat(200)}}`), 'INVALID_JSON'],
    ['that is an array', Buffer.from('[{"a":1}]'), 'INVALID_FIELD'],
    ['that is a text', Buffer.from('"a"'), 'INVALID_FIELD'],
    ['that is nothing', Buffer.from('null'), 'INVALID_FIELD'],
    ['that is no UTF-8', Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), 'INVALID_UTF8'],
    ['with a mark before it', Buffer.from('\ufeff{}'), 'INVALID_JSON'],
  ])('%s is refused, and kept to the byte', async (_, body, code) => {
    const { id, dataset, answer } = await take(body)
    expectProblem(answer, 400, 'VALIDATION_ERROR')
    const [row, ...more] = await rejectedOf(service, `dataset=${dataset}`)
    expect(more).toEqual([])
    expect(row).toMatchObject({ source: 'tests', stage: 'parse', code, status: 'open', webhook_id: id })
    expect(Buffer.from(row!.original, row!.original_encoding).equals(body)).toBe(true)
  })

  it('too large is 413, of another type 415, and neither is kept', async () => {
    const large = await take(`{"a":"${'x'.repeat(2 * 1024 * 1024)}"}`)
    expectProblem(large.answer, 413, 'PAYLOAD_TOO_LARGE')
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) {
      const other = await take('{}', { 'content-type': type })
      expectProblem(other.answer, 415, 'UNSUPPORTED_MEDIA_TYPE')
      expect(await rejectedOf(service, `dataset=${other.dataset}`)).toEqual([])
    }
    expect(await rejectedOf(service, `dataset=${large.dataset}`)).toEqual([])
    expect((await take('{}', { 'content-type': 'Application/JSON; charset=utf-8' })).answer.status).toBe(200)
  })

  it('is kept as it is: every digit, the order of its names, what JavaScript would merge', async () => {
    const body =
      '{ "z":1.0,"a":0.10,"__proto__":{"x":1},"big":123456789012345678901234567890,"e":1e400,"a":"\\ud83d\\ude00" }'
    const { dataset, answer } = await take(body)
    expect(answer.status).toBe(200)
    const { text } = await call(service, `/datasets/${dataset}/records?min_position=${answer.body.position}`)
    expect(text).toContain(body.trim())
  })

  it('may be zipped: the signature is that of what was in it', async () => {
    const hook = await fresh(standard())
    const body = '{"a":1}'
    const headers = { ...signStandard(SECRET, 'm', secondsNow(), body), 'content-encoding': 'gzip' }
    expect((await deliver(service, hook.id, gzipSync(body), headers)).status).toBe(200)
    expectProblem(await deliver(service, hook.id, gzipSync('{"a":2}'), headers), 401, 'UNAUTHORIZED')
  })
})
