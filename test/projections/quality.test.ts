/** What the projection counts for the score, in real stores: now and as of any moment it is what a count of the rows gives. */
import { describe, expect, inject, it } from 'vitest'
import { addRecord, createQuality, type QualityState } from '../../src/domain/quality-state.ts'
import { profileText } from '../../src/domain/quality-texts.ts'
import type { RecordPushed } from '../../src/events/index.ts'
import type { Source } from '../../src/kernel/projection.ts'
import { datasetQuality, MOST_QUALITY_CHANGES } from '../../src/projections/quality.ts'
import { qualityHistory } from '../../src/projections/quality-history.ts'
import { qualityStateOf, scoreOf } from '../../src/projections/quality-reads.ts'
import { recordKey, records, recordsProjection } from '../../src/projections/records.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Moment, Store, TableChange } from '../../src/store/store.ts'
import { workingSet } from '../../src/workers/working-set.ts'
import { createDatabase } from '../kit/postgres.ts'
import { cut, property, type Random } from '../kit/random.ts'

interface Sourced {
  readonly event: RecordPushed
  readonly source: Source
}

const STREAMS = ['sync.records-0', 'sync.records-1']
const NAMES = ['city', 'size', 'code']
const VALUES = ['"Rome"', '"OSLO"', '" Bern"', 'null', '3', '3.5', '"2001-02-03"', 'true', '[1]', '""']

/** Pushes to records of two data sets, in two streams, each a row of a few values; some remove. */
function pushes(random: Random, count: number, ids: number): Sourced[] {
  const offsets = new Map(STREAMS.map(stream => [stream, -1]))
  let time = 1_750_000_000_000
  return Array.from({ length: count }, (_, line) => {
    const n = random.int(ids)
    const stream = STREAMS[n % 2]!
    offsets.set(stream, offsets.get(stream)! + 1 + random.int(2))
    if (random.chance(0.3)) time += random.int(100)
    const [dataset, id] = [random.chance(0.9) ? 'orders' : 'tills', `r:${n}ä`]
    const members = NAMES.filter(() => random.chance(0.8)).map(name => `"${name}":${random.pick(VALUES)}`)
    const event: RecordPushed = {
      ...{ dataset, id, op: random.chance(0.15) ? 'delete' : 'upsert', data: `{${members.join(',')}}` },
      ...{ version: null, updated_at: random.chance(0.2) ? new Date(time - random.int(9e8)).toISOString() : null },
      ...{
        upsert: true,
        source: 's',
        actor: 'a',
        request_id: 'r',
        line,
        received_at: time,
        job_id: null,
        origin: null,
        keeps_rules: null,
        conflict: null,
      },
    }
    return { event, source: { stream, offset: offsets.get(stream)!, key: recordKey(dataset, id) } }
  })
}

/** Projects into a store as a projector does, each stream's events in batches, some of which fail before they are written. */
async function fill(store: Store, events: readonly Sourced[], random: Random, longest: number): Promise<void> {
  await store.declare(recordsProjection.tables)
  for (const stream of STREAMS) {
    const { epoch } = await store.claim('records', stream)
    const own = events.filter(({ source }) => source.stream === stream)
    for (const batch of cut(own, longest, random)) {
      const failing = random.chance(0.3) ? await workOut(store, batch) : []
      const failed = JSON.stringify(failing)
      const changes = await workOut(store, batch)
      if (failing.length > 0) expect(JSON.stringify(changes)).toBe(failed)
      const checkpoint = { projection: 'records', stream, epoch, offset: batch.at(-1)!.source.offset }
      await store.commit(changes, checkpoint)
      // What has been worked out stays as it is, whatever is counted afterwards.
      if (failing.length > 0) expect(JSON.stringify(failing)).toBe(failed)
    }
  }
}

async function workOut(store: Store, batch: readonly Sourced[]): Promise<TableChange[]> {
  const working = workingSet(recordsProjection.tables)
  for (const { source } of batch) recordsProjection.wants(source, working.want)
  await working.load(store, Number.POSITIVE_INFINITY)
  for (const { event, source } of batch) {
    recordsProjection.evolve(working, event, source, 'RecordPushed', () => undefined)
  }
  return working.changes()
}

