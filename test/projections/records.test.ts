import { describe, expect, it } from 'vitest'
import { recordKey, records } from '../../src/projections/records.ts'
import { cut, property } from '../kit/random.ts'
import { folded, memory, randomEvents, type Sourced, sorted } from '../kit/record-events.ts'

describe('the records projection', () => {
  it('gives the same rows, changes and conflicts whatever the batches', () =>
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

  it('gives the same changes and conflicts again for a batch whose rows were not written', () =>
    property(200, random => {
      const store = memory()
      for (const batch of cut(randomEvents(random, 60), 20, random)) {
        const before = store.text()
        const first = store.fold(batch, false)
        expect(store.text()).toBe(before)
        expect(store.fold(batch)).toEqual(first)
      }
    }))

  it('changes no row, tells no change and finds no other conflict for events that it has had', () =>
    property(200, random => {
      const store = memory()
      const told = new Set<string>()
      const events = randomEvents(random, 60)
      let had = 0
      for (const batch of cut(events, 15, random)) {
        for (const output of store.fold(batch)) told.add(JSON.stringify(output))
        had += batch.length
        const before = store.text()
        const again = store.fold(events.slice(random.int(had), had))
        // Of a row that has not changed since: whoever tells them knows how far it has told.
        expect(again.filter(output => !told.has(JSON.stringify(output)))).toEqual([])
        expect(sorted(again).changes).toEqual([])
        expect(store.text()).toBe(before)
      }
    }))

  it('numbers the changes of a record from 1 without a gap, each with the place it follows from', () =>
    property(100, random => {
      const events = randomEvents(random, 100)
      const { changes, store } = folded([events])
      const versions = new Map<string, number>()
      const sources = new Map(events.map(({ event, source }) => [`${source.stream} ${source.offset}`, event]))
      for (const change of changes) {
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
    const { store, changes } = folded([[{ event: { ...event, op: 'upsert', data }, source }]])
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
        basis: null,
        verdict: 0,
        origin: null,
      },
    ])
    expect(changes).toEqual([
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
        removed: [],
      },
    ])
    const updated_at = '2026-01-02T03:04:05.123456+01:00'
    const told = folded([[{ event: { ...event, op: 'upsert', updated_at }, source }]])
    expect(told.store.rows(records.name)[0]!.updated_at).toBe(updated_at)
  })
})
