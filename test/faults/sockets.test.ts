import { afterAll, beforeAll, expect, it } from 'vitest'
import { metric, pushBatch } from '../kit/api.ts'
import { between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { until } from '../kit/processes.ts'
import { head, openRaw } from '../kit/raw.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen } from '../kit/sockets.ts'

const CONNECTS = LONG ? 10_000 : 2000
const WARMED_UP = 1000
const AT_ONCE = 25

let service: Service
let since: string
beforeAll(async () => {
  service = await startService({ MAX_SOCKET_BUFFER_BYTES: '262144' })
  since = (await pushBatch(service, 'before', [{ id: 'a', data: {} }])).body.position
  await pushBatch(
    service,
    'before',
    Array.from({ length: 5000 }, (_, n) => ({ id: `b${n}`, data: { text: 'x'.repeat(200) } })),
  )
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const megabytes = async () => (await metric(service, 'process_resident_memory_bytes')) / 1_000_000

async function nobodyIsLeft(): Promise<void> {
  for (const name of ['sync_websocket_connections', 'sync_websocket_subscriptions'])
    await until(`${name} to be 0`, async () => (await metric(service, name)) === 0)
}

/** Ways of coming and of going away without a word. */
const DROPS: ((n: number) => Promise<void>)[] = [
  async () => (await listen(service)).close(),
  async n => {
    const listener = await listen(service)
    await listener.subscribe({ filters: { dataset: `d${n}` } })
    listener.close()
  },
  async n => {
    const listener = await listen(service)
    listener.send('subscribe', { filters: { dataset: `d${n}` } })
    listener.close()
  },
  async () => {
    const listener = await listen(service)
    await listener.subscribe({ since })
    listener.close()
  },
  async () => (await listen(service, { query: '' })).close(),
  async () => {
    const listener = await listen(service, { query: '' })
    listener.send('auth', { token: service.token })
    listener.close()
  },
  async () => {
    const client = await openRaw(service)
    client.write(head(service, 'GET /ws', { Upgrade: 'websocket', Connection: 'Upgrade' }))
    client.reset()
  },
]

it(`${CONNECTS} clients that connect and drop leave nothing behind`, async () => {
  const random = randomFor('connect and drop')
  const drop = async (times: number) => {
    for (let done = 0; done < times; done += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => DROPS[between(random, 0, DROPS.length - 1)]!(n)))
    await nobodyIsLeft()
  }
  await drop(WARMED_UP)
  const before = await megabytes()
  await drop(CONNECTS - WARMED_UP)
  const grown = (await megabytes()) - before
  console.log(`connect and drop: ${before.toFixed()} MB after ${WARMED_UP}, ${grown.toFixed(1)} more after ${CONNECTS}`)
  // The heap of a service that has just started grows by some 60 MB whatever it does; the long run shows a small leak.
  expect(grown).toBeLessThan(120)
  const listener = await listen(service)
  await listener.subscribe({ filters: { dataset: 'after' } })
  await pushBatch(service, 'after', [{ id: 'a', data: {} }])
  await listener.untilChange('a')
  listener.close()
})

it('clients that never read cost their buffers, and are gone in the end', async () => {
  const clients = await Promise.all(Array.from({ length: 40 }, () => listen(service)))
  for (const client of clients) await client.subscribe({ filters: { dataset: 'unread' } })
  for (const { ws } of clients) ws.pause()
  const reader = await listen(service)
  await reader.subscribe({ filters: { dataset: 'unread', record_ids: ['last'] } })
  const before = await megabytes()
  const text = 'x'.repeat(100_000)
  for (let n = 0; n < 30; n++)
    await pushBatch(
      service,
      'unread',
      Array.from({ length: 10 }, (_, m) => ({ id: `r${n}-${m}`, data: { text } })),
    )
  await pushBatch(service, 'unread', [{ id: 'last', data: {} }])
  await reader.untilChange('last')
  const grown = (await megabytes()) - before
  console.log(`never reading: ${grown.toFixed(1)} MB more`)
  // 30 MB for each of the 40 went by, of which 256 KB and what is being written may wait.
  expect(grown).toBeLessThan(250)
  if (LONG) await goneInTheEnd(clients)
  for (const client of [...clients, reader]) client.close()
  await nobodyIsLeft()
})

/** Half of them are closed for what they send, and do not read that either; the others do not answer pings. */
async function goneInTheEnd(clients: readonly Listener[]): Promise<void> {
  const open = () => metric(service, 'sync_websocket_connections')
  const half = clients.slice(0, clients.length / 2)
  for (const { ws } of half) ws.send('x'.repeat(100_000))
  const left = clients.length - half.length + 1
  await until('those that are closed to be cut off', async () => (await open()) === left, 40_000)
  await lasting(90_000)
  await until('the others to be gone', async () => (await open()) === 1, 60_000)
}
