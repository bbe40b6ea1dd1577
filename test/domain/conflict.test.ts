import { describe, expect, it } from 'vitest'
import type { Push } from '../../src/domain/record.ts'
import { given, pushed, removed } from '../kit/pushes.ts'

const EARLY = '2026-01-02T03:00:00Z'
const LATE = '2026-01-02T04:00:00Z'
const PRIORITY = '{"type":"source_priority","sources":["erp","shop"]}'

/** The six policies, as data sets have them. */
const POLICIES = {
  last_write_wins: '"last_write_wins"',
  source_wins: '"source_wins"',
  keep_current: '"keep_current"',
  source_priority: PRIORITY,
  field_merge: '"field_merge"',
  manual: '{"type":"manual"}',
} as const
type Name = keyof typeof POLICIES

type More = Partial<Push>
/** Pushes of a data set that has a policy, by the till unless said; source_priority knows the till not. */
const under = (name: Name) => ({
  put: (data: string, more: More = {}) => pushed(data, { policy: POLICIES[name], ...more }),
  remove: (more: More = {}) => removed({ policy: POLICIES[name], ...more }),
})

/** What becomes of a conflict: the row's data, how it was decided, and for which fields somebody is asked or told. */
type Outcome = readonly [data: string | null, resolution: string | null, fields?: readonly string[]]
const CURRENT = '{"a":2,"b":1}'
const INCOMING = '{"a":9,"b":1}'
const kept: Outcome = [CURRENT, 'keep_current']
const taken: Outcome = [INCOMING, 'accept_incoming']
const asked: Outcome = [CURRENT, null]

describe('a push that was made from an earlier version', () => {
  const outcome = (name: Name, more: More, was: More = {}) => {
    const { put } = under(name)
    const { data, conflict } = given(put('{"a":1,"b":1}'), put(CURRENT, was)).when(
      put(INCOMING, { version: 1, ...more }),
    )
    expect(conflict).toMatchObject({ policy: name, fields: ['a'] })
    expect(conflict!.type).toBe(name === 'field_merge' ? 'concurrent_field' : 'version')
    return [data, conflict!.resolution]
  }

  it.each<[Name, Outcome]>([
    ['last_write_wins', kept],
    ['source_wins', taken],
    ['keep_current', kept],
    ['source_priority', kept],
    ['field_merge', asked],
    ['manual', asked],
  ])('under %s, without times', (name, expected) => expect(outcome(name, {})).toEqual(expected))

  it.each<[Name, Outcome]>([
    ['last_write_wins', taken],
    ['source_wins', taken],
    ['keep_current', kept],
    ['source_priority', taken],
    ['field_merge', asked],
    ['manual', asked],
  ])('under %s, by the later time', (name, expected) =>
    expect(outcome(name, { updated_at: LATE }, { updated_at: EARLY })).toEqual(expected),
  )

  it.each<[string, string, Outcome]>([
    ['erp', 'shop', taken],
    ['shop', 'erp', kept],
    ['shop', 'till', taken],
    ['till', 'shop', kept],
  ])('under source_priority, from %s over %s, whatever the times', (source, was, expected) => {
    expect(outcome('source_priority', { source, updated_at: EARLY }, { source: was, updated_at: LATE })).toEqual(
      expected,
    )
    expect(outcome('source_priority', { source, updated_at: LATE }, { source: was, updated_at: EARLY })).toEqual(
      expected,
    )
  })

  it('under source_priority, over a row of unknown source, is decided as under last_write_wins', () => {
    const { put } = under('source_priority')
    const row = [pushed('{"a":1}'), pushed('{"a":2}')]
    expect(given(...row).when(put('{"a":9}', { version: 1, source: 'shop' }))).toMatchObject({ data: '{"a":2}' })
    expect(given(...row).when(put('{"a":9}', { version: 1, source: 'till' }))).toMatchObject({ data: '{"a":2}' })
    const known = pushed('{}', { updated_at: LATE, source: 'till' })
    expect(given(known).when(put('{"a":9}', { updated_at: EARLY, source: 'shop' })).data).toBe('{"a":9}')
  })

  it('under no policy is decided as under last_write_wins', () => {
    const stale = pushed('{"a":9}', { version: 1 })
    const conflict = { type: 'version', policy: 'last_write_wins', resolution: 'keep_current', fields: ['a'] }
    expect(given(pushed('{"a":1}'), pushed('{"a":2}')).when(stale)).toEqual({ data: '{"a":2}', version: 2, conflict })
  })
})

