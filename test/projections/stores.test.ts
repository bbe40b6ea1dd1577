/** The read models in real stores: a rebuild gives the same rows, whatever the pages and whichever the store. */
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { type Events, schemas, topicOf } from '../../src/events/index.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { conflictsProjection } from '../../src/projections/conflicts.ts'
import type { AnyProjection } from '../../src/projections/index.ts'
import { jobsProjection } from '../../src/projections/jobs.ts'
import { recordsProjection } from '../../src/projections/records.ts'
import { rejectionsProjection } from '../../src/projections/rejections.ts'
import { settingsProjection } from '../../src/projections/settings.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startProjector } from '../../src/workers/projector.ts'
import type { Sourced } from '../kit/fold.ts'
import { randomConflicts } from '../kit/made-conflicts.ts'
import { randomJobEvents, randomRejections, randomSettings } from '../kit/made-events.ts'
import { createDatabase } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { property, type Random } from '../kit/random.ts'
import { randomEvents } from '../kit/record-events.ts'

const randomRecords = (random: Random, count: number): Sourced[] =>
  randomEvents(random, count).map(({ event, source }) => ({ type: 'RecordPushed', event, source }))

const CASES: [AnyProjection, (random: Random, count: number) => Sourced[]][] = [
  [recordsProjection as AnyProjection, randomRecords],
  [conflictsProjection as AnyProjection, randomConflicts],
  [jobsProjection as AnyProjection, randomJobEvents],
  [rejectionsProjection as AnyProjection, randomRejections],
  [settingsProjection as AnyProjection, randomSettings],
]
const postgres = inject('postgres')

let log: Log
beforeEach(async () => {
  log = openMemoryLog()
  await log.declare(readTopics(), schemas)
})
afterEach(() => log.stop())

async function append(events: readonly Sourced[]): Promise<void> {
  const codec = createCodec(log)
  for (const { type, event, source } of events) {
    const name = type as keyof Events
    await log.append([codec.batch(topicOf[name], name, source.key, event as Events[typeof name])])
  }
}

/** Projects the whole log into a store that is fresh, and gives back all rows as text, in the order of their keys. */
async function rebuild(projection: AnyProjection, store: Store, maxEvents: number): Promise<string[]> {
  await store.declare(projection.tables)
  const ends = new Map((await Promise.all(projection.topics.map(topic => log.ends(topic)))).flatMap(all => [...all]))
  const reached = new Map<string, number>()
  const projector = await startProjector({
    ...{ log, store, projection, logger: createLogger('warn'), maxEvents, maxBytes: 1_000_000 },
    onHolding: () => undefined,
    onProgress: (stream, through) => void reached.set(stream, through),
  })
  await until('all to be projected', () => [...ends].every(([stream, end]) => (reached.get(stream) ?? -1) >= end))
  await projector.stop()
  const rows: string[] = []
  for (const table of projection.tables) {
    const all = await store.page({ table, equal: {}, limit: 10_000 })
    const columns = Object.keys(table.columns)
    const texts = all.map(row => JSON.stringify([table.name, ...columns.map(column => row[column])]))
    rows.push(...texts.sort())
    for (const row of all) {
      const key = table.key.map(column => row[column]!)
      expect(await store.load(table, [key])).toEqual([row])
    }
  }
  await store.stop()
  return rows
}

const sqlite = () => openSqliteStore({ file: ':memory:', cacheMb: 4 })

describe.each(CASES)('$name', (projection, make) => {
  it('is the same in SQLite, in pages of one event and of all', () =>
    property(3, async random => {
      await append(make(random, 120))
      const rows = await rebuild(projection, sqlite(), 1)
      expect(rows.length).toBeGreaterThan(3)
      expect(await rebuild(projection, sqlite(), 10_000)).toEqual(rows)
      expect(await rebuild(projection, sqlite(), 1 + random.int(30))).toEqual(rows)
    }))

  it.skipIf(!postgres)('is the same in PostgreSQL as in SQLite', () =>
    property(2, async random => {
      await append(make(random, 120))
      const database = await createDatabase(postgres!)
      const rows = await rebuild(projection, sqlite(), 1000)
      const store = openPostgresStore({ url: database.url })
      expect(await rebuild(projection, store, 1 + random.int(30))).toEqual(rows)
      await database.drop()
    }),
  )
})
