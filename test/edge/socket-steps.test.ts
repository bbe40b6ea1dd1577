import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { changeMaker, type EdgeSockets, edgeSockets } from '../kit/edge-sockets.ts'
import { until } from '../kit/processes.ts'
import { type Listener, listen } from '../kit/sockets.ts'

/** Subscriptions of one socket that stand at different places. Pages of the past come when a test lets them. */
let log: Log
let edge: EdgeSockets
let client: Listener
let make: ReturnType<typeof changeMaker>
let pastReads: number
let heldFrom: number
let letGo: () => void
let released: Promise<void>
beforeEach(async () => {
  const memory = openMemoryLog()
  released = new Promise<void>(resolve => {
    letGo = resolve
  })
  pastReads = 0
  heldFrom = Number.POSITIVE_INFINITY
  log = {
    ...memory,
    async read(stream, after, limits) {
      // Whoever follows waits for more; whoever looks for a place takes one.
      if (limits.waitMs === 0 && limits.maxEvents > 1 && ++pastReads > heldFrom) await released
      return memory.read(stream, after, limits)
    },
  }
  edge = await edgeSockets(log, { MAX_SOCKET_BUFFER_BYTES: '65536' })
  make = changeMaker(log, edge.codec)
  client = await listen(edge.target)
})
afterEach(async () => {
  letGo()
  client.close()
  await edge.stop()
})

const start = () => `${log.id}~`
const only = (dataset: string) => ({ filters: { dataset }, subscription_id: dataset })
const changesOf = (dataset: string, of = client) => of.changes().filter(({ payload }) => payload.table === dataset)
const idsOf = (dataset: string) => changesOf(dataset).map(({ payload }) => payload.record_id as string)

/** Writes changes of records r0, r1, … of a data set, each with so long a text. */
async function write(dataset: string, from: number, count: number, length = 1): Promise<void> {
  const changes = JSON.stringify({ text: { old: null, new: 'x'.repeat(length) } })
  for (let n = from; n < from + count; n++) {
    await log.append([make({ dataset, id: `r${n}`, change: { changes } })])
    await new Promise(resolve => setImmediate(resolve))
  }
}

const ids = (count: number) => Array.from({ length: count }, (_, n) => `r${n}`)

it('what is new comes at once though another subscription is far behind, with the position where that one stands', async () => {
  const other = await listen(edge.target)
  await Promise.all([client.subscribe(only('news')), other.subscribe(only('news'))])
  await write('past', 0, 500)
  heldFrom = pastReads
  expect((await client.subscribe({ ...only('past'), since: start() })).position).toBe(start())
  await write('news', 0, 3)
  await until('the news', () => idsOf('news').length === 3)
  expect(changesOf('news').map(({ position }) => position)).toEqual([start(), start(), start()])
  expect(idsOf('past')).toEqual([])
  client.send('ping')
  expect((await client.next('pong')).position).toBe(start())
  letGo()
  await until('the past', () => idsOf('past').length === 500)
  await write('news', 3, 1)
  await Promise.all([client.untilChange('r3'), other.untilChange('r3')])
  await until('the last', () => idsOf('news').length === 4 && changesOf('news', other).length === 4)
  expect(idsOf('news')).toEqual(ids(4))
  expect(client.texts.at(-1)).toBe(other.texts.at(-1))
  other.close()
})

it('a subscription that joins from further back holds the first one up, which gets nothing twice', async () => {
  await client.subscribe(only('none'))
  // Each stream has more than a page, and the first one of each is read to find where to start.
  const count = 9000
  await log.append(ids(count).map(id => make({ dataset: 'first', id, change: {} })))
  await write('second', 0, 500)
  heldFrom = pastReads + log.streams('sync.changes').length
  await client.subscribe({ ...only('first'), since: start() })
  await until('the first page', () => idsOf('first').length === 1000)
  await client.subscribe({ ...only('second'), since: start() })
  expect(idsOf('first').length).toBe(1000)
  letGo()
  await until('all', () => idsOf('first').length + idsOf('second').length >= count + 500)
  await write('second', 500, 1)
  await client.untilChange('r500')
  await until('the last', () => idsOf('second').length >= 501)
  expect(idsOf('first').toSorted()).toEqual(ids(count).toSorted())
  expect(idsOf('second').toSorted()).toEqual(ids(501).toSorted())
})

it('a subscription that missed something while another is behind says so from where that one stands', async () => {
  await client.subscribe(only('news'))
  // So few that no page is kept: they are read once to find where to start, and held while the live end is near.
  await write('past', 0, 60)
  heldFrom = pastReads + log.streams('sync.changes').length
  await client.subscribe({ ...only('past'), since: start() })
  client.ws.pause()
  await write('news', 0, 400, 100_000)
  client.ws.resume()
  const told = await client.next('resync_required')
  expect(told.subscription_id).toBe('news')
  expect(told.position).toBe(start())
  const had = idsOf('news').length
  expect(had).toBeLessThan(400)
  await client.subscribe({ ...only('news'), since: told.payload.from })
  letGo()
  await until('all', () => idsOf('news').length >= 400 && idsOf('past').length >= 60)
  expect(idsOf('news').toSorted()).toEqual(ids(400).toSorted())
  expect(idsOf('past').toSorted()).toEqual(ids(60).toSorted())
})

it('a client whose past is deleted while it catches up is told so, and sent nothing beyond the gap', async () => {
  await client.subscribe(only('news'))
  for (let n = 0; n < 3000; n++) await log.append([make({ dataset: 'past', id: 'one', change: {} })])
  const { read, forgotten } = log
  const atSecondPage = Promise.withResolvers<void>()
  log.read = async (stream, after, limits) => {
    const isSecond = limits.waitMs === 0 && limits.maxEvents > 1 && after > 0
    if (!isSecond) return read(stream, after, limits)
    atSecondPage.resolve()
    return released.then(() => read(stream, after, limits))
  }
  await client.subscribe({ ...only('past'), since: start() })
  await atSecondPage.promise
  client.send('ping')
  await client.next('pong')
  const told = client.changes().length
  expect(told).toBeGreaterThan(0)
  log.forgotten = topic => (topic === 'sync.changes' ? log.ends(topic) : forgotten(topic))
  letGo()
  const { payload } = await client.next('error')
  expect(payload).toMatchObject({ code: 'GONE', message: expect.stringContaining('no longer kept') })
  client.send('ping')
  await client.next('pong', client.messages.length)
  expect(client.changes()).toHaveLength(told)
})
