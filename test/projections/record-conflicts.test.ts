/** What the records projection tells of conflicts. */
import { describe, expect, it } from 'vitest'
import type { RecordPushed } from '../../src/events/index.ts'
import { canonicalJson } from '../../src/kernel/canonical.ts'
import { recordKey } from '../../src/projections/records.ts'
import { property } from '../kit/random.ts'
import { folded, memory, randomEvents, type Sourced, sorted } from '../kit/record-events.ts'

const PUSH: RecordPushed = {
  ...{ dataset: 'orders', id: '1', op: 'upsert', data: '{"a":1}', version: null, updated_at: null, upsert: true },
  ...{ source: 'till', actor: 'cli_1', request_id: 'req_1', line: 3, received_at: 1_750_000_000_000, job_id: null },
  conflict: null,
  origin: null,
  keeps_rules: null,
}
const BY_DEFAULT = { policy: null, resolves: null, resolution: null, write: true }
const policy = (name: string) => ({ ...BY_DEFAULT, policy: `"${name}"` })
const at = (offset: number, more: Partial<RecordPushed>): Sourced => ({
  event: { ...PUSH, ...more },
  source: { stream: 'sync.records-2', offset, key: recordKey('orders', '1') },
})

describe('a conflict', () => {
  it('is told with both sides, after the change that it has made', () => {
    const incoming = { data: '{"a":9007199254740993,"b":1}', version: 1, updated_at: '2026-01-02T03:04:05Z' }
    const more = { ...incoming, source: 'erp', request_id: 'req_9', job_id: 'job_1', conflict: policy('source_wins') }
    const { outputs } = folded([
      [
        at(1, {}),
        at(2, { data: '{"a":1.50}', updated_at: '2026-01-02T04:00:00+02:00', conflict: BY_DEFAULT }),
        at(7, more),
      ],
    ])
    const conflict_id = 'conf_01jxt21q0000000000007002'
    const found = { conflict_id, dataset: 'orders', conflict_type: 'version', resolution: 'accept_incoming' }
    const place = { source_stream: 'sync.records-2', source_offset: 7, job_id: 'job_1' }
    expect(outputs.slice(2).map(({ type, key }) => [type, key])).toEqual([
      ['RecordChanged', undefined],
      ['ConflictTold', undefined],
      ['ConflictDetected', `conflict/${conflict_id}`],
    ])
    expect(outputs.slice(3).map(({ event }) => event)).toEqual([
      { ...found, ...place, id: '1', news: 'detected', resolution_required: false, told_at: PUSH.received_at },
      {
        ...{ ...found, ...place, record_id: '1', policy: 'source_wins', source: 'erp', request_id: 'req_9' },
        ...{ current: '{"a":1.50}', current_version: 2, current_source: 'till' },
        current_updated_at: '2026-01-02T04:00:00+02:00',
        ...{ incoming: incoming.data, incoming_version: 1, incoming_updated_at: incoming.updated_at },
        ...{ fields: ['a', 'b'], detected_at: PUSH.received_at },
      },
    ])
  })

  it('that asks somebody says so, and leaves the row as it was', () => {
    const stale = at(7, { op: 'delete', data: 'null', version: 0, conflict: policy('manual') })
    const { store, news, conflicts, changes } = folded([[at(1, {}), stale]])
    expect(news).toMatchObject([{ conflict_type: 'delete_update', resolution_required: true, resolution: null }])
    expect(conflicts).toMatchObject([{ current: '{"a":1}', incoming: null, resolution: null, fields: ['a'] }])
    expect(changes).toHaveLength(1)
    expect(store.rows('records')).toMatchObject([{ data: '{"a":1}', version: 1, offset: 1 }])
  })

  it('has the source of the row where the policy goes by it', () => {
    const conflict = { ...policy('x'), policy: '{"type":"source_priority","sources":["erp","till"]}' }
    const { conflicts } = folded([[at(1, { conflict }), at(2, { data: '{}', version: 0, source: 'shop', conflict })]])
    expect(conflicts).toMatchObject([{ current_source: 'till', source: 'shop', resolution: 'keep_current' }])
  })
})

