import { App, us_listen_socket_close, us_socket_local_port } from 'uWebSockets.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { readConfig } from '../../src/config.ts'
import { createLimits } from '../../src/edge/limits.ts'
import type { Services } from '../../src/edge/services.ts'
import { gatherer } from '../../src/edge/socket/catch-up.ts'
import { createHub } from '../../src/edge/socket/hub.ts'
import { createLive } from '../../src/edge/socket/live.ts'
import { serveSockets } from '../../src/edge/socket/sockets.ts'
import { createTurns } from '../../src/edge/socket/turns.ts'
import { type RecordChanged, type RunCheckpointed, schemas } from '../../src/events/index.ts'
import { partitionOf } from '../../src/kernel/hash.ts'
import { encodePosition } from '../../src/kernel/position.ts'
import { type Codec, createCodec } from '../../src/log/codec.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { recordKey } from '../../src/projections/records.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { until } from '../kit/processes.ts'
import { listen } from '../kit/sockets.ts'
import { createSubscriber } from '../kit/subscriber.ts'

let log: Log
let codec: Codec
let services: Services
let url: string
let stop: () => Promise<void>
beforeEach(async () => {
  log = openMemoryLog()
  await log.declare(readTopics(), schemas)
  codec = createCodec(log)
  const parts = {
    ...{ log, codec, logger: createLogger('silent'), metrics: createMetrics(), limits: createLimits() },
    config: readConfig({ MAX_SOCKET_BUFFER_BYTES: '65536' }),
    access: { view: { revokedTokens: new Set(), revokedFamilies: new Set(), deletedClients: new Set() } },
    tokens: { verify: () => ({ clientId: 'cli_1', scopes: ['sync:read'], expiresAt: Number.POSITIVE_INFINITY }) },
    health: { stopping: false },
    progress: { reached: new Map(), wait: async () => undefined },
  } as unknown as Services
  services = { ...parts, live: createLive(parts) }
  const app = App()
  const sockets = serveSockets(app, services)
  const listening = await new Promise<Parameters<typeof us_listen_socket_close>[0]>(resolve =>
    app.listen('127.0.0.1', 0, socket => resolve(socket as never)),
  )
  url = `http://127.0.0.1:${us_socket_local_port(listening)}/v1/sync`
  stop = async () => {
    await sockets.stop()
    us_listen_socket_close(listening)
    await log.stop()
  }
})
afterEach(() => stop())

const offsets = new Map<string, number>()
/** A change of a record, with a text as its only field. */
async function change(id: string, text: string): Promise<void> {
  const key = recordKey('slow', id)
  const streams = log.streams('sync.records')
  const { name } = streams[partitionOf(Buffer.from(key), streams.length)]!
  const offset = (offsets.get(name) ?? -1) + 1
  offsets.set(name, offset)
  const event: RecordChanged = {
    ...{
      dataset: 'slow',
      id,
      operation: 'create',
      version: 1,
      changes: JSON.stringify({ text: { old: null, new: text } }),
    },
    ...{
      source_stream: name,
      source_offset: offset,
      source: 'till',
      changed_at: Date.now(),
      job_id: null,
      told_more: false,
    },
  }
  await log.append([codec.batch('sync.changes', 'RecordChanged', key, event)])
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
  await subscriber.connect({ url, token: 'any' } as never)
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
      services,
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
  const client = await listen({ url, token: 'any' } as never)
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
  const client = await listen({ url, token: 'any' } as never)
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
