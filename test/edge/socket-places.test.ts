import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { partitionOf } from '../../src/kernel/hash.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { EventBatch, Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { recordKey } from '../../src/projections/records.ts'
import { changeMaker, type EdgeSockets, edgeSockets, type Given } from '../kit/edge-sockets.ts'
import { until } from '../kit/processes.ts'
import { property, type Random } from '../kit/random.ts'
import { type Listener, listen, type Message } from '../kit/sockets.ts'

const DATASETS = ['orders', 'stock', 'people']

const logs: Record<string, () => { log: Log; remove(): void }> = {
  'the memory log, which has many streams': () => ({ log: openMemoryLog(), remove: () => undefined }),
  'the embedded log, which has one': () => {
    const dir = mkdtempSync(join(tmpdir(), 'sync-places-'))
    return {
      log: openEmbeddedLog({ file: join(dir, 'log.db'), synchronous: 'OFF' }),
      remove: () => rmSync(dir, { recursive: true, force: true }),
    }
  },
}

/** What a message is about; that of each change and each news is another. */
const nameOf = ({ type, payload }: Message) => `${type} ${payload.table} ${payload.record_id}`
const isOfRecord = ({ type }: Message) => type === 'record_change' || type.startsWith('conflict_')

let open: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** An edge over a log, and everything that is written to it. */
async function begin(kind: string) {
  const { log, remove } = logs[kind]!()
  const edge = await edgeSockets(log)
  open = [remove, edge.stop]
  const make = changeMaker(log, edge.codec)
  /** The names of all messages there are by data set and record, in order. */
  const written: string[] = []
  let records = 0

  function some(random: Random): EventBatch[] {
    return Array.from({ length: 1 + random.int(8) }, () => {
      const about = { dataset: random.pick(DATASETS), id: `r${records++}` }
      const kind = random.int(4)
      const given: Given = { ...about, ...(kind < 3 ? { change: {} } : {}), ...(kind > 1 ? { news: {} } : {}) }
      if (given.change) written.push(`record_change ${about.dataset} ${about.id}`)
      if (given.news) written.push(`conflict_detected ${about.dataset} ${about.id}`)
      return make(given)
    })
  }
  return { log, edge, written, write: async (random: Random) => void (await log.append(some(random))) }
}

/** Subscribes with all of it in one packet, as a client does that comes back. */
async function subscribeAll(edge: EdgeSockets, payloads: object[]): Promise<Listener> {
  const listener = await listen(edge.target)
  open.push(listener.close)
  const { _socket } = listener.ws as WebSocket & { _socket: { cork(): void; uncork(): void } }
  _socket.cork()
  for (const payload of payloads) listener.send('subscribe', payload)
  _socket.uncork()
  return listener
}

describe.each(Object.keys(logs))('a client that keeps the position of its last message, on %s', kind => {
  it('gets each message once and in order, wherever it was cut off', () =>
    property(6, async random => {
      const { log, edge, written, write } = await begin(kind)
      for (let n = 0; n < 20; n++) await write(random)
      const payloads = random.chance(0.5) ? [{}] : DATASETS.map(dataset => ({ filters: { dataset } }))
      const got: Message[] = []
      let position = `${log.id}~`
      for (let rounds = 30; got.length < written.length || rounds > 0; rounds--) {
        const wanted = random.int(12)
        const listener = await subscribeAll(
          edge,
          payloads.map(payload => ({ ...payload, since: position })),
        )
        const answered = () => listener.messages.filter(({ type }) => type === 'subscribed').length === payloads.length
        await until('to be subscribed', answered)
        if (rounds > 0 && random.chance(0.7)) await write(random)
        const ofRecords = () => listener.messages.filter(isOfRecord)
        const missing = written.length - got.length
        await until('messages', () => ofRecords().length >= Math.min(wanted, missing))
        // What comes after the cut is lost on the way.
        const taken = ofRecords().slice(0, wanted)
        listener.close()
        got.push(...taken)
        position = taken.at(-1)?.position ?? position
      }
      for (const dataset of DATASETS) {
        const told = got.filter(({ payload }) => payload.table === dataset)
        const streams = Map.groupBy(told, ({ payload }) => streamOf(log, payload))
        const wanted = Map.groupBy(
          written.filter(name => name.split(' ')[1] === dataset),
          name => streamOf(log, { table: dataset, record_id: name.split(' ')[2] }),
        )
        for (const [stream, names] of wanted) expect(streams.get(stream)?.map(nameOf)).toEqual(names)
      }
      expect(got.map(nameOf).toSorted()).toEqual(written.toSorted())
      expect(new Set(got.map(({ position }) => position)).size).toBe(got.length)
      for (const close of open.splice(0).reverse()) await close()
    }))

  it('misses nothing when a subscription that goes further back joins one that is live', () =>
    property(6, async random => {
      const { log, edge, written, write } = await begin(kind)
      for (let n = 0; n < 200; n++) await write(random)
      const [live, late, other] = DATASETS
      const client = await subscribeAll(edge, [{ filters: { dataset: live } }])
      await client.next('subscribed')
      const before = written.length
      await write(random)
      client.send('subscribe', { subscription_id: late, filters: { dataset: late }, since: `${log.id}~` })
      if (random.chance(0.5)) client.send('subscribe', { filters: { dataset: other }, since: `${log.id}~` })
      for (let n = 0; n < 10; n++) await write(random)
      await until('something', () => client.messages.filter(isOfRecord).length > 20)
      // Cut off anywhere after it was answered.
      const answered = client.messages.findLastIndex(({ payload }) => payload.subscription_id === late)
      const taken = client.messages.slice(0, answered + 1 + random.int(1000))
      client.close()
      const again = await subscribeAll(
        edge,
        [live, late].map(dataset => ({ filters: { dataset }, since: taken.at(-1)!.position })),
      )
      const all = () => new Set([...taken, ...again.messages].filter(isOfRecord).map(nameOf))
      const of = (names: string[], dataset: string) => names.filter(name => name.split(' ')[1] === dataset)
      const wanted = [...of(written.slice(before), live!), ...of(written, late!)]
      await until('all of it', () => wanted.every(name => all().has(name)))
      for (const close of open.splice(0).reverse()) await close()
    }))
})

function streamOf(log: Log, { table, record_id }: Record<string, unknown>): string {
  const key = Buffer.from(recordKey(table as string, record_id as string))
  const streams = log.streams('sync.records')
  return streams[partitionOf(key, streams.length)]!.name
}
