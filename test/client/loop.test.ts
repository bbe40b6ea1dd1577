import { afterEach, beforeEach, expect, it } from 'vitest'
import { connect, type Message, type Status } from '../../client/src/index.ts'
import { type FakeService, startFakeService } from '../kit/fake-service.ts'

const RETRY = { first: 10, most: 50 }

let service: FakeService
beforeEach(async () => {
  service = await startFakeService()
})
afterEach(() => service.stop())

it('keeps a bounded number of messages that nobody takes, and continues when half of them are taken', async () => {
  const statuses: Status[] = []
  const client = connect({ url: service.url, token: 't', retry: RETRY })
  const subscription = client.subscribe({ maxQueued: 10, onStatus: status => void statuses.push(status) })
  const first = await service.visit(0)
  await first.subscribed('p0')
  for (let n = 1; n <= 30; n++) first.change(`p${n}`)
  await first.closed
  expect(statuses.at(-1)).toEqual({ state: 'paused' })
  const got: Message[] = []
  const take = async () => got.push((await subscription.next()).value)
  for (let n = 0; n < 4; n++) await take()
  expect(subscription.position).toBe('p4')
  expect(service.visits.length).toBe(1)
  await take()
  const second = await service.visit(1)
  expect(await second.heard('subscribe')).toMatchObject({ since: 'p10' })
  await second.subscribed('p10', true)
  second.change('p11')
  while (got.length < 11) await take()
  expect(got.map(({ position }) => position)).toEqual(Array.from({ length: 11 }, (_, n) => `p${n + 1}`))
  client.close()
})

it('leaving the loop closes the connection', async () => {
  const subscription = connect({ url: service.url, token: 't' }).subscribe()
  const visit = await service.visit(0)
  await visit.subscribed('p0')
  visit.change('p1')
  for await (const message of subscription) {
    expect(message.position).toBe('p1')
    break
  }
  await visit.closed
  expect(await subscription.next()).toEqual({ done: true, value: undefined })
})

it('close ends every loop of the client, and nothing is tried any more', async () => {
  const client = connect({ url: service.url, token: 't', retry: RETRY })
  const loops = [client.subscribe(), client.subscribe()].map(async subscription => {
    for await (const _ of subscription) throw new Error('nothing was sent')
  })
  await service.visit(1)
  client.close()
  await Promise.all(loops)
  await Promise.all(service.visits.map(({ closed }) => closed))
  expect(service.visits.length).toBe(2)
})

it('a client that is closed subscribes no more', async () => {
  const client = connect({ url: service.url, token: 't', retry: RETRY })
  client.close()
  expect(() => client.subscribe()).toThrow(expect.objectContaining({ name: 'SyncError', code: 'CLOSED' }))
  // One that is open connects, and nobody came before it.
  const open = connect({ url: service.url, token: 'open', retry: RETRY })
  open.subscribe()
  expect((await service.visit(0)).token).toBe('open')
  open.close()
})

it('a socket that cannot be made is an error of the loop', async () => {
  class Forbidden {
    constructor() {
      throw new Error('an insecure WebSocket from a secure page')
    }
    send = () => undefined
    close = () => undefined
  }
  const subscription = connect({ url: service.url, token: 't', webSocket: Forbidden }).subscribe()
  await expect(subscription.next()).rejects.toThrow('an insecure WebSocket from a secure page')
})
