import { describe, expect, it } from 'vitest'
import { changedFields, createdFields, deletedFields } from '../../src/domain/diff.ts'
import { canonicalJson } from '../../src/kernel/canonical.ts'
import { type Json, randomJson, spelled } from '../kit/json.ts'
import { property, type Random } from '../kit/random.ts'

const BIG = '9007199254740993'

describe('the fields of a new record', () => {
  it.each([
    ['{}', '{}'],
    [' { } ', '{}'],
    ['{"a":1,"b":"x"}', '{"a":{"old":null,"new":1},"b":{"old":null,"new":"x"}}'],
    [`{"n":${BIG},"f":1.0}`, `{"n":{"old":null,"new":${BIG}},"f":{"old":null,"new":1.0}}`],
    ['{"o":{"z":[1, 2],"a":null}}', '{"o":{"old":null,"new":{"z":[1, 2],"a":null}}}'],
    ['{"__proto__":1}', '{"__proto__":{"old":null,"new":1}}'],
    ['{"ä":"ü😀","a":"x"}', '{"ä":{"old":null,"new":"ü😀"},"a":{"old":null,"new":"x"}}'],
    ['{"\\u0061":1}', '{"a":{"old":null,"new":1}}'],
    ['{"a":1,"b":2,"\\u0061":3}', '{"a":{"old":null,"new":3},"b":{"old":null,"new":2}}'],
    ['{"":1}', '{"":{"old":null,"new":1}}'],
  ])('of %s are %s', (data, changes) => {
    expect(createdFields(data.trim())).toBe(changes)
    expect(JSON.parse(deletedFields(data.trim()))).toEqual(
      Object.fromEntries(
        Object.entries<{ new: unknown }>(JSON.parse(changes)).map(([name, { new: old }]) => [name, { old, new: null }]),
      ),
    )
  })

  it('stand there as old values when it is removed', () => {
    expect(deletedFields(`{"n":${BIG},"s":"x"}`)).toBe(`{"n":{"old":${BIG},"new":null},"s":{"old":"x","new":null}}`)
  })
})

