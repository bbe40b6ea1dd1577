import { describe, expect, it } from 'vitest'
import type { RecordChanged, RecordPushed } from '../../src/events/index.ts'
import type { Row, Rows, Source, Table } from '../../src/kernel/projection.ts'
import { recordKey, records, recordsProjection } from '../../src/projections/records.ts'
import { cut, property, type Random } from '../kit/random.ts'

interface Sourced {
  event: RecordPushed
  source: Source
}

/** A store's tables as maps, and batches that see the rows they asked for and no others. */
function memory() {
  const tables = new Map<string, Map<string, Row>>(recordsProjection.tables.map(({ name }) => [name, new Map()]))
  return {
    /** Folds a batch; its rows are kept only when `keep` is true, as after a commit. */
    fold(batch: readonly Sourced[], keep = true): RecordChanged[] {
      const wanted = new Map<string, Row | undefined>()
      const place = (table: Table, key: string) => JSON.stringify([table.name, key])
      for (const { source } of batch) {
        recordsProjection.wants(source, (table, key) => wanted.set(place(table, key), tables.get(table.name)!.get(key)))
      }
      const written: [Table, string, Row][] = []
      const rows: Rows = {
        get(table, key) {
          if (!wanted.has(place(table, key))) throw new Error(`${place(table, key)} was not asked for`)
          return wanted.get(place(table, key))
        },
        put(table, key, row) {
          if (!wanted.has(place(table, key))) throw new Error(`${place(table, key)} was not asked for`)
          wanted.set(place(table, key), row)
          written.push([table, key, row])
        },
      }
      const outputs = batch.map(({ event, source }) => recordsProjection.evolve(rows, event, source, 'RecordPushed'))
      if (keep) for (const [table, key, row] of written) tables.get(table.name)!.set(key, row)
      return outputs.filter(output => output !== undefined)
    },
    rows: (table = ''): Row[] => [...(tables.get(table)?.values() ?? [])],
    /** All rows of all tables as one text, in an order of their own. */
    text: () =>
      [...tables]
        .map(([name, rows]) => [name, ...[...rows].map(row => JSON.stringify(row)).sort()].join('\n'))
        .join('\n\n'),
  }
}

const DATA = ['{}', '{"a":1}', '{"a":1.0}', '{"a":2,"b":"x"}', '{"b":"x","a":2}', '{"n":9007199254740993}']

/** Pushes to a few records of a few data sets, in two streams as their keys would have it. */
function randomEvents(random: Random, count: number): Sourced[] {
  const offsets = [0, 0]
  let time = 1_750_000_000_000
  return Array.from({ length: count }, (_, line) => {
    const [dataset, id] = [random.pick(['orders', 'till-ä']), random.pick(['1', '2', '3', '😀'])]
    const partition = (dataset.length + id.length) % 2
    offsets[partition]! += 1 + random.int(3)
    time += random.int(2)
    const event: RecordPushed = {
      dataset,
      id,
      op: random.chance(0.3) ? 'delete' : 'upsert',
      data: random.pick(DATA),
      version: null,
      updated_at: random.chance(0.2) ? '2026-01-02T03:04:05+01:00' : null,
      upsert: random.chance(0.8),
      source: 'till',
      actor: 'cli_1',
      request_id: 'req_1',
      line,
      received_at: time,
      job_id: null,
      conflict: null,
    }
    const source = { stream: `sync.records-${partition}`, offset: offsets[partition]!, key: recordKey(dataset, id) }
    return { event, source }
  })
}

function folded(batches: readonly (readonly Sourced[])[]) {
  const store = memory()
  const outputs = batches.flatMap(batch => store.fold(batch))
  return { store, outputs }
}

