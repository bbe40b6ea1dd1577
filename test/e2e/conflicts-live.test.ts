import { afterAll, beforeAll, expect, it } from 'vitest'
import { conflictsAt, pushOne, recordAt, resolve, setPolicy } from '../kit/conflicts.ts'
import { openEvents } from '../kit/event-streams.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { listen, type Message } from '../kit/sockets.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const brief = ({ type, payload }: Message) => ({ type, ...payload })
const news = ({ type }: Message) => type.startsWith('conflict_') || type === 'record_change'

/** Stale pushes under three policies, and what somebody decides: all that a subscriber is told, in order. */
it('conflicts are told live in their order, and again from any position among them', async () => {
  const filters = { dataset: 'live' }
  const client = await listen(service)
  const { position: start } = await client.subscribe({ filters })
  await setPolicy(service, 'live', 'manual')
  await pushOne(service, 'live', '{"id":"r","data":{"a":1,"big":12345678901234567890}}')
  await pushOne(service, 'live', { id: 'r', data: { a: 2 } })
  const stale = (a: number) => ({ id: 'r', data: { a }, metadata: { version: 1 } })
  const found = await pushOne(service, 'live', stale(3))
  const [open] = await conflictsAt(service, 'live', found)
  expect(open).toMatchObject({ status: 'open', position: found })
  const { body: decided } = await resolve(service, open!.id, { resolution: 'accept_incoming' })
  expect((await recordAt(service, 'live', 'r', decided.position))?.data).toEqual({ a: 3 })
  await setPolicy(service, 'live', 'source_wins')
  const won = await pushOne(service, 'live', stale(4))
  const second = (await conflictsAt(service, 'live', won)).find(({ id }) => id !== open!.id)!
  await setPolicy(service, 'live', 'keep_current')
  const lost = await pushOne(service, 'live', stale(5))
  const third = (await conflictsAt(service, 'live', lost)).find(({ id }) => ![open!.id, second.id].includes(id))!
  await pushOne(service, 'live', { id: 'last', data: {} })
  await client.untilChange('last')

  const told = client.messages.filter(news)
  const change = (operation: string, changes: object) => ({
    ...{ type: 'record_change', operation, table: 'live', record_id: 'r', changes: expect.objectContaining(changes) },
  })
  const about = (id: string) => ({ conflict_id: id, record_id: 'r', table: 'live' })
  const detected = (id: string, resolution_required: boolean) => ({
    ...{ type: 'conflict_detected', ...about(id), conflict_type: 'version', resolution_required },
  })
  expect(told.map(brief)).toEqual([
    change('create', { a: { old: null, new: 1 } }),
    change('update', { a: { old: 1, new: 2 } }),
    detected(open!.id, true),
    change('update', { a: { old: 2, new: 3 } }),
    { type: 'conflict_resolved', ...about(open!.id), resolution: 'accept_incoming' },
    change('update', { a: { old: 3, new: 4 } }),
    detected(second.id, false),
    detected(third.id, false),
    expect.objectContaining({ record_id: 'last' }),
  ])
  expect(new Set(told.map(({ position }) => position)).size).toBe(told.length)

  const texts = client.texts.filter(text => news(JSON.parse(text)))
  for (const [n, since] of [start, ...told.map(({ position }) => position)].entries()) {
    const again = await listen(service)
    await again.subscribe({ filters, since })
    await until('the rest', () => again.messages.filter(news).length === told.length - n)
    // The same text, and so the same place, for each of them.
    expect(again.texts.filter(text => news(JSON.parse(text)))).toEqual(texts.slice(n))
    again.close()
  }

  const events = await openEvents(
    service,
    `dataset=live&event_types=conflict_detected,conflict_resolved&since=${start}`,
  )
  const onStream = () => events.events.map(({ message }) => message).filter(news)
  await until('the conflicts', () => onStream().length === 4)
  expect(onStream().map(({ payload }) => payload.conflict_id)).toEqual(
    [open!, open!, second, third].map(({ id }) => id),
  )
  events.close()
  client.close()
})