describe('the changes between two records', () => {
  it.each([
    ['{"a":1}', '{"a":1}'],
    ['{"a":1,"b":2}', '{"b":2,"a":1}'],
    ['{"a":1}', '{ "a" : 1.0 }'],
    ['{"a":"/"}', '{"\\u0061":"\\/"}'],
    ['{"a":{"x":1,"y":2}}', '{"a":{"y":2e0,"x":1}}'],
    ['{"a":1}', '{"a":2,"a":1}'],
    ['{"__proto__":{"a":1}}', '{"__proto__":{"a":1.0}}'],
    ['{"😀":"ä"}', '{"\\ud83d\\ude00":"\\u00e4"}'],
    ['{"n":-0}', '{"n":0}'],
  ])('%s and %s are none: spelling is no change', (before, after) => {
    expect(changedFields(before, after)).toBeUndefined()
    expect(changedFields(after, before)).toBeUndefined()
  })

  it.each([
    ['{"a":1,"b":2}', '{"a":1,"b":3}', '{"b":{"old":2,"new":3}}'],
    ['{"n":9007199254740992}', `{"n":${BIG}}`, `{"n":{"old":9007199254740992,"new":${BIG}}}`],
    ['{"a":1}', '{"a":1,"b":2}', '{"b":{"old":null,"new":2}}'],
    ['{"a":1,"b":2}', '{"a":1}', '{"b":{"old":2,"new":null}}'],
    ['{"a":1}', '{}', '{"a":{"old":1,"new":null}}'],
    ['{"a":1}', '{"a":"1"}', '{"a":{"old":1,"new":"1"}}'],
    ['{"a":[1,2]}', '{"a":[2,1]}', '{"a":{"old":[1,2],"new":[2,1]}}'],
    ['{"a":1.50}', '{"a":1.6}', '{"a":{"old":1.50,"new":1.6}}'],
    ['{"__proto__":1}', '{"__proto__":2}', '{"__proto__":{"old":1,"new":2}}'],
    ['{"a":1,"a":2}', '{"a":1}', '{"a":{"old":2,"new":1}}'],
    ['{"\\u0061":1}', '{"a":2}', '{"a":{"old":1,"new":2}}'],
    ['{"ä":"ü"}', '{"ä":"😀"}', '{"ä":{"old":"ü","new":"😀"}}'],
    ['{"e\u0301":1}', '{"é":1}', '{"é":{"old":null,"new":1},"e\u0301":{"old":1,"new":null}}'],
    // A field that was not there and one that is null differ: the texts of the row do.
    ['{}', '{"a":null}', '{"a":{"old":null,"new":null}}'],
    ['{"toString":1}', '{"constructor":1}', '{"constructor":{"old":null,"new":1},"toString":{"old":1,"new":null}}'],
  ])('from %s to %s are %s', (before, after, changes) => {
    expect(changedFields(before, after)).toBe(changes)
  })

  it('name the fields that differ and no others, each with both of its values', () =>
    property(2000, random => {
      const [before, after] = [randomObject(random), randomObject(random)]
      const [beforeText, afterText] = [spelled(before, random), spelled(after, random)]
      const changes = changedFields(beforeText, afterText) ?? '{}'
      const [old, now] = [lastMembers(before), lastMembers(after)]
      const wanted = new Map<string, string>()
      for (const name of new Set([...old.keys(), ...now.keys()])) {
        const values = [old.get(name), now.get(name)].map(value => value && canonicalJson(spelled(value.of, random)))
        if (values[0] !== values[1]) wanted.set(name, `{"new":${values[1] ?? 'null'},"old":${values[0] ?? 'null'}}`)
      }
      const found = new Map(
        Object.keys(JSON.parse(changes)).map(name => {
          const value = Object.getOwnPropertyDescriptor(JSON.parse(changes), name)!.value
          expect(Object.keys(value)).toEqual(['old', 'new'])
          return [name, true]
        }),
      )
      expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort())
      const members = [...wanted].map(([name, value]) => `${JSON.stringify(name)}:${value}`)
      expect(canonicalJson(changes)).toBe(canonicalJson(`{${members.join(',')}}`))
    }))

  it('are found in records of a hundred thousand fields, in other order, most of them gone', () => {
    const fields = Array.from({ length: 100_000 }, (_, n) => `"f${n}":${n}`)
    const all = `{${fields.join(',')}}`
    expect(changedFields(all, `{${fields.toReversed().join(',')}}`)).toBeUndefined()
    const few = JSON.parse(changedFields(all, `{${fields.slice(50_000).toReversed().join(',')}}`)!)
    expect(Object.keys(few)).toHaveLength(50_000)
    expect(few.f7).toEqual({ old: 7, new: null })
  })

  it('are found in records larger than any before', () => {
    const long = 'ä'.repeat(200_000)
    expect(changedFields(`{"a":"${long}","b":1}`, `{"a":"${long}","b":2}`)).toBe('{"b":{"old":1,"new":2}}')
    expect(changedFields('{"a":1}', '{"a":2}')).toBe('{"a":{"old":1,"new":2}}')
  })
})

const NAMES = ['a', 'b', 'ä', '__proto__', 'a"', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l']

/** Few fields, or many of which some come twice. */
function randomObject(random: Random): Extract<Json, { members: unknown }> {
  const most = random.chance(0.2) ? 25 : 6
  return {
    members: Array.from({ length: random.int(most) }, () => [
      random.pick(most > 6 ? NAMES : NAMES.slice(0, 5)),
      randomJson(random, 1),
    ]),
  }
}

/** Of members with one name the last; boxed, because a value may be null. */
function lastMembers({ members }: Extract<Json, { members: unknown }>): Map<string, { of: Json }> {
  return new Map(members.map(([name, of]) => [name, { of }]))
}