describe('a push that its system made earlier', () => {
  it.each<[Name, Outcome]>([
    ['last_write_wins', kept],
    ['source_wins', taken],
    ['keep_current', kept],
    ['source_priority', kept],
    ['field_merge', asked],
    ['manual', asked],
  ])('under %s', (name, expected) => {
    const { put } = under(name)
    const row = [put('{"a":1,"b":1}'), put(CURRENT, { updated_at: LATE })]
    const { data, conflict } = given(...row).when(put(INCOMING, { updated_at: EARLY }))
    expect([data, conflict?.resolution]).toEqual(expected)
  })

  it('conflicts though it was made from the row as it is; its fields then merge', () => {
    const { put } = under('field_merge')
    const row = [put('{"a":1}', { updated_at: LATE })]
    expect(given(...row).when(put('{"a":1,"b":2}', { version: 1, updated_at: EARLY }))).toEqual({
      data: '{"a":1,"b":2}',
      version: 2,
      conflict: { type: 'version', policy: 'field_merge', resolution: 'merge', fields: ['b'] },
    })
  })

  it.each([
    ['2026-01-02T05:00:00+02:00', '2026-01-02T03:00:00.000Z'],
    ['2026-01-02T03:00:00.1Z', '2026-01-02t03:00:00.100z'],
    ['2026-01-02T03:00:00Z', '2026-01-01T22:30:00-04:30'],
  ])('is told by the instant: %s and %s are one', (was, updated_at) => {
    const { conflict, version } = given(pushed('{"a":1}', { updated_at: was })).when(pushed('{"a":2}', { updated_at }))
    expect([conflict, version]).toEqual([undefined, 2])
  })

  it.each([
    ['2026-01-02T04:59:59+02:00', '2026-01-02T03:00:00Z'],
    ['2026-01-02T03:00:00.1234567890123456788Z', '2026-01-02T03:00:00.1234567890123456789Z'],
    ['2026-01-02T03:00:00.09Z', '2026-01-02T03:00:00.1Z'],
    ['2026-01-02T03:00:00Z', '2026-01-02T03:00:00.000000001Z'],
    ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z'],
  ])('is told by the instant, to the last digit: %s is before %s', (updated_at, was) => {
    const earlier = given(pushed('{"a":1}', { updated_at: was })).when(pushed('{"a":2}', { updated_at }))
    expect(earlier.conflict).toMatchObject({ type: 'version', resolution: 'keep_current' })
    const later = given(pushed('{"a":1}', { updated_at })).when(pushed('{"a":2}', { updated_at: was }))
    expect(later.conflict).toBeUndefined()
  })

  it('is compared with the time that the last winning push gave, and with none when that gave none', () => {
    const early = pushed('{"a":3}', { updated_at: EARLY })
    expect(given(pushed('{"a":1}', { updated_at: LATE }), pushed('{"a":2}')).when(early).conflict).toBeUndefined()
    const lost = pushed('{"a":2}', { version: 0, updated_at: EARLY })
    const between = pushed('{"a":3}', { updated_at: '2026-01-02T03:30:00Z' })
    expect(given(pushed('{"a":1}', { updated_at: LATE }), lost).when(between).conflict).toBeDefined()
  })
})

describe('a stale delete', () => {
  it.each<[Name, string | null, Outcome]>([
    ['last_write_wins', null, kept],
    ['last_write_wins', LATE, [null, 'accept_incoming']],
    ['source_wins', null, [null, 'accept_incoming']],
    ['keep_current', LATE, kept],
    ['source_priority', null, kept],
    ['source_priority', LATE, [null, 'accept_incoming']],
    ['field_merge', LATE, asked],
    ['manual', LATE, asked],
  ])('under %s, with the time %s', (name, updated_at, [data, resolution]) => {
    const { put, remove } = under(name)
    const row = [put('{"a":1,"b":1}'), put(CURRENT, { updated_at: EARLY })]
    expect(given(...row).when(remove({ version: 1, updated_at }))).toEqual({
      data,
      version: data === null ? 3 : 2,
      conflict: { type: 'delete_update', policy: name, resolution, fields: ['a', 'b'] },
    })
  })

  it('under source_priority, by the higher source', () => {
    const { put, remove } = under('source_priority')
    const row = [put('{"a":1}'), put('{"a":2}', { source: 'shop', updated_at: LATE })]
    const from = (source: string) => given(...row).when(remove({ source, updated_at: EARLY })).data
    expect([from('erp'), from('till')]).toEqual([null, '{"a":2}'])
  })

  it('of a row that is gone is none', () => {
    const row = [pushed('{"a":1}'), removed({ updated_at: LATE })]
    expect(given(...row).when(removed({ version: 1, updated_at: EARLY }))).toEqual({
      data: null,
      version: 2,
      conflict: undefined,
    })
  })
})

