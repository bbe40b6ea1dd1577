import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { type RecordChanged, schemas } from '../../src/events/index.ts'
import { turn } from '../../src/kernel/pause.ts'
import { onPoint } from '../../src/kernel/points.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { recordKey, records, recordsProjection } from '../../src/projections/records.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startProjector } from '../../src/workers/projector.ts'
import { readTopic } from '../kit/events.ts'
import { conflictsIn, pushInto, toldIn } from '../kit/projected.ts'
import { property, type Random, seeded } from '../kit/random.ts'

const TOPIC = 'sync.records'
const CHANGES = 'sync.changes'
const CONFLICTS = 'sync.conflicts'
/** Stands before the names of topics that take what a rebuild tells. */
const REBUILT = 'rebuilt.'

let log: Log
const stores: Store[] = []

beforeEach(openLog)
afterEach(async () => {
  vi.useRealTimers()
  onPoint(() => undefined)
  for (const store of stores.splice(0)) await store.stop()
  await log.stop()
})

async function openLog(): Promise<void> {
  log = openMemoryLog()
  const topics = readTopics()
  const outputs = topics.filter(({ name }) => name === CHANGES || name === CONFLICTS)
  await log.declare([...topics, ...outputs.map(topic => ({ ...topic, name: REBUILT + topic.name }))], schemas)
}

async function openStore(): Promise<Store> {
  const store = openSqliteStore({ file: ':memory:', cacheMb: 4 })
  stores.push(store)
  await store.declare(recordsProjection.tables)
  return store
}

const POLICIES = [null, '"field_merge"', '"source_wins"', '"manual"']

async function pushRandom(random: Random, count: number): Promise<void> {
  const choices = ['{"a":1}', '{"a":2}', '{"a":2.0,"b":"ä"}', '{"n":9007199254740993}']
  await pushInto(
    log,
    ...Array.from({ length: count }, () => ({
      dataset: random.pick(['orders', 'stock']),
      id: random.pick(['1', '2', '3', '4', '5', '6', '7', '8', '9']),
      data: random.pick(choices),
      op: random.chance(0.25) ? ('delete' as const) : ('upsert' as const),
      upsert: random.chance(0.9),
      version: random.chance(0.3) ? random.int(4) : null,
      conflict: { policy: random.pick(POLICIES), resolves: null, resolution: null, write: true },
    })),
  )
}

interface Running {
  /** Resolves when every stream has been projected to its end. */
  caughtUp: Promise<void>
  stop(): Promise<void>
  /** How many events each stream's transactions had. */
  transactions: Map<string, number[]>
}

async function project(store: Store, maxEvents = 5, rebuilds = false): Promise<Running> {
  const ends = await log.ends(TOPIC)
  const behind = new Set(ends.keys())
  const transactions = new Map<string, number[]>([...behind].map(stream => [stream, []]))
  const { promise: caughtUp, resolve } = Promise.withResolvers<void>()
  // A rebuild tells everything from the first event, whatever the live one has told.
  const rebuilding: Log = { ...log, own: async () => -1, append: batches => log.append(batches) }
  const projector = await startProjector({
    log: rebuilds ? rebuilding : log,
    store,
    projection: recordsProjection,
    redirect: topic => (rebuilds ? REBUILT : '') + topic,
    logger: createLogger('silent'),
    maxEvents,
    maxBytes: 1_000_000,
    // Room for a few rows, so that some are remembered and others read. A rebuild reads all of them.
    rememberedBytes: rebuilds ? 0 : 6000,
    onHolding: () => undefined,
    onProgress(stream, through, events) {
      if (events > 0) transactions.get(stream)!.push(events)
      if (through >= ends.get(stream)!) behind.delete(stream)
      if (behind.size === 0) resolve()
    },
  })
  return { caughtUp, transactions, stop: () => projector.stop() }
}