describe('a record that ends a conflict', () => {
  const ends = (resolution: string, write: boolean) => ({ policy: null, resolves: 'conf_x', resolution, write })

  it('is written without another conflict, however stale, and the news follow its change', () => {
    const decided = { data: '{"a":3}', version: 1, upsert: false, conflict: ends('merge', true) }
    const { outputs, news, store } = folded([[at(1, {}), at(2, { data: '{"a":2}' }), at(3, decided)]])
    expect(outputs.map(({ type }) => type).slice(2)).toEqual(['RecordChanged', 'ConflictTold'])
    expect(news).toEqual([
      {
        ...{ conflict_id: 'conf_x', dataset: 'orders', id: '1', news: 'resolved', conflict_type: '' },
        ...{ resolution_required: false, resolution: 'merge', source_stream: 'sync.records-2', source_offset: 3 },
        ...{ told_at: PUSH.received_at, job_id: null },
      },
    ])
    expect(store.rows('records')).toMatchObject([{ data: '{"a":3}', version: 3 }])
  })

  it('without a write leaves the row as it is, and is told all the same', () => {
    for (const op of ['upsert', 'delete'] as const) {
      const decided = at(2, { op, data: '{"a":9}', conflict: ends('keep_current', false) })
      const { outputs, store } = folded([[at(1, {}), decided]])
      expect(outputs.map(({ type }) => type)).toEqual(['RecordChanged', 'ConflictTold'])
      expect(store.rows('records')).toMatchObject([{ data: '{"a":1}', version: 1 }])
    }
  })
})

it('nothing is lost: what a push brought is in the row, or in a conflict, and what a conflict replaced is in it too', () =>
  property(300, random => {
    const store = memory()
    const seen = { conflicts: 0, changed: 0 }
    const same = (a: string | null, b: string | null) => (a && canonicalJson(a)) === (b && canonicalJson(b))
    for (const { event, source } of randomEvents(random, 120)) {
      const find = () => store.rows('records').find(({ dataset, id }) => dataset === event.dataset && id === event.id)
      const before = (find()?.data as string | undefined) ?? null
      const { conflicts, changes, news } = sorted(store.fold([{ event, source }]))
      const after = (find()?.data as string | undefined) ?? null
      const incoming = event.op === 'delete' ? null : event.data
      expect(changes.length).toBe(same(before, after) ? 0 : 1)
      const resolves = event.conflict?.resolves ?? null
      expect(news.map(each => each.news)).toEqual(resolves ? ['resolved'] : conflicts.map(() => 'detected'))
      if (resolves) continue
      // From before there were conflicts: a new one was left out where one was.
      if (event.conflict === null && !event.upsert && before !== null) continue
      if (conflicts.length === 0) expect(same(after, incoming), `${after} holds ${incoming}`).toBe(true)
      else {
        expect(conflicts).toMatchObject([{ current: before, incoming }])
        const [{ resolution, conflict_type }] = conflicts as [(typeof conflicts)[0]]
        if (resolution === 'accept_incoming') expect(same(after, incoming)).toBe(true)
        else if (resolution === 'keep_current') expect(after).toBe(before)
        else if (resolution === null && conflict_type !== 'concurrent_field') expect(after).toBe(before)
        seen.conflicts++
        seen.changed += changes.length
      }
    }
    expect(seen.conflicts).toBeGreaterThan(0)
  }))

it('the ids of conflicts are their own, and in the order of the places', () =>
  property(50, random => {
    const { conflicts } = folded([randomEvents(random, 200)])
    const ids = conflicts.map(({ conflict_id }) => conflict_id)
    expect(new Set(ids).size).toBe(ids.length)
    const ofStream = conflicts.filter(({ source_stream }) => source_stream === 'sync.records-0')
    expect(ofStream.map(({ conflict_id }) => conflict_id)).toEqual(ofStream.map(each => each.conflict_id).toSorted())
  }))
