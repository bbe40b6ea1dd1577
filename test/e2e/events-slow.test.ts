import { afterAll, beforeAll, expect, it } from 'vitest'
import { pushLines } from '../kit/api.ts'
import { openEvents } from '../kit/event-streams.ts'
import { createEventSubscriber } from '../kit/event-subscriber.ts'
import { lasting } from '../kit/faults.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const PUSHES = 10
const RECORDS = 3000
const TEXT = 'x'.repeat(2000)

let service: Service
let first: string
beforeAll(async () => {
  service = await startService({ MAX_SOCKET_BUFFER_BYTES: '65536' })
  first = (await pushLines(service, 'dataset=first', '{"id":"a","data":{}}')).body.position
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function count(name: string): Promise<number> {
  const text = await (await service.get('/metrics')).text()
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)![1])
}

const idsOf = (push: number) => Array.from({ length: RECORDS }, (_, n) => `r${push}-${n}`)
const wanted = Array.from({ length: PUSHES }, (_, push) => idsOf(push)).flat()

async function write(): Promise<string> {
  let position = ''
  for (let push = 0; push < PUSHES; push++) {
    const lines = idsOf(push).map(id => `${JSON.stringify({ id, data: { text: TEXT } })}\n`)
    const { body } = await pushLines(service, 'dataset=slow', lines.join(''))
    expect(body.accepted).toBe(RECORDS)
    position = body.position
  }
  return position
}

it('whoever is slow is told to resync, and connecting again with the last id brings every change once', async () => {
  const [slow, other] = [createEventSubscriber({ dataset: 'slow' }), createEventSubscriber({ dataset: 'slow' })]
  await Promise.all([slow.connect(service), other.connect(service)])
  slow.pause()
  const before = await count('sync_websocket_resyncs_total')
  const position = await write()
  await untilProjected(service, position)
  await until(
    'the slow one to have missed something',
    async () => (await count('sync_websocket_resyncs_total')) > before,
  )
  slow.resume()
  for (const subscriber of [slow, other]) {
    await until('the last change to be told', () => subscriber.told.at(-1)?.id === wanted.at(-1), 60_000)
    expect(subscriber.errors).toEqual([])
    expect(subscriber.told.map(({ id }) => id)).toEqual(wanted)
    await subscriber.disconnect()
  }
  expect(slow.resyncs).toBeGreaterThan(0)
})

it('whoever reads nothing for a while is not told more than it takes, and is not cut off', async () => {
  const events = await openEvents(service, `dataset=slow&since=${first}`)
  await events.next('subscribed')
  events.pause()
  const { length } = events.events
  const memory = service.peakMb()
  for (let n = 0; n < 20; n++) await pushLines(service, 'dataset=other', '{"id":"a","data":{}}')
  expect(events.events.length).toBe(length)
  expect(service.peakMb() - memory).toBeLessThan(100)
  // uWebSockets.js would end it after 10 s.
  await lasting(13_000)
  events.resume()
  let closed = 'open'
  void events.closed.then(how => {
    closed = how
  })
  await until('all to be told', () => events.changes().length === wanted.length, 60_000).catch(error => {
    throw new Error(`${error.message}: ${closed}, told ${events.changes().length}, ${events.text.slice(-300)}`)
  })
  expect(events.changes().map(({ payload }) => payload.record_id)).toEqual(wanted)
  events.close()
})

it('stays open while nothing happens, with a comment now and then', async () => {
  const events = await openEvents(service, 'dataset=quiet')
  await events.next('subscribed')
  await until('a comment', () => /\n\n:\n\n$/.test(events.text), 30_000)
  await pushLines(service, 'dataset=quiet', '{"id":"woken","data":{}}')
  await events.untilChange('woken')
  events.close()
})

it('those that connect and go leave nothing behind', async () => {
  for (let round = 0; round < 10; round++) {
    const open = await Promise.all(
      Array.from({ length: 20 }, (_, n) => openEvents(service, `record_ids=r${round}-${n}&since=${first}`)),
    )
    for (const each of open) each.close()
  }
  await until('all to be forgotten', async () => (await count('sync_sse_connections')) === 0)
  await until('no subscription to be left', async () => (await count('sync_websocket_subscriptions')) === 0)
})

it('ends when the service stops, for those who read and those who do not', async () => {
  const [reader, sleeper] = [await openEvents(service), await openEvents(service, `since=${first}`)]
  await Promise.all([reader.next('subscribed'), sleeper.next('record_change')])
  sleeper.pause()
  // Until what is between the two is full, and the rest waits in the service.
  await lasting(1000)
  const stopping = Date.now()
  const stopped = service.stop()
  expect(await reader.closed).toBe('ended')
  expect(await stopped).toBe(0)
  expect(Date.now() - stopping).toBeLessThan(15_000)
  sleeper.close()
})
