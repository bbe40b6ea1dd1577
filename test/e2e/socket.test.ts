import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, pushBatch, tokenFor } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Connecting, type Listener, listen, type Message, Refused } from '../kit/sockets.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const open: Listener[] = []
afterEach(() => {
  for (const listener of open.splice(0)) listener.close()
})

async function connected(connecting?: Connecting): Promise<Listener> {
  const listener = await listen(service, connecting)
  open.push(listener)
  return listener
}

async function subscribed(payload: object = {}): Promise<Listener> {
  const listener = await connected()
  await listener.subscribe(payload)
  return listener
}

/** Pushes records; a last one, of its own data set, tells by its message that theirs have all been sent. */
async function push(dataset: string, records: object[], options: object = {}): Promise<void> {
  expect((await pushBatch(service, dataset, records, options)).body.accepted).toBe(records.length)
}

/** What a listener was told of changes, in short: operation and record. */
function told(listener: Listener): string[] {
  return listener.changes().map(({ payload }) => `${payload.operation} ${payload.record_id}`)
}

async function refusal(connecting: Connecting): Promise<{ status: number; error: Problem['error'] }> {
  const error = await listen(service, connecting).then(
    () => undefined,
    error => error,
  )
  expect(error).toBeInstanceOf(Refused)
  expect(error.headers).toMatchObject({ 'x-ratelimit-limit': '0', 'x-ratelimit-remaining': '0' })
  expect(error.headers['x-request-id']).toBe('upgrade-1')
  return { status: error.status, error: (JSON.parse(error.text) as Problem).error }
}

describe('connecting', () => {
  it('takes the token in the query or as a header, and an API key', async () => {
    const body = { name: 'socket', permissions: ['sync:read'] }
    const { key } = (await call<{ key: string }>(service, '/api-keys', { body })).body
    const ways: Connecting[] = [
      { query: `?token=${service.token}` },
      { query: '', headers: { authorization: `Bearer ${service.token}` } },
      { query: '', headers: { 'x-api-key': key } },
    ]
    for (const way of ways) {
      const listener = await connected(way)
      expect((await listener.subscribe()).payload).toMatchObject({ recovered: false })
    }
  })

  it('answers 401 at the upgrade for a bad token, 403 without sync:read, 400 for two credentials', async () => {
    const writer = (await tokenFor(service, 'sync:write')).access_token
    const cases: [connecting: Connecting, status: number, code: string][] = [
      [{ query: '?token=' }, 401, 'UNAUTHORIZED'],
      [{ query: '?token=garbage' }, 401, 'UNAUTHORIZED'],
      [{ query: '', headers: { authorization: 'Basic x' } }, 401, 'UNAUTHORIZED'],
      [{ query: '', headers: { 'x-api-key': 'sk_live_x' } }, 401, 'UNAUTHORIZED'],
      [{ query: '', headers: { authorization: `Bearer ${service.token}x` } }, 401, 'UNAUTHORIZED'],
      [{ query: `?token=${writer}` }, 403, 'FORBIDDEN'],
      [{ headers: { 'x-api-key': 'sk_live_x' } }, 400, 'VALIDATION_ERROR'],
    ]
    for (const [connecting, status, code] of cases) {
      const refused = await refusal({ ...connecting, headers: { ...connecting.headers, 'x-request-id': 'upgrade-1' } })
      expect([refused.status, refused.error.code, refused.error.request_id]).toEqual([status, code, 'upgrade-1'])
    }
  })
})

