import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { schemas } from '../../src/events/index.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { recordsProjection } from '../../src/projections/records.ts'
import type { Hold } from '../../src/store/generations.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startProjector } from '../../src/workers/projector.ts'
import { rebuildProjection } from '../../src/workers/rebuild.ts'
import { until } from '../kit/processes.ts'
import { pushInto } from '../kit/projected.ts'

const logger = createLogger('silent')
const PAGE = { maxEvents: 500, maxBytes: 1_000_000 }

let dir: string
let log: Log
let store: Store
let projector: { stop(): Promise<void> }
const reached = new Map<string, number>()
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sync-rebuild-'))
  reached.clear()
  log = openMemoryLog()
  await log.declare(readTopics(), schemas)
  store = openSqliteStore({ file: join(dir, 'read.db'), cacheMb: 4 })
  await store.declare(recordsProjection.tables)
  await store.generations.adopt([recordsProjection])
  projector = await startProjector({
    ...{ log, store, projection: recordsProjection, logger, ...PAGE, onHolding: () => undefined },
    onProgress: (stream, through) => void reached.set(stream, through),
  })
})
afterEach(async () => {
  await projector.stop()
  await store.stop()
  await log.stop()
  rmSync(dir, { recursive: true })
})

async function push(count: number, value: number): Promise<void> {
  await pushInto(log, ...Array.from({ length: count }, (_, n) => ({ id: `r${n}`, data: `{"v":${value}}` })))
  const ends = await log.ends('sync.records')
  await until('all to be projected', () => [...ends].every(([stream, end]) => (reached.get(stream) ?? -1) >= end))
}

it('compares rows of one moment, also when the store has taken the hold back before there was a snapshot', async () => {
  await push(200, 1)
  const { generations } = store
  let held: Hold
  let snapshots = 0
  const over: Store = {
    ...store,
    generations: {
      ...generations,
      async hold(...asked) {
        held = await generations.hold(...asked)
        return held
      },
      async snapshot() {
        if (++snapshots === 1) {
          await held.release()
          await push(200, 2)
        }
        return generations.snapshot()
      },
    },
  }
  const asked = { log, store: over, projection: recordsProjection, logger, ...PAGE, atOnce: 100 }
  const told = { rebuild: 'reb_1', onProgress: () => undefined }
  const rebuilt = await rebuildProjection({ ...asked, ...told }, new AbortController().signal)
  expect(snapshots).toBe(2)
  expect(rebuilt).toMatchObject({ differing: 0, gone: 0 })
  expect(rebuilt.tables[0]).toMatchObject({ table: 'records', rows: 200 })
})
