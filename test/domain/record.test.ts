import { describe, expect, it } from 'vitest'
import { mergeRecord, type Push, type RecordState } from '../../src/domain/record.ts'

const PLAIN = { version: null, updated_at: null, source: 'till', conflict: null }
const upsert = (data: string): Push => ({ ...PLAIN, op: 'upsert', data, upsert: true })
const conflict = { policy: null, resolves: null, resolution: null, write: true }
const insert = (data: string): Push => ({ ...PLAIN, op: 'upsert', data, upsert: false, conflict })
const remove: Push = { ...PLAIN, op: 'delete', data: 'null', upsert: true }

/** Merges pushes one after the other; the effect of each, and the state in the end. */
function merged(...pushes: Push[]) {
  let state: RecordState | undefined
  const effects = pushes.map(push => {
    const effect = mergeRecord(state, push)
    state = effect?.state ?? state
    return effect?.state && `${effect.operation} ${effect.state.version} ${effect.changes()}`
  })
  return { state, effects }
}

/** An effect with its changes worked out. */
function effectOf(state: RecordState | undefined, push: Push) {
  const effect = mergeRecord(state, push)
  return { ...effect, changes: effect?.state && effect.changes() }
}

describe('merging a record', () => {
  it('creates it with version 1', () => {
    expect(effectOf(undefined, upsert('{"a":1}'))).toEqual({
      state: { data: '{"a":1}', version: 1, basis: null },
      operation: 'create',
      changes: '{"a":{"old":null,"new":1}}',
      removed: [],
    })
  })

  it('creates one without fields', () => {
    expect(effectOf(undefined, upsert('{}'))).toMatchObject({ operation: 'create', changes: '{}' })
  })

  it('updates it, one version for each push that changes something', () => {
    expect(merged(upsert('{"a":1}'), upsert('{"a":2}'), upsert('{"b":2}'))).toEqual({
      state: { data: '{"b":2}', version: 3, basis: null },
      effects: [
        'create 1 {"a":{"old":null,"new":1}}',
        'update 2 {"a":{"old":1,"new":2}}',
        'update 3 {"b":{"old":null,"new":2},"a":{"old":2,"new":null}}',
      ],
    })
  })

  it('changes nothing when the data says the same, and keeps the text that was there', () => {
    expect(merged(upsert('{"a":1,"b":2}'), upsert('{ "b":2.0, "a":1 }'))).toEqual({
      state: { data: '{"a":1,"b":2}', version: 1, basis: null },
      effects: [expect.any(String), undefined],
    })
  })

  it('removes it, and a second time changes nothing', () => {
    expect(merged(upsert('{"a":1}'), remove, remove)).toEqual({
      state: { data: null, version: 2, basis: null },
      effects: [expect.any(String), 'delete 2 {"a":{"old":1,"new":null}}', undefined],
    })
  })

  it('removes nothing where nothing was', () => {
    expect(mergeRecord(undefined, remove)).toBeUndefined()
  })

  it('removes it whatever data a delete brings and whatever upsert says', () => {
    const push: Push = { ...PLAIN, op: 'delete', data: '{"a":9}', upsert: false }
    expect(effectOf({ data: '{"a":1}', version: 4, basis: null }, push)).toEqual({
      state: { data: null, version: 5, basis: null },
      operation: 'delete',
      changes: '{"a":{"old":1,"new":null}}',
      removed: [],
    })
  })

  it('makes it anew after a delete, and its versions go on', () => {
    expect(merged(upsert('{"a":1}'), remove, upsert('{"a":1}'), upsert('{"a":2}'))).toEqual({
      state: { data: '{"a":2}', version: 4, basis: null },
      effects: [
        'create 1 {"a":{"old":null,"new":1}}',
        'delete 2 {"a":{"old":1,"new":null}}',
        'create 3 {"a":{"old":null,"new":1}}',
        'update 4 {"a":{"old":1,"new":2}}',
      ],
    })
  })

  it('with upsert: false creates, also after a delete, and never overwrites', () => {
    expect(merged(insert('{"a":1}'), insert('{"a":2}'), remove, insert('{"a":3}'))).toEqual({
      state: { data: '{"a":3}', version: 3, basis: null },
      effects: [
        'create 1 {"a":{"old":null,"new":1}}',
        undefined,
        'delete 2 {"a":{"old":1,"new":null}}',
        'create 3 {"a":{"old":null,"new":3}}',
      ],
    })
  })

  it.each([
    ['{"a":1,"b":2}', '{"a":1}', ['b']],
    ['{"a":null,"b":2}', '{"b":2}', ['a']],
    ['{"a":1,"b":2}', '{"a":null,"b":2}', []],
    ['{"a":1,"\\u00e4\\"":2}', '{"a":null}', ['ä"']],
    ['{"a":1,"b":1}', '{"a":2,"b":"x\\"new\\":null}"}', []],
    ['{"a":1,"b":1}', '{}', ['a', 'b']],
  ])('tells fields that are gone from those that are null: %s to %s', (before, after, removed) => {
    const { state } = merged(upsert(before))
    expect(effectOf(state, upsert(after))).toMatchObject({ operation: 'update', removed })
  })

  it('removes no fields from one that is gone', () => {
    const { state } = merged(upsert('{"a":1}'))
    expect(effectOf(state, remove)).toMatchObject({ operation: 'delete', removed: [] })
  })

  it('keeps every number exact', () => {
    const data = '{"id":9007199254740993,"sum":1.10,"far":123456789012345678901234567890}'
    expect(merged(upsert('{"id":9007199254740992}'), upsert(data))).toEqual({
      state: { data, version: 2, basis: null },
      effects: [
        expect.any(String),
        'update 2 {"id":{"old":9007199254740992,"new":9007199254740993},"sum":{"old":null,"new":1.10},' +
          '"far":{"old":null,"new":123456789012345678901234567890}}',
      ],
    })
  })

  it('takes __proto__ and constructor for names like any other', () => {
    expect(merged(upsert('{"__proto__":{"admin":true}}'), upsert('{"constructor":1}')).effects).toEqual([
      'create 1 {"__proto__":{"old":null,"new":{"admin":true}}}',
      'update 2 {"constructor":{"old":null,"new":1},"__proto__":{"old":{"admin":true},"new":null}}',
    ])
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it('takes the last of two fields with one name, however they are spelled', () => {
    expect(merged(upsert('{"ä":1,"\\u00e4":2}'), upsert('{"ä":2}'), upsert('{"\\u00E4":3}'))).toEqual({
      state: { data: '{"\\u00E4":3}', version: 2, basis: null },
      effects: ['create 1 {"ä":{"old":null,"new":2}}', undefined, 'update 2 {"ä":{"old":2,"new":3}}'],
    })
  })
})