async function projectAll(store: Store, maxEvents?: number, rebuilds = false): Promise<Map<string, number[]>> {
  const running = await project(store, maxEvents, rebuilds)
  await running.caughtUp
  await running.stop()
  return running.transactions
}

/** Projects until the `nth` time that a point is passed, and dies there (true); or to the end, when it is not passed so often. */
async function projectAndDie(store: Store, point: string, nth: number): Promise<boolean> {
  let left = nth
  let stopped: Promise<void> | undefined
  const died = Promise.withResolvers<void>()
  const running = await project(store)
  onPoint(name => {
    if (name !== point || --left !== 0) return
    // Once it is stopping it does nothing more: no retry, no commit, as if the process were gone.
    died.resolve()
    stopped = running.stop()
    throw new Error(`died at ${point}`)
  })
  await Promise.race([died.promise, running.caughtUp])
  await (stopped ?? running.stop())
  onPoint(() => undefined)
  return stopped !== undefined
}

/** Every row of every table, as text. */
async function dump(store: Store): Promise<string[]> {
  const all: string[] = []
  for (const table of recordsProjection.tables) {
    const rows = await store.page({ table, equal: {}, limit: 10_000 })
    all.push(...rows.map(row => `${table.name} ${JSON.stringify(row)}`).sort())
  }
  return all
}

