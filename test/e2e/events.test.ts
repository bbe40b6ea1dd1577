import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, pushBatch, tokenFor } from '../kit/api.ts'
import { openEvents } from '../kit/event-streams.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { listen } from '../kit/sockets.ts'

const LIMIT = 12

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_SOCKETS: String(LIMIT) })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function gauge(name: string): Promise<number> {
  const text = await (await service.get('/metrics')).text()
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)![1])
}

it('sends what a socket is sent, each message in one line with its position as id', async () => {
  const [events, socket] = [await openEvents(service, 'channel=sync_updates&dataset=lines'), await listen(service)]
  await socket.subscribe({ filters: { dataset: 'lines' } })
  expect(events.status).toBe(200)
  expect(events.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
    'x-ratelimit-limit': '0',
  })
  const first = await events.next('subscribed')
  expect(first.message.payload).toMatchObject({ channel: 'sync_updates', recovered: false })
  expect(first.id).toBe(first.message.position)
  expect(events.text).toMatch(/^retry: \d+\n/)
  // Values stand as they were pushed, with line breaks between their parts.
  const body =
    '{"source":"t","records":[{"id":"a","dataset":"lines","data":{"nested":{"x":\r\n [1,\n2.50]},"text":"é \\"position\\":\\"no\\""}}]}'
  await call(service, '/push/batch', { body, headers: { 'content-type': 'application/json' } })
  await pushBatch(service, 'other', [{ id: 'b', data: {} }])
  await pushBatch(service, 'lines', [{ id: 'c', data: { n: 1 } }])
  await Promise.all([events.untilChange('c'), socket.untilChange('c')])
  const changes = events.events.filter(({ message }) => message.type === 'record_change')
  expect(changes.map(({ data }) => JSON.parse(data))).toEqual(socket.changes())
  expect(changes.map(({ id }) => id)).toEqual(socket.changes().map(({ position }) => position))
  expect(changes.map(({ data }) => /[\r\n]/.test(data))).toEqual([false, false])
  expect(changes[0]!.data).toContain('[1, 2.50]')
  events.close()
  socket.close()
})

it('continues after Last-Event-ID, which goes before since', async () => {
  const { body: early } = await pushBatch(service, 'continued', [{ id: 'r0', data: { n: 0 } }])
  for (const id of ['r1', 'r2', 'r3']) await pushBatch(service, 'continued', [{ id, data: { n: 1 } }])
  const since = await openEvents(service, `dataset=continued&since=${early.position}`)
  expect((await since.next('subscribed')).message.payload.recovered).toBe(true)
  await since.untilChange('r3')
  expect(since.changes().map(({ payload }) => payload.record_id)).toEqual(['r1', 'r2', 'r3'])
  const { position } = since.changes()[1]!
  since.close()
  const headers = { 'last-event-id': position }
  const again = await openEvents(service, `dataset=continued&since=${early.position}`, { headers })
  await pushBatch(service, 'continued', [{ id: 'r4', data: { n: 1 } }])
  await again.untilChange('r4')
  expect(again.changes().map(({ payload }) => payload.record_id)).toEqual(['r3', 'r4'])
  again.close()
})

it('every id is a position that nothing is missed from', async () => {
  const { body } = await pushBatch(service, 'ids', [{ id: 'r', data: { n: 0 } }])
  const whole = await openEvents(service, `dataset=ids&since=${body.position}`)
  for (let n = 1; n <= 4; n++) await pushBatch(service, 'ids', [{ id: 'r', data: { n } }])
  await until('four changes', () => whole.changes().length === 4)
  whole.close()
  expect(whole.events.map(({ message }) => message.type)).toEqual(['subscribed', ...Array(4).fill('record_change')])
  for (const [seen, { id }] of whole.events.entries()) {
    const rest = await openEvents(service, 'dataset=ids', { headers: { 'last-event-id': id! } })
    await pushBatch(service, 'ids', [{ id: `end${seen}`, data: {} }])
    await rest.untilChange(`end${seen}`)
    expect(rest.changes().slice(0, 4 - seen), `after ${seen}`).toEqual(whole.changes().slice(seen))
    rest.close()
  }
})