describe('the records projection', () => {
  it('gives the same rows and the same changes whatever the batches', () =>
    property(200, random => {
      const events = randomEvents(random, 1 + random.int(120))
      const single = folded(events.map(event => [event]))
      const batched = folded(cut(events, 40, random))
      expect(batched.outputs).toEqual(single.outputs)
      expect(batched.store.text()).toBe(single.store.text())
      expect(folded([events]).store.text()).toBe(single.store.text())
    }))

  it('counts the records that live, in each data set', () =>
    property(200, random => {
      const { store } = folded(cut(randomEvents(random, 80), 20, random))
      const live = new Map<unknown, number>()
      for (const row of store.rows('records')) {
        live.set(row.dataset, (live.get(row.dataset) ?? 0) + (row.deleted === 0 ? 1 : 0))
        expect(row.data === null).toBe(row.deleted === 1)
      }
      const counted = new Map<unknown, number>()
      for (const row of store.rows('dataset_counts')) {
        counted.set(row.dataset, (counted.get(row.dataset) ?? 0) + (row.records as number))
      }
      expect(counted).toEqual(live)
      expect(new Set(store.rows('datasets').map(row => row.name))).toEqual(new Set(live.keys()))
    }))

  it('gives the same changes again for a batch whose rows were not written', () =>
    property(200, random => {
      const store = memory()
      for (const batch of cut(randomEvents(random, 60), 20, random)) {
        const before = store.text()
        const first = store.fold(batch, false)
        expect(store.text()).toBe(before)
        expect(store.fold(batch)).toEqual(first)
      }
    }))

  it('changes no row and tells no change for events that it has had', () =>
    property(200, random => {
      const store = memory()
      const events = randomEvents(random, 60)
      let had = 0
      for (const batch of cut(events, 15, random)) {
        store.fold(batch)
        had += batch.length
        const before = store.text()
        const again = events.slice(random.int(had), had)
        expect(store.fold(again)).toEqual([])
        expect(store.text()).toBe(before)
      }
    }))

  it('numbers the changes of a record from 1 without a gap, each with the place it follows from', () =>
    property(100, random => {
      const events = randomEvents(random, 100)
      const { outputs, store } = folded([events])
      const versions = new Map<string, number>()
      const sources = new Map(events.map(({ event, source }) => [`${source.stream} ${source.offset}`, event]))
      for (const change of outputs) {
        const key = recordKey(change.dataset, change.id)
        expect(change.version).toBe((versions.get(key) ?? 0) + 1)
        versions.set(key, change.version)
        const cause = sources.get(`${change.source_stream} ${change.source_offset}`)!
        expect(cause).toMatchObject({ dataset: change.dataset, id: change.id, received_at: change.changed_at })
      }
      for (const row of store.rows('records')) {
        expect(row.version).toBe(versions.get(recordKey(row.dataset as string, row.id as string)))
      }
    }))

  it('writes the row as the event has it', () => {
    const [{ event, source }] = randomEvents(
      { int: () => 0, chance: () => false, pick: choices => choices[0]! },
      1,
    ) as [Sourced]
    const data = '{"b": 1.0, "a":9007199254740993}'
    const { store, outputs } = folded([[{ event: { ...event, op: 'upsert', data }, source }]])
    expect(store.rows(records.name)).toEqual([
      {
        dataset: 'orders',
        id: '1',
        data,
        version: 1,
        deleted: 0,
        updated_at: '2025-06-15T15:06:40.000Z',
        stream: source.stream,
        offset: source.offset,
      },
    ])
    expect(outputs).toEqual([
      {
        dataset: 'orders',
        id: '1',
        operation: 'create',
        version: 1,
        changes: '{"b":{"old":null,"new":1.0},"a":{"old":null,"new":9007199254740993}}',
        source_stream: source.stream,
        source_offset: source.offset,
        source: 'till',
        changed_at: event.received_at,
        job_id: event.job_id,
        told_more: false,
      },
    ])
    const updated_at = '2026-01-02T03:04:05.123456+01:00'
    const told = folded([[{ event: { ...event, op: 'upsert', updated_at }, source }]])
    expect(told.store.rows(records.name)[0]!.updated_at).toBe(updated_at)
  })
})