describe('a stale push to a row that was removed', () => {
  it.each<[Name, string | null, Outcome]>([
    ['last_write_wins', null, [null, 'keep_current']],
    ['last_write_wins', LATE, ['{"a":9}', 'accept_incoming']],
    ['source_wins', null, ['{"a":9}', 'accept_incoming']],
    ['keep_current', LATE, [null, 'keep_current']],
    ['source_priority', null, [null, 'keep_current']],
    ['source_priority', LATE, ['{"a":9}', 'accept_incoming']],
    ['field_merge', LATE, [null, null]],
    ['manual', LATE, [null, null]],
  ])('under %s, with the time %s', (name, updated_at, [data, resolution]) => {
    const { put, remove } = under(name)
    const row = [put('{"a":1}'), remove({ updated_at: EARLY })]
    expect(given(...row).when(put('{"a":9}', { version: 1, updated_at }))).toEqual({
      data,
      version: data === null ? 2 : 3,
      conflict: { type: 'delete_update', policy: name, resolution, fields: ['a'] },
    })
  })

  it('is told by the time of the removal too', () => {
    const row = [pushed('{"a":1}'), removed({ updated_at: LATE })]
    expect(given(...row).when(pushed('{"a":1}', { updated_at: EARLY }))).toMatchObject({
      data: null,
      conflict: { type: 'delete_update', resolution: 'keep_current' },
    })
  })

  it('makes it anew when it is not stale, or is only for new ones', () => {
    const row = [pushed('{"a":1}'), removed()]
    for (const more of [{}, { version: 2 }, { upsert: false, version: 1 }]) {
      expect(given(...row).when(pushed('{"a":9}', more))).toEqual({ data: '{"a":9}', version: 3, conflict: undefined })
    }
  })
})

describe('a push that is only for new records, to one that is there', () => {
  it.each<[Name, string | null]>([
    ['last_write_wins', 'keep_current'],
    ['source_wins', 'keep_current'],
    ['keep_current', 'keep_current'],
    ['source_priority', 'keep_current'],
    ['field_merge', null],
    ['manual', null],
  ])('under %s never overwrites', (name, resolution) => {
    const { put } = under(name)
    const insert = put('{"a":9}', { upsert: false, source: 'erp', updated_at: LATE })
    expect(given(put('{"a":1}', { updated_at: EARLY })).when(insert)).toEqual({
      data: '{"a":1}',
      version: 1,
      conflict: { type: 'insert_insert', policy: name, resolution, fields: ['a'] },
    })
  })
})

describe('no conflict', () => {
  const ALL = Object.keys(POLICIES) as Name[]

  it.each(ALL)('under %s: the same data in other words, however stale', name => {
    const { put } = under(name)
    const row = [put('{"a":0}'), put('{"a":1,"b":[1.50,"ä"]}', { updated_at: LATE })]
    const same = '{ "b" : [15e-1, "\\u00e4"], "a": 1.0 }'
    for (const more of [{ version: 1 }, { updated_at: EARLY }, { upsert: false }]) {
      expect(given(...row).when(put(same, more))).toEqual({ data: row[1]!.data, version: 2, conflict: undefined })
    }
  })

  it.each(ALL)(
    'under %s: the last arrival wins when nothing says what it was made from, or from the row as it is',
    name => {
      const { put, remove } = under(name)
      const row = [put('{"a":1}'), put('{"a":2}', { updated_at: EARLY })]
      for (const more of [
        {},
        { version: 2 },
        { version: 3 },
        { updated_at: LATE },
        { version: 2, updated_at: EARLY },
      ]) {
        expect(given(...row).when(put('{"a":9}', more))).toEqual({ data: '{"a":9}', version: 3, conflict: undefined })
        expect(given(...row).when(remove(more))).toEqual({ data: null, version: 3, conflict: undefined })
      }
    },
  )

  it.each(ALL)('under %s: a record that nobody has heard of', name => {
    const { put, remove } = under(name)
    const old = { version: 0, updated_at: EARLY }
    expect(given().when(put('{"a":1}', old))).toEqual({ data: '{"a":1}', version: 1, conflict: undefined })
    expect(given().when(remove(old)).conflict).toBeUndefined()
  })
})

it('a record from before there were conflicts is as it was then: the last arrival wins', () => {
  const row = [pushed('{"a":1}'), pushed('{"a":2}', { updated_at: LATE })]
  for (const more of [{ version: 1 }, { updated_at: EARLY }]) {
    const old = { conflict: null, ...more }
    expect(given(...row).when(pushed('{"a":9}', old))).toEqual({ data: '{"a":9}', version: 3, conflict: undefined })
    expect(given(...row).when(removed(old))).toEqual({ data: null, version: 3, conflict: undefined })
  }
  // Nor does such a row know when it was made.
  const before = pushed('{"a":1}', { updated_at: LATE, conflict: null })
  expect(given(before).when(pushed('{"a":9}', { updated_at: EARLY })).conflict).toBeUndefined()
})

it('a policy that this version does not know stops, rather than doing nothing', () => {
  const stale = pushed('{"a":9}', { version: 0, policy: '"coin_toss"' })
  expect(() => given(pushed('{"a":1}')).when(stale)).toThrow('coin_toss')
})
