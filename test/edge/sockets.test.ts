import { afterEach, beforeEach, expect, it } from 'vitest'
import { gatherer } from '../../src/edge/socket/catch-up.ts'
import { createHub } from '../../src/edge/socket/hub.ts'
import { createTurns } from '../../src/edge/socket/turns.ts'
import type { RunCheckpointed } from '../../src/events/index.ts'
import { encodePosition } from '../../src/kernel/position.ts'
import type { Codec } from '../../src/log/codec.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { changeMaker, type EdgeSockets, edgeSockets } from '../kit/edge-sockets.ts'
import { until } from '../kit/processes.ts'
import { listen } from '../kit/sockets.ts'
import { createSubscriber } from '../kit/subscriber.ts'

let log: Log
let codec: Codec
let edge: EdgeSockets
let make: ReturnType<typeof changeMaker>
beforeEach(async () => {
  log = openMemoryLog()
  edge = await edgeSockets(log, { MAX_SOCKET_BUFFER_BYTES: '65536' })
  codec = edge.codec
  make = changeMaker(log, codec)
})
afterEach(() => edge.stop())

/** A change of a record, with a text as its only field. */
async function change(id: string, text: string): Promise<void> {
  const changes = JSON.stringify({ text: { old: null, new: text } })
  await log.append([make({ dataset: 'slow', id, change: { changes } })])
}

/** News of a job. */
async function news(processed: number): Promise<void> {
  const event: RunCheckpointed = {
    ...{
      job_id: 'job_1',
      run_id: 'run_1',
      number: processed,
      after: null,
      taken: 0,
      state: '{}',
      processed,
      rejected: 0,
      total: null,
      at: Date.now(),
    },
  }
  await log.append([codec.batch('sync.jobs', 'RunCheckpointed', 'job/job_1', event)])
}

it('a client that could not be sent news of a job misses none of the changes behind it', async () => {
  const subscriber = createSubscriber()
  await subscriber.connect(edge.target as never)
  subscriber.pause()
  const text = 'x'.repeat(10_000)
  const wanted: string[] = []
  for (let n = 0; n < 1500; n++) {
    wanted.push(`r${n}`)
    await news(n)
    // The news is published first, and both before either is written out.
    for (let ticks = 0; ticks < 50; ticks++) await undefined
    await change(`r${n}`, text)
    await new Promise(resolve => setImmediate(resolve))
  }
  subscriber.resume()
  await until('all changes to be told', () => subscriber.told.length >= wanted.length, 10_000)
  expect(subscriber.resyncs).toBeGreaterThan(0)
  expect(subscriber.told.map(({ id }) => id).sort()).toEqual(wanted.sort())
  await subscriber.disconnect()
})

it.each([
  ['small changes', 1, 200, 32],
  ['small changes, to a socket with five topics', 5, 200, 6],
  ['changes that are written at once', 1, 20_000, 1],
])(
  '%s: so many are published before the sockets are written out that none is in the middle',
  async (_, topics, length, most) => {
    const turns = createTurns()
    turns.listens(topics)
    const inTurns = [0]
    const next = () => turns.next().then(() => inTurns.push(0))
    const hub = createHub(
      edge.services,
      { ...turns, next: async () => void (await next()) },
      () => void inTurns[inTurns.length - 1]!++,
    )
    hub.join({})
    await hub.start()
    await Promise.all(Array.from({ length: 100 }, (_, n) => change(`r${n}`, 'x'.repeat(length))))
    await until('all to be published', () => inTurns.reduce((sum, n) => sum + n) === 100)
    expect(Math.max(...inTurns)).toBe(most)
    await hub.stop()
  },
)

it('whoever catches up leaves the event loop to others after each page', async () => {
  await Promise.all(Array.from({ length: 20_000 }, (_, n) => change(`r${n}`, 'x')))
  const client = await listen(edge.target)
  const first = encodePosition(log.place(log.streams('sync.records')[0]!, 0))
  for (let n = 0; n < 4; n++) await client.subscribe({ since: first, filters: { dataset: 'none' } })
  await client.subscribe({ since: first })
  let turns = 0
  const turn = () => {
    turns++
    if (client.changes().length < 19_999) setImmediate(turn)
  }
  turn()
  await until('all to be told', () => client.changes().length >= 19_999)
  expect(turns).toBeGreaterThan(20)
  client.close()
})

it('what gathers for whoever joins is let go when it is too much', () => {
  const gathered = gatherer(4_194_304)
  const text = 'x'.repeat(1_000_000)
  for (let n = 0; n < 4; n++) gathered.add(text)
  expect([gathered.texts.length, gathered.overflown]).toEqual([4, false])
  for (let n = 0; n < 4; n++) gathered.add(text)
  expect([gathered.texts.length, gathered.overflown]).toEqual([0, true])
})

it('whoever joins and does not read is told all the same, however much comes meanwhile', async () => {
  const text = 'x'.repeat(200_000)
  for (let n = 0; n < 40; n++) await change(`past${n}`, text)
  const client = await listen(edge.target)
  client.ws.pause()
  client.send('subscribe', { since: encodePosition(log.place(log.streams('sync.records')[0]!, -1)) })
  for (let n = 0; n < 400; n++) {
    await change(`r${n}`, text)
    await new Promise(resolve => setImmediate(resolve))
  }
  client.ws.resume()
  await until('all to be told', () => new Set(client.changes().map(({ payload }) => payload.record_id)).size === 440)
  client.close()
})