it('takes filters as lists, repeated, and as JSON', async () => {
  const json = encodeURIComponent(JSON.stringify({ operations: ['update'], record_ids: ['a,b'] }))
  const streams = await Promise.all([
    openEvents(service, 'dataset=f&record_ids=a,b&record_ids=c'),
    openEvents(service, 'table=f&operations=create&event_types=record_created,record_deleted&fields=n'),
    openEvents(service, `dataset=f&filters=${json}`),
  ])
  await Promise.all(streams.map(each => each.next('subscribed')))
  for (const n of [1, 2])
    await pushBatch(
      service,
      'f',
      ['a', 'b', 'c', 'd', 'a,b'].map(id => ({ id, data: { n } })),
    )
  await Promise.all([streams[0]!.untilChange('c'), streams[1]!.untilChange('a,b'), streams[2]!.untilChange('a,b')])
  await until('the updates', () => streams[0]!.changes().length >= 6)
  expect(streams.map(each => each.changes().map(({ payload }) => `${payload.operation} ${payload.record_id}`))).toEqual(
    [
      ['create a', 'create b', 'create c', 'update a', 'update b', 'update c'],
      ['create a', 'create b', 'create c', 'create d', 'create a,b'],
      ['update a,b'],
    ],
  )
  for (const each of streams) each.close()
})

it.each([
  ['channel=nothing', 'channel'],
  ['dataset=', 'dataset'],
  ['operations=create,explode', 'operations.1'],
  ['colour=red', 'colour'],
  ['filters=nonsense', 'filters'],
  ['filters={"colour":1}', 'filters.colour'],
  ['filters={"dataset":"a"}&dataset=a', 'dataset'],
  ['dataset=a&dataset=b', 'dataset'],
  ['since=nonsense', 'since'],
  ['since=', 'since'],
])('refuses %s before the stream begins', async (query, field) => {
  const { status, body } = await call(service, `/stream?${encodeURI(query)}`)
  expect([status, body.error.code, body.error.details[0]!.field]).toEqual([400, 'VALIDATION_ERROR', field])
  expect(body.error.request_id).toMatch(/^req_/)
})

it('takes the token in the query, refuses a bad one and one without sync:read', async () => {
  const events = await openEvents(service, `token=${service.token}`, { as: null })
  await events.next('subscribed')
  events.close()
  expect((await call(service, '/stream', { as: null })).status).toBe(401)
  expect((await call(service, '/stream?token=nonsense', { as: null })).status).toBe(401)
  const { access_token } = await tokenFor(service, 'sync:write')
  expect((await call(service, '/stream', { as: access_token })).status).toBe(403)
})

it('answers HEAD with the headers alone', async () => {
  const { status, headers, text } = await call(service, '/stream', { method: 'HEAD' })
  expect([status, headers.get('content-type'), text]).toEqual([200, 'text/event-stream', ''])
  await until('it to be forgotten', async () => (await gauge('sync_sse_connections')) === 0)
})

it('says resync_required to a position of another log, and goes on from where that says', async () => {
  const events = await openEvents(service, 'since=another~log.1')
  const { id, message } = await events.next('resync_required')
  expect(id).toBe(message.payload.from)
  expect(await events.closed).toBe('ended')
  await pushBatch(service, 'elsewhere', [{ id: 'next', data: {} }])
  const again = await openEvents(service, 'dataset=elsewhere&since=another~log.1', {
    headers: { 'last-event-id': id! },
  })
  await again.untilChange('next')
  again.close()
})

it('counts against MAX_SOCKETS together with sockets, and gives the place back', async () => {
  const open = await Promise.all([
    ...Array.from({ length: LIMIT / 2 }, () => listen(service)),
    ...Array.from({ length: LIMIT / 2 }, () => openEvents(service)),
  ])
  const { status, body, headers } = await call(service, '/stream')
  expect([status, body.error.code, headers.get('retry-after')]).toEqual([503, 'UNAVAILABLE', '10'])
  await expect(listen(service)).rejects.toMatchObject({ status: 503 })
  for (const each of open) each.close()
  await until('room again', async () => {
    const answer = await openEvents(service)
    answer.close()
    return answer.status === 200
  })
  await until('all to be forgotten', async () => (await gauge('sync_websocket_subscriptions')) === 0)
})

it('says so and ends within 5 s when the token is revoked', async () => {
  const { access_token } = await tokenFor(service, 'sync:read')
  const [doomed, other] = [await openEvents(service, '', { as: access_token }), await openEvents(service)]
  await Promise.all([doomed.next('subscribed'), other.next('subscribed')])
  const revoked = Date.now()
  await call(service, '/auth/revoke', { as: null, body: { token: access_token } })
  expect(await doomed.closed).toBe('ended')
  expect(Date.now() - revoked).toBeLessThan(5000)
  const last = doomed.events.at(-1)!
  expect(last.message).toMatchObject({ type: 'error', payload: { code: 'UNAUTHORIZED' } })
  // Whoever gets a new token continues after it.
  await pushBatch(service, 'revoked', [{ id: 'a', data: {} }])
  await other.untilChange('a')
  const again = await openEvents(service, 'dataset=revoked', { headers: { 'last-event-id': last.id! } })
  await again.untilChange('a')
  for (const each of [other, again]) each.close()
})