async function rowsOf(store: Store): Promise<string[]> {
  const texts: string[] = []
  for (const table of [datasetQuality, datasetQuality.versions]) {
    const rows = await store.page({ table, equal: {}, limit: 10_000 })
    const columns = Object.keys(table.columns)
    texts.push(...rows.map(row => JSON.stringify([table.name, ...columns.map(column => row[column])])).sort())
  }
  return texts
}

/** The state as a count of the records gives it. */
async function counted(store: Store, dataset: string, asOf?: Moment): Promise<QualityState> {
  const state = createQuality()
  const rows = await store.page({ table: records, equal: { dataset, deleted: 0 }, limit: 10_000, asOf })
  for (const { data, verdict } of rows) addRecord(state, data as string, verdict as number)
  return state
}

function momentIn(random: Random, events: readonly Sourced[]): Moment {
  const ends = new Map(events.map(({ source }) => [source.stream, source.offset]))
  return new Map([...ends].map(([stream, end]) => [stream, random.int(end + 2) - 1]))
}

const postgres = inject('postgres')
const sqlite = async () => ({ store: openSqliteStore({ file: ':memory:', cacheMb: 8 }), drop: async () => undefined })
const stores = { SQLite: sqlite, ...(postgres && { PostgreSQL: inPostgres }) }

async function inPostgres() {
  const database = await createDatabase(postgres!)
  return { store: openPostgresStore({ url: database.url }), drop: () => database.drop() }
}

describe.each(Object.entries(stores))('in %s', (_, open) => {
  it('what is counted is what the rows give, now and as of any moment', () =>
    property(3, async random => {
      const events = pushes(random, 3 * MOST_QUALITY_CHANGES, 300)
      const { store, drop } = await open()
      await fill(store, events, random, 900)
      const versions = await store.count({ table: datasetQuality.versions, equal: { dataset: 'orders' } })
      expect(versions).toBeGreaterThan(1)
      for (const asOf of [undefined, ...Array.from({ length: 6 }, () => momentIn(random, events))]) {
        for (const dataset of ['orders', 'tills']) {
          const known = await qualityStateOf(store, dataset, asOf)
          const wanted = await counted(store, dataset, asOf)
          if (!known) {
            expect(wanted.records).toBe(0)
            continue
          }
          expect(JSON.parse(profileText(known.state))).toEqual(JSON.parse(profileText(wanted)))
          expect(scoreOf(known, null)).toEqual(scoreOf({ state: wanted, lasts: new Map() }, null))
          const last = (stream: string) =>
            events.findLast(
              ({ source, event }) =>
                source.stream === stream &&
                event.dataset === dataset &&
                source.offset <= (asOf?.get(stream) ?? Number.POSITIVE_INFINITY),
            )
          // Changes are fewer than events: what changes nothing is no change.
          for (const [stream, offset] of known.lasts) expect(offset).toBeLessThanOrEqual(last(stream)!.source.offset)
        }
      }
      await store.stop()
      await drop()
    }))

  it('has a history that goes back to the first change, each point as of its place', () =>
    property(3, async random => {
      const events = pushes(random, 1500, 200)
      const { store, drop } = await open()
      await fill(store, events, random, 500)
      const step = 1 + random.int(60)
      let [points, newer] = [0, Number.POSITIVE_INFINITY]
      for await (const { state, lasts, time } of qualityHistory(store, 'orders', undefined, step)) {
        const wanted = await counted(store, 'orders', lasts)
        expect(JSON.parse(profileText(state))).toEqual(JSON.parse(profileText(wanted)))
        expect(time).toBeLessThan(newer)
        newer = time
        points++
      }
      expect(points).toBeGreaterThan(5)
      await store.stop()
      await drop()
    }))
})

it('the rows are the same whatever the batches', () =>
  property(3, async random => {
    const events = pushes(random, 3 * MOST_QUALITY_CHANGES, 300)
    const texts: string[][] = []
    for (const longest of [1, 200, 10_000]) {
      const { store } = await sqlite()
      await fill(store, events, random, longest)
      texts.push(await rowsOf(store))
      await store.stop()
    }
    expect(texts[0]!.length).toBeGreaterThan(3)
    expect(texts[1]).toEqual(texts[0])
    expect(texts[2]).toEqual(texts[0])
  }))
