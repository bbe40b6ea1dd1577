import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { pushBatch } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen } from '../kit/sockets.ts'

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

async function connected(): Promise<Listener> {
  const listener = await listen(service)
  open.push(listener)
  return listener
}

async function subscribed(payload: object = {}): Promise<Listener> {
  const listener = await connected()
  await listener.subscribe(payload)
  return listener
}

async function push(dataset: string, records: object[]): Promise<void> {
  expect((await pushBatch(service, dataset, records)).body.accepted).toBe(records.length)
}

/** What a listener was told of changes, in short: operation and record. */
function told(listener: Listener): string[] {
  return listener.changes().map(({ payload }) => `${payload.operation} ${payload.record_id}`)
}

describe('filters', () => {
  it('are dataset, table, record_ids, operations, fields and event_types; keys by AND, lists by OR', async () => {
    const filters: Record<string, object> = {
      dataset: { dataset: 'f-one' },
      table: { table: 'f-two' },
      record_ids: { dataset: 'f-one', record_ids: ['b', 'c'] },
      operations: { dataset: 'f-one', operations: ['delete', 'update'] },
      fields: { dataset: 'f-one', fields: ['x', 'y'] },
      event_types: { dataset: 'f-one', event_types: ['record_created', 'conflict_detected'] },
      both: { dataset: 'f-one', operations: ['update'], fields: ['z'], record_ids: ['a'] },
      none: { dataset: 'f-one', table: 'f-two' },
    }
    const listeners = Object.fromEntries(
      await Promise.all(
        Object.entries(filters).map(async ([name, each]) => [name, await subscribed({ filters: each })]),
      ),
    ) as Record<string, Listener>
    const all = await subscribed()
    await push('f-one', [
      { id: 'a', data: { x: 1, z: 1 } },
      { id: 'b', data: { z: 1 } },
      { id: 'a', data: { x: 1, z: 2 } },
      { id: 'a', data: { x: 2, z: 2 } },
      { id: 'b', op: 'delete' },
    ])
    await push('f-two', [{ id: 'a', data: { y: 1 } }])
    await all.untilChange('a')
    await until('all changes', () => all.changes().length === 6)
    // Whoever is told of this one has been told of all before it.
    const end = { dataset: 'f-end' }
    for (const listener of Object.values(listeners)) await listener.subscribe({ filters: end })
    await push('f-end', [{ id: 'end', data: {} }])
    const expected: Record<string, string[]> = {
      dataset: ['create a', 'create b', 'update a', 'update a', 'delete b'],
      table: ['create a'],
      record_ids: ['create b', 'delete b'],
      operations: ['update a', 'update a', 'delete b'],
      fields: ['create a', 'update a'],
      event_types: ['create a', 'create b'],
      both: ['update a'],
      none: [],
    }
    for (const [name, listener] of Object.entries(listeners)) {
      await listener.untilChange('end')
      expect([name, told(listener)]).toEqual([name, [...expected[name]!, 'create end']])
    }
  })

  it.each([
    ['an unknown filter', { filters: { colour: 'red' } }, 'colour'],
    ['__proto__', JSON.parse('{"filters":{"__proto__":{"dataset":"x"}}}'), '__proto__'],
    ['an unknown channel', { channel: 'sync_everything' }, 'sync_everything'],
    ['an unknown operation', { filters: { operations: ['merge'] } }, 'operations'],
    ['an unknown event type', { filters: { event_types: ['record_seen'] } }, 'event_types'],
    ['an empty list', { filters: { record_ids: [] } }, 'record_ids'],
    ['a list that is none', { filters: { fields: 'name' } }, 'fields'],
    ['an unknown field', { sinse: 'x' }, 'sinse'],
    ['a since that is no position', { since: 'yesterday' }, 'since'],
  ])('answer an error for %s, naming it', async (_name, payload, named) => {
    const listener = await connected()
    listener.send('subscribe', { channel: 'sync_updates', ...payload })
    const error = await listener.next('error')
    expect(error.payload.code).toBe('VALIDATION_ERROR')
    expect(JSON.stringify(error.payload)).toContain(named)
    expect(listener.messages).toHaveLength(1)
    await listener.subscribe()
  })

  it('answer an error for a since whose stream is not in this log', async () => {
    const { position } = (await pushBatch(service, 'streams', [{ id: 'a', data: {} }])).body
    const listener = await connected()
    listener.send('subscribe', { since: `${position}~sync.nonsense-0.5`, filters: { dataset: 'streams' } })
    const { payload } = await listener.next('error')
    expect(payload).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'payload.since' }] })
    expect(payload.message).toContain('sync.nonsense-0')
  })
})

it('a message that cannot be read is answered with an error, and the socket goes on', async () => {
  const listener = await connected()
  const wrong = [
    'not json',
    '',
    '[]',
    '7',
    '{"payload":{}}',
    '{"type":7}',
    '{"type":"merge"}',
    '{"type":"subscribe","payload":[]}',
  ]
  for (const [n, text] of wrong.entries()) {
    listener.ws.send(text)
    await until(`an answer to ${text}`, () => listener.messages.length > n)
    expect([text, listener.messages[n]]).toMatchObject([text, { type: 'error', payload: { code: 'VALIDATION_ERROR' } }])
  }
  listener.send('ping')
  await listener.next('pong')
})
