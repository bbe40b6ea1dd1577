import { describe, expect, it } from 'vitest'
import { MAX_DELTA_TEXT, MAX_DELTAS } from '../../src/domain/basis.ts'
import { mergeRecord, type Push, type RecordState } from '../../src/domain/record.ts'
import { MAX_MERGED_BYTES } from '../../src/domain/three-way.ts'
import { given, pushed, removed, rowAfter } from '../kit/pushes.ts'
import { property } from '../kit/random.ts'

const policy = '"field_merge"'
const put = (data: string, more: Partial<Push> = {}) => pushed(data, { policy, ...more })
const clean = { type: 'version', policy: 'field_merge', resolution: 'merge' }
const open = { type: 'concurrent_field', policy: 'field_merge', resolution: null }

describe('field_merge', () => {
  it('merges what only one side changed, made or removed', () => {
    const row = [put('{"a":1,"b":1,"c":1,"d":1}'), put('{"a":2,"b":1,"d":1,"e":1}')]
    expect(given(...row).when(put('{"a":1,"b":2,"c":1,"f":1}', { version: 1 }))).toEqual({
      data: '{"a":2,"b":2,"e":1,"f":1}',
      version: 3,
      conflict: { ...clean, fields: ['a', 'b', 'c', 'f', 'd', 'e'] },
    })
  })

  it('asks for what both changed to different values, and merges the rest all the same', () => {
    const row = [put('{"a":1,"b":1}'), put('{"a":2,"b":1}')]
    expect(given(...row).when(put('{"a":3,"b":2}', { version: 1 }))).toEqual({
      data: '{"a":2,"b":2}',
      version: 3,
      conflict: { ...open, fields: ['a'] },
    })
  })

  it.each([
    ['both removed it', '{"a":1,"b":1}', '{"b":1}', '{"b":2}', '{"b":2}', []],
    ['one removed what the other changed', '{"a":1}', '{}', '{"a":2}', '{}', ['a']],
    ['one changed what the other removed', '{"a":1,"b":1}', '{"a":2,"b":1}', '{"b":1}', '{"a":2,"b":1}', ['a']],
    ['both made it, alike', '{}', '{"a":1}', '{"a":1.0,"b":1}', '{"a":1,"b":1}', []],
    ['both made it, differently', '{}', '{"a":1}', '{"a":2}', '{"a":1}', ['a']],
    ['null is a value', '{"a":1}', '{"a":null}', '{}', '{"a":null}', ['a']],
    ['a field that was not there is not null', '{}', '{"a":null}', '{"b":1}', '{"a":null,"b":1}', []],
    [
      'within a field nothing is merged',
      '{"a":{"x":1,"y":1}}',
      '{"a":{"x":2,"y":1}}',
      '{"a":{"x":1,"y":2}}',
      '{"a":{"x":2,"y":1}}',
      ['a'],
    ],
  ])('%s', (_, base, current, incoming, data, overlaps) => {
    const { data: held, conflict } = given(put(base), put(current)).when(put(incoming, { version: 1 }))
    expect([held, conflict!.resolution, overlaps.length > 0 ? conflict!.fields : []]).toEqual([
      data,
      overlaps.length > 0 ? null : 'merge',
      overlaps,
    ])
  })

  it('keeps every value as it was pushed, and takes other spellings of it for the same', () => {
    const row = [put('{"a":9007199254740993,"b":1.50,"c":"\\u00e4"}'), put('{"a":9007199254740993,"b":1.50,"c":"x"}')]
    const incoming = '{"a":123456789012345678901234567890.10,"b":15e-1,"c":"ä"}'
    expect(given(...row).when(put(incoming, { version: 1 })).data).toBe(
      '{"a":123456789012345678901234567890.10,"b":1.50,"c":"x"}',
    )
  })

  it('knows the base through many updates, by the earliest that changed a field', () => {
    const row = ['{"a":1,"b":1}', '{"a":2,"b":1}', '{"a":3,"b":1}', '{"a":1,"b":1}', '{"a":1,"b":5}'].map(data =>
      put(data),
    )
    const from = (version: number, data: string) => given(...row).when(put(data, { version }))
    // The row has come back to what it was: only the pushed side has changed it.
    expect(from(1, '{"a":7,"b":1}')).toMatchObject({ data: '{"a":7,"b":5}', conflict: clean })
    expect(from(2, '{"a":2,"b":1,"c":1}')).toMatchObject({ data: '{"a":1,"b":5,"c":1}', conflict: clean })
    expect(from(3, '{"a":4,"b":1}')).toMatchObject({ data: '{"a":1,"b":5}', conflict: { ...open, fields: ['a'] } })
    expect(from(4, '{"a":4,"b":1}')).toMatchObject({ data: '{"a":4,"b":5}', conflict: clean })
  })

  it('that has nothing to take leaves the row as it is, and tells of it', () => {
    const row = [put('{"a":1}'), put('{"a":2}')]
    expect(given(...row).when(put('{"a":1}', { version: 1 }))).toEqual({
      data: '{"a":2}',
      version: 2,
      conflict: { ...clean, fields: ['a'] },
    })
  })

  it.each([
    ['of no version', [put('{"a":1}', { updated_at: '2026-01-02T04:00:00Z' })], { updated_at: '2026-01-02T03:00:00Z' }],
    ['from before the record was there', [put('{"a":1}')], { version: 0 }],
    ['from before it was removed', [put('{"a":0}'), removed({ policy }), put('{"a":1}')], { version: 1 }],
    ['from before another policy', [put('{"a":0}'), put('{"a":7}'), pushed('{"a":1}')], { version: 2 }],
    [
      'from too long ago',
      Array.from({ length: MAX_DELTAS + 2 }, (_, n) => put(`{"a":${MAX_DELTAS + 2 - n}}`)),
      { version: 1 },
    ],
  ])('asks for all that differs when the base is not known: %s', (_, row, more) => {
    expect(given(...row).when(put('{"a":2,"b":1}', more))).toMatchObject({
      data: '{"a":1}',
      conflict: { ...open, fields: ['a', 'b'] },
    })
  })

  it('remembers the last updates, and no more text than it may', () => {
    const updates = Array.from({ length: 60 }, (_, n) => put(`{"n":${n},"s":"x"}`))
    expect(JSON.parse(rowAfter(...updates)!.basis!).deltas).toHaveLength(MAX_DELTAS)
    const from = (version: number) => given(...updates).when(put(`{"n":${version - 1},"s":"y"}`, { version })).conflict
    expect([from(60 - MAX_DELTAS)?.type, from(59 - MAX_DELTAS)?.type]).toEqual(['version', 'concurrent_field'])

    const long = Array.from({ length: 12 }, (_, n) => put(JSON.stringify({ s: String(n).padStart(5000, '"') })))
    const { basis } = rowAfter(...long)!
    expect(basis!.length).toBeLessThan(MAX_DELTA_TEXT + 100)
    expect(JSON.parse(basis!).deltas.length).toBeGreaterThan(1)
    const huge = ['a', 'b'].map(letter => put(JSON.stringify({ s: letter.repeat(MAX_DELTA_TEXT) })))
    expect(rowAfter(...huge)!.basis).toBeNull()
  })

  it('makes no record that is larger than one that may be pushed', () => {
    const half = (name: string) => `{"${name}":"${'x'.repeat(MAX_MERGED_BYTES / 2)}"}`
    const row = [put('{}'), put(half('a'))]
    const { data, conflict } = given(...row).when(put(half('b'), { version: 1 }))
    expect([data === half('a'), conflict]).toEqual([true, { ...open, fields: ['a', 'b'] }])
  })

  it('states the later of two times for what it has merged', () => {
    const row = [put('{"a":1}'), put('{"a":2}', { updated_at: '2026-01-02T04:00:00Z' })]
    const merged = [...row, put('{"a":1,"b":1}', { version: 1, updated_at: '2026-01-02T03:00:00Z' })]
    expect(JSON.parse(rowAfter(...merged)!.basis!).updated_at).toBe('2026-01-02T04:00:00Z')
    const between = put('{"a":5}', { updated_at: '2026-01-02T03:30:00Z' })
    expect(given(...merged).when(between).conflict).toBeDefined()
  })

  it('takes names of every kind', () => {
    const names = ['__proto__', 'a"b', 'ä\\u0000', '\\ud800', '']
    const record = (value: number) =>
      `{${names.map(name => `${name === 'a"b' ? '"a\\"b"' : `"${name}"`}:${value}`).join()}}`
    const row = [put(record(1)), put(record(2).replace('}', ',"c":1}'))]
    const { conflict } = given(...row).when(put(record(1).replace('}', ',"d":1}'), { version: 1 }))
    expect(conflict).toMatchObject(clean)
  })
})