describe('the projector', () => {
  it('begins at once when it was idle, and after a transaction of few events with what has come meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { transactions, stop } = await project(await openStore())
    const push = async (...numbers: number[]) => {
      for (const n of numbers) await pushInto(log, { id: 'a', data: `{"n":${n}}` })
      for (let n = 0; n < 200; n++) await turn()
      return [...transactions.values()].flat()
    }
    await push()
    expect(await push(1)).toEqual([1])
    expect(await push(2, 3, 4)).toEqual([1])
    await vi.advanceTimersByTimeAsync(5)
    expect(await push()).toEqual([1, 3])
    await stop()
  })

  it('projects what was pushed, and tells each change in the partition of its event', async () => {
    await pushInto(
      log,
      { id: 'a', data: '{"n":1}' },
      { id: 'b', data: '{"n":9007199254740993}' },
      { id: 'a', data: '{"n":2}' },
    )
    const store = await openStore()
    await projectAll(store)
    const rows = await store.load(records, [
      ['orders', 'a'],
      ['orders', 'b'],
    ])
    expect(rows.map(({ id, data, version }) => ({ id, data, version }))).toEqual([
      { id: 'a', data: '{"n":2}', version: 2 },
      { id: 'b', data: '{"n":9007199254740993}', version: 1 },
    ])
    expect(await toldIn(log, CHANGES)).toHaveLength(3)
    for (const event of await readTopic(log, CHANGES)) {
      const change = createCodec(log).decode(event.value).data as RecordChanged
      expect(event.key.toString()).toBe(recordKey(change.dataset, change.id))
    }
  })

  it('gives the same rows in transactions of any size, as large as the backlog lets them be', async () => {
    await pushRandom(seeded(1), 200)
    const [one, some, all] = [await openStore(), await openStore(), await openStore()]
    let commits = 0
    const counted: Store = {
      ...one,
      commit(...commit) {
        commits++
        return one.commit(...commit)
      },
    }
    const single = await projectAll(counted, 1)
    expect(commits).toBe([...single.values()].flat().length)
    for (const sizes of single.values()) expect(sizes.every(size => size === 1)).toBe(true)
    await projectAll(some, 7)
    for (const sizes of (await projectAll(all, 1000)).values()) expect(sizes.length).toBeLessThanOrEqual(1)
    expect(await dump(some)).toEqual(await dump(one))
    expect(await dump(all)).toEqual(await dump(one))
  })

  it('makes no transaction larger than it may, though a small push makes a conflict with a large row', async () => {
    const conflict = { policy: null, resolves: null, resolution: null, write: true }
    const large = `{"s":"${'x'.repeat(1_000_000)}"}`
    await pushInto(log, { data: large }, ...Array.from({ length: 40 }, () => ({ data: '{}', version: 0, conflict })))
    const live = log
    let most = 0
    const append: Log['append'] = (batches, options) => {
      most = Math.max(
        most,
        batches.reduce((sum, { bytes }) => sum + bytes.length, 0),
      )
      return live.append(batches, options)
    }
    log = { ...live, append }
    await projectAll(await openStore(), 1000)
    log = live
    expect([...(await conflictsIn(log, CONFLICTS)).values()].map(({ current }) => current === large)).toEqual(
      Array(40).fill(true),
    )
    expect(most).toBeLessThan(18_000_000)
  })

  it('goes on after its checkpoint, and takes nothing twice', async () => {
    await pushInto(log, { id: 'a', data: '{"n":1}' })
    const store = await openStore()
    await projectAll(store)
    await pushInto(log, { id: 'a', data: '{"n":2}' })
    const sizes = await projectAll(store)
    expect([...sizes.values()].flat()).toEqual([1])
    expect((await readTopic(log, CHANGES)).length).toBe(2)
  })

  it('moves its checkpoint over events that change nothing', async () => {
    await pushInto(log, { id: 'a', op: 'delete', data: 'null' }, { id: 'a', op: 'delete', data: 'null' })
    const store = await openStore()
    await projectAll(store)
    expect(await store.checkpoints([recordsProjection.name])).toEqual(
      new Map([...(await log.ends(TOPIC))].filter(([, end]) => end >= 0)),
    )
    expect(await readTopic(log, CHANGES)).toEqual([])
    expect(await dump(store)).toEqual([])
  })

  describe.each(['projector.worked-out', 'projector.changes-appended', 'projector.committed'])('dying at %s', point => {
    it('leaves the rows of a rebuild, and every change and conflict once', async () => {
      let deaths = 0
      await property(5, async random => {
        await openLog()
        await pushRandom(random, 100)
        const store = await openStore()
        for (let life = 0; life < 2; life++) if (await projectAndDie(store, point, 1 + random.int(4))) deaths++
        await projectAll(store)

        const rebuilt = await openStore()
        await projectAll(rebuilt, 1000, true)
        expect(await dump(store)).toEqual(await dump(rebuilt))
        expect(await toldIn(log, CHANGES)).toEqual(await toldIn(log, REBUILT + CHANGES))
        const conflicts = await conflictsIn(log, CONFLICTS)
        expect(conflicts.size).toBeGreaterThan(0)
        expect(conflicts).toEqual(await conflictsIn(log, REBUILT + CONFLICTS))
      })
      expect(deaths).toBeGreaterThan(0)
    })
  })

  it('tries again when commits fail, from the checkpoint that the store has, and tells no change twice for it', async () => {
    await pushInto(log, { id: 'a', data: '{"n":1}' })
    const store = await openStore()
    let failures = 2
    const failing: Store = {
      ...store,
      async commit(changes, checkpoint, before) {
        if (failures-- <= 0) return store.commit(changes, checkpoint, before)
        await before
        throw new Error('the disk is full')
      },
    }
    await projectAll(failing)
    expect((await store.load(records, [['orders', 'a']]))[0]).toMatchObject({ data: '{"n":1}', version: 1 })
    expect(await readTopic(log, CHANGES)).toHaveLength(1)
  })

  it('does nothing again when a commit was made but its answer was lost', async () => {
    await pushInto(log, { id: 'a', data: '{"n":1}' })
    const store = await openStore()
    const committed: number[] = []
    const losing: Store = {
      ...store,
      async commit(changes, checkpoint, before) {
        await store.commit(changes, checkpoint, before)
        committed.push(checkpoint.offset)
        if (committed.length === 1) throw new Error('the answer was lost')
      },
    }
    await projectAll(losing)
    expect(committed).toEqual([0])
    expect(await readTopic(log, CHANGES)).toHaveLength(1)
  })
})
