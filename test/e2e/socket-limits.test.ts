import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { metric } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen } from '../kit/sockets.ts'

let service: Service
/** Another one, where nothing but its buffer stops who sends and does not read. */
let free: Service
beforeAll(async () => {
  const unlimited = { RATE_LIMIT_WS: '0', MAX_SOCKET_BUFFER_BYTES: '65536' }
  ;[service, free] = await Promise.all([startService(), startService(unlimited)])
})
afterAll(async () => {
  for (const each of [service, free]) {
    await each?.stop()
    removeData(each)
  }
})

const subscriptions = (of: Service) => metric(of, 'sync_websocket_subscriptions')
const megabytes = async (of: Service) => (await metric(of, 'process_resident_memory_bytes')) / 1_000_000

const count = ({ messages }: Listener, type: string) => messages.filter(each => each.type === type).length

/** Sends subscribes, each with a filter of its own, some at a time. */
async function subscribeOften(listener: Listener, times: number, more: readonly string[]): Promise<void> {
  for (let n = 0; n < times; n++) {
    listener.send('subscribe', { subscription_id: `s${n}`, filters: { record_ids: [`r${n}`, ...more] } })
    if (n % 100 === 99) await new Promise(resolve => setImmediate(resolve))
  }
}

describe('10,000 subscriptions on one socket', () => {
  it('are 32, and errors, up to the limit of messages', async () => {
    const listener = await listen(service)
    await subscribeOften(listener, 10_000, [])
    expect(await listener.closed).toEqual({ code: 4429, reason: 'more than 1000 messages in a minute' })
    expect([count(listener, 'subscribed'), count(listener, 'error'), listener.messages.length]).toEqual([32, 968, 1000])
    await until('its subscriptions to end', async () => (await subscriptions(service)) === 0)
  })

  it('are 32, and take no memory, where messages have no limit', async () => {
    const large = Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(500, 'x'))
    const listener = await listen(free)
    await subscribeOften(listener, 2000, large)
    await until('their answers', () => listener.messages.length === 2000, 30_000)
    const before = await megabytes(free)
    await subscribeOften(listener, 10_000, large)
    await until('their answers', () => listener.messages.length === 12_000, 60_000)
    // Their filters are 200 MB.
    expect((await megabytes(free)) - before).toBeLessThan(120)
    expect(count(listener, 'subscribed')).toBe(32)
    const last = listener.messages.at(-1)!
    expect(last.payload).toMatchObject({ code: 'CONFLICT', message: 'more than 32 subscriptions' })
    expect(await subscriptions(free)).toBe(32)
    // There is room for others when some have ended.
    listener.send('unsubscribe', { subscription_id: 's7' })
    await listener.next('unsubscribed')
    await listener.subscribe({ subscription_id: 's7' })
    listener.close()
    await until('its subscriptions to end', async () => (await subscriptions(free)) === 0)
  })
})

it('closes with 4408 who asks on and on and reads no answers', async () => {
  const listener = await listen(free)
  await listener.subscribe()
  listener.ws.pause()
  const filters = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`f${n}`, 1]))
  // More than the systems between the two take.
  await until('it to be let go', async () => {
    for (let n = 0; n < 1000; n++) listener.send('subscribe', { filters })
    return (await subscriptions(free)) === 0
  })
  listener.ws.resume()
  expect(await listener.closed).toEqual({ code: 4408, reason: 'answers are not read' })
})