describe('record_change', () => {
  it('is exactly as documented, for what was created, updated and deleted', async () => {
    const listener = await subscribed({ filters: { dataset: 'customers' } })
    await push('customers', [{ id: 'cust_123', data: { name: 'John', age: 7, same: [1] } }])
    await push('customers', [{ id: 'cust_123', data: { same: [1], name: 'John Doe', mail: null } }])
    await push('customers', [{ id: 'cust_123', op: 'delete' }])
    await until('three changes', () => listener.changes().length === 3)
    const [created, updated, deleted] = listener.changes() as [Message, Message, Message]
    const about = { table: 'customers', record_id: 'cust_123' }
    const name = { old: null, new: 'John' }
    const changes = { name, age: { old: null, new: 7 }, same: { old: null, new: [1] } }
    expect(created.payload).toEqual({ ...about, operation: 'create', changes })
    expect(updated.payload).toEqual({
      ...about,
      operation: 'update',
      changes: { name: { old: 'John', new: 'John Doe' }, mail: { old: null, new: null }, age: { old: 7, new: null } },
    })
    expect(deleted.payload).toEqual({
      ...about,
      operation: 'delete',
      changes: { same: { old: [1], new: null }, name: { old: 'John Doe', new: null }, mail: { old: null, new: null } },
    })
  })

  it('carries values as they were pushed, and no change for another spelling', async () => {
    const listener = await subscribed({ filters: { dataset: 'spelling' } })
    const raw = (data: string) =>
      call(service, '/push/batch', {
        headers: { 'content-type': 'application/json' },
        body: `{"source":"spelling","records":[{"id":"a","data":${data}}]}`,
      })
    await raw('{"big":9007199254740993,"one":1.0,"__proto__":{"x":1}}')
    await raw('{"__proto__":{ "x" : 1 },"one":1,"big":9007199254740993}')
    await raw('{"big":9007199254740992,"one":1,"__proto__":{"x":1}}')
    await until('two changes', () => listener.changes().length === 2)
    const texts = listener.texts.filter(text => text.includes('record_change'))
    expect(texts[0]).toContain('"big":{"old":null,"new":9007199254740993},"one":{"old":null,"new":1.0}')
    expect(texts[0]).toContain('"__proto__":{"old":null,"new":{"x":1}}')
    expect(texts[1]).toContain('"changes":{"big":{"old":9007199254740993,"new":9007199254740992}}')
  })

  it('does not come for a push without changes', async () => {
    const listener = await subscribed({ filters: { dataset: 'same' } })
    await push('same', [{ id: 'a', data: { n: 1 } }])
    await push('same', [
      { id: 'a', data: { n: 1 } },
      { id: 'none', op: 'delete' },
    ])
    await push('same', [{ id: 'a', data: { n: 2 } }], { upsert: false })
    await push('same', [{ id: 'b', data: {} }])
    await listener.untilChange('b')
    expect(told(listener)).toEqual(['create a', 'create b'])
    expect(listener.changes().at(-1)!.payload.changes).toEqual({})
  })

  it('comes in order, once for each version, with the position of its record', async () => {
    const listener = await subscribed({ filters: { dataset: 'versions' } })
    const { body } = await pushBatch(
      service,
      'versions',
      [1, 2, 3].map(n => ({ id: 'a', data: { n } })),
    )
    await until('three changes', () => listener.changes().length === 3)
    expect(listener.changes().map(({ payload }) => payload.changes)).toEqual(
      [1, 2, 3].map(n => ({ n: { old: n === 1 ? null : n - 1, new: n } })),
    )
    const positions = listener.changes().map(({ position }) => position)
    expect(new Set(positions).size).toBe(3)
    const record = await call<{ position: string }>(
      service,
      `/datasets/versions/records/a?min_position=${positions[2]}`,
    )
    expect(record.body.position).toBe(positions[2])
    expect(body.position).toBe(positions[2])
  })

  it('like every message has a position and a time, and comes after its subscribed', async () => {
    const listener = await connected()
    for (let n = 0; n < 20; n++) {
      const pushing = push('early', [{ id: `e${n}`, data: {} }])
      listener.send('subscribe', { channel: 'sync_updates', filters: { dataset: 'early', record_ids: [`e${n}`] } })
      await pushing
    }
    listener.send('ping')
    listener.send('nonsense')
    await listener.next('error')
    await push('early', [{ id: 'e19', data: { last: true } }])
    await until('the last change', () => listener.texts.some(text => text.includes('"last"')))
    expect(listener.messages[0]!.type).toBe('subscribed')
    const ids = listener.messages.filter(({ type }) => type === 'subscribed')
    expect(new Set(ids.map(({ payload }) => payload.subscription_id)).size).toBe(20)
    for (const message of listener.messages) {
      expect(message.position).toMatch(/^[0-9a-f]+~/)
      expect(new Date(message.timestamp).toISOString()).toBe(message.timestamp)
      expect((await call(service, `/datasets?min_position=${message.position}`)).status).toBe(200)
    }
  })
})

describe('subscriptions', () => {
  it('can be many on one socket, and end one by one or with their channel', async () => {
    const listener = await connected()
    const one = await listener.subscribe({ filters: { dataset: 's-one' }, subscription_id: 'mine' })
    expect(one.payload).toMatchObject({ subscription_id: 'mine' })
    const two = await listener.subscribe({ filters: { dataset: 's-two' } })
    expect(two.payload.subscription_id).toMatch(/^sub_/)
    await push('s-one', [{ id: 'a1', data: {} }])
    await push('s-two', [{ id: 'b1', data: {} }])
    await listener.untilChange('b1')

    listener.send('unsubscribe', { channel: 'sync_updates', subscription_id: 'mine' })
    expect((await listener.next('unsubscribed')).payload).toMatchObject({ subscription_id: 'mine' })
    await push('s-one', [{ id: 'a2', data: {} }])
    await push('s-two', [{ id: 'b2', data: {} }])
    await listener.untilChange('b2')

    const from = listener.messages.length
    listener.send('unsubscribe', { channel: 'sync_updates' })
    await listener.next('unsubscribed', from)
    await push('s-two', [{ id: 'b3', data: {} }])
    await listener.subscribe({ filters: { dataset: 's-end' } })
    await push('s-end', [{ id: 'end', data: {} }])
    await listener.untilChange('end')
    expect(told(listener)).toEqual(['create a1', 'create b1', 'create b2', 'create end'])
  })

  it('with the same filter send a change once, until the last of them ends', async () => {
    const listener = await connected()
    const filters = { dataset: 'twins' }
    await listener.subscribe({ filters, subscription_id: 'one' })
    await listener.subscribe({ filters, subscription_id: 'two' })
    await push('twins', [{ id: 'a', data: {} }])
    await listener.untilChange('a')
    listener.send('unsubscribe', { subscription_id: 'one' })
    await listener.next('unsubscribed')
    await push('twins', [{ id: 'b', data: {} }])
    await listener.untilChange('b')
    expect(told(listener)).toEqual(['create a', 'create b'])
  })

  it('refuse an id that is in use, and to end one that is not there', async () => {
    const listener = await subscribed({ subscription_id: 'mine' })
    listener.send('subscribe', { subscription_id: 'mine' })
    expect((await listener.next('error')).payload.code).toBe('CONFLICT')
    const from = listener.messages.length
    listener.send('unsubscribe', { subscription_id: 'other' })
    expect((await listener.next('error', from)).payload.code).toBe('NOT_FOUND')
  })
})