/** Merges as the rules say, with values that JSON can hold as JavaScript has them. */
function expected(base: Fields, current: Fields, incoming: Fields): { data: Fields; overlaps: Set<string> } {
  const data = { ...current }
  const overlaps = new Set<string>()
  for (const name of new Set([...Object.keys(current), ...Object.keys(incoming)])) {
    const [was, ours, theirs] = [base[name], current[name], incoming[name]]
    if (ours === theirs || theirs === was) continue
    if (ours !== was) overlaps.add(name)
    else if (theirs === undefined) delete data[name]
    else data[name] = theirs
  }
  return { data, overlaps }
}
type Fields = Record<string, number>

it('field_merge merges from any version that it remembers, as reckoning with whole versions does', () =>
  property(300, random => {
    const fields = (): Fields =>
      Object.fromEntries(['a', 'b', 'c', 'd'].filter(() => random.chance(0.7)).map(name => [name, random.int(3)]))
    const versions: Fields[] = []
    let row: RecordState | undefined
    for (let n = 2 + random.int(15); n > 0; n--) {
      const next = fields()
      const effect = mergeRecord(row, put(JSON.stringify(next)))
      if (effect?.state) versions.push(next)
      row = effect?.state ?? row
    }
    const version = 1 + random.int(versions.length)
    const incoming = fields()
    const effect = mergeRecord(row, put(JSON.stringify(incoming), { version }))
    if (version === versions.length || !effect) return
    const { data, overlaps } = expected(versions[version - 1]!, versions.at(-1)!, incoming)
    expect(JSON.parse((effect.state ?? row)!.data!)).toEqual(data)
    expect(effect.conflict!.resolution).toBe(overlaps.size > 0 ? null : 'merge')
    if (overlaps.size > 0) expect(new Set(effect.conflict!.fields)).toEqual(overlaps)
  }))
