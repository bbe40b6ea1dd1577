/** A projector forgets what rows were long enough ago, beside its work. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { schemas } from '../../src/events/index.ts'
import { DomainError } from '../../src/kernel/errors.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { records, recordsProjection } from '../../src/projections/records.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startProjector } from '../../src/workers/projector.ts'
import { until } from '../kit/processes.ts'
import { pushInto } from '../kit/projected.ts'

let log: Log
let store: Store
const started: { stop(): Promise<void> }[] = []
beforeEach(async () => {
  log = openMemoryLog()
  await log.declare(readTopics(), schemas)
  store = openSqliteStore({ file: ':memory:', cacheMb: 4 })
  await store.declare(recordsProjection.tables)
})
afterEach(async () => {
  for (const each of started.splice(0)) await each.stop()
  await store.stop()
  await log.stop()
})

/** Everything that was pushed before is older than 0 ms; nothing is as old as a million days. */
const [AT_ONCE, NEVER] = [0, 86_400_000_000_000]

async function project(ms: number, over: Store = store): Promise<{ reached: Map<string, number> }> {
  const reached = new Map<string, number>()
  const projector = await startProjector({
    ...{ log, store: over, projection: recordsProjection, logger: createLogger('silent') },
    keep: { ms, forget: over.forget },
    ...{ maxEvents: 500, maxBytes: 1_000_000, onHolding: () => undefined },
    onProgress: (stream, through) => void reached.set(stream, through),
  })
  started.push(projector)
  return { reached }
}

async function caughtUp({ reached }: { reached: Map<string, number> }): Promise<void> {
  const ends = await log.ends('sync.records')
  await until('all to be projected', () => [...ends].every(([stream, end]) => (reached.get(stream) ?? -1) >= end))
}

const versions = () => store.page({ table: records.versions, equal: {}, limit: 100_000 })
const push = (count: number, value: number) =>
  pushInto(log, ...Array.from({ length: count }, (_, n) => ({ id: `r${n}`, data: `{"v":${value}}` })))

it('what was followed long enough ago, however much of it, and the floor says so', async () => {
  for (const value of [1, 2, 3]) await push(1500, value)
  await caughtUp(await project(AT_ONCE))
  await until('the versions to be gone', async () => (await versions()).length === 0)
  const floors = await store.floors()
  for (const [stream, end] of await log.ends('sync.records')) {
    if (end < 0) continue
    // Whatever the last event has followed is gone, and from there on all is there.
    expect(floors.get(stream)).toBe(end)
    const asOf = (offset: number) =>
      store.page({ table: records, equal: {}, limit: 10_000, asOf: new Map([[stream, offset]]) })
    await expect(asOf(end - 1)).rejects.toMatchObject({ code: 'GONE' })
    const now = (await store.page({ table: records, equal: {}, limit: 10_000 })).filter(row => row.stream === stream)
    expect(await asOf(end)).toEqual(now)
  }
})

it('nothing that was followed since', async () => {
  for (const value of [1, 2, 3]) await push(50, value)
  let looked = 0
  const counting: Store = {
    ...store,
    async forget(...asked) {
      const forgotten = await store.forget(...asked)
      looked++
      return forgotten
    },
  }
  await caughtUp(await project(NEVER, counting))
  // Twice for each table of each stream, the last time after all was projected.
  const streams = log.streams('sync.records').length
  await until('the projector to have looked', () => looked >= 2 * streams)
  expect(await versions()).toHaveLength(100)
  expect(await store.floors()).toEqual(new Map())
})

it('and goes on with both when forgetting has failed', async () => {
  await push(100, 1)
  await push(100, 2)
  let failures = 0
  const failing: Store = {
    ...store,
    async forget(...asked) {
      if (failures++ === 0) throw new DomainError('UNAVAILABLE', 'the disk is gone for a moment')
      return store.forget(...asked)
    },
  }
  const projector = await project(AT_ONCE, failing)
  await caughtUp(projector)
  await until('the versions to be gone', async () => failures > 1 && (await versions()).length === 0)
  await push(100, 3)
  await caughtUp(projector)
  expect(await store.count({ table: records, equal: { deleted: 0 } })).toBe(100)
})

it('of one stream at a time: whoever commits has the store in between', async () => {
  for (const value of [1, 2]) await push(300, value)
  let [under, most] = [0, 0]
  const streams = new Set<string>()
  const counting: Store = {
    ...store,
    async forget(table, claimed, ...asked) {
      streams.add(claimed.stream)
      most = Math.max(most, ++under)
      await new Promise(resolve => setImmediate(resolve))
      return store.forget(table, claimed, ...asked).finally(() => under--)
    },
  }
  await caughtUp(await project(AT_ONCE, counting))
  await until('the versions to be gone', async () => (await versions()).length === 0)
  expect(streams.size).toBe(log.streams('sync.records').length)
  expect(most).toBe(1)
})
