import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../src/kernel/canonical.ts'
import { JsonError } from '../../src/kernel/json.ts'
import { type Json, randomJson, spelled } from '../kit/json.ts'
import { property, type Random } from '../kit/random.ts'

/** Members in another order; of those with one name the last stays the last. */
function shuffled(value: Json, random: Random): Json {
  if (Array.isArray(value)) return value.map(element => shuffled(element, random))
  if (value === null || typeof value !== 'object' || 'number' in value) return value
  const names = [...new Set(value.members.map(([name]) => name))]
  for (let i = names.length - 1; i > 0; i--) {
    const j = random.int(i + 1)
    ;[names[i], names[j]] = [names[j]!, names[i]!]
  }
  return {
    members: names.map(name => [name, shuffled(value.members.findLast(([other]) => other === name)![1], random)]),
  }
}

/** Equality of what JSON.parse builds, where -0 is 0: written here anew, so that it shares nothing with the code. */
function equal(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const names = Object.keys(a)
  const value = (object: object, name: string) => Object.getOwnPropertyDescriptor(object, name)?.value
  return (
    names.length === Object.keys(b).length &&
    names.every(name => Object.hasOwn(b, name) && equal(value(a, name), value(b, name)))
  )
}

const SAFE = ['0', '-0', '0.0', '0e5', '1', '1.0', '10e-1', '0.01E2', '-1', '100', '1e2', '1E+2', '0.5', '5e-1']

describe('the canonical text', () => {
  it('is shared by all spellings of a value', () =>
    property(3000, random => {
      const value = randomJson(random)
      const text = spelled(value, random)
      const other = spelled(shuffled(value, random), random)
      expect(canonicalJson(other)).toBe(canonicalJson(text))
    }))

  it('is a text of that value, and its own canonical text', () =>
    property(2000, random => {
      const text = spelled(randomJson(random, 4, SAFE), random)
      const canonical = canonicalJson(text)
      expect(canonicalJson(canonical)).toBe(canonical)
      expect({ canonical, equal: equal(JSON.parse(canonical), JSON.parse(text)) }).toEqual({ canonical, equal: true })
    }))

  it('is shared by two texts exactly when JSON.parse builds equal values of them', () => {
    let same = 0
    return property(5000, random => {
      // Small values, so that two of them are often equal.
      const [a, b] = [0, 1].map(() => spelled(randomJson(random, 1, SAFE), random)) as [string, string]
      const wanted = equal(JSON.parse(a), JSON.parse(b))
      expect({ a, b, shared: canonicalJson(a) === canonicalJson(b) }).toEqual({ a, b, shared: wanted })
      if (wanted) same++
    }).then(() => expect(same).toBeGreaterThan(50))
  })

  it.each([
    ['1', '1.0', '10e-1', '0.1e1', '1E0', '1e+0', '1.000'],
    ['0', '-0', '0.0', '-0e7', '0e-999999999999'],
    ['100', '1e2', '1E+2', '0.1e3', '100.00'],
    ['-2.5', '-25e-1', '-2.50', '-0.025E2'],
    ['9007199254740993', '9007199254740993.0', '9.007199254740993e15'],
    ['"a/b"', '"a\\/b"', '"\\u0061/b"', '"\\u0061\\u002Fb"', '"\\u0061\\u002fb"'],
    ['"😀"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"'],
    ['{"a":1,"b":2}', '{ "b" : 2.0 , "a" : 1 }', '{"a":3,"b":2,"a":1}', '{"\\u0062":2,"a":1}'],
    ['{"__proto__":1}', '{"__proto__":2,"__pro\\u0074o__":1}'],
  ])('is one for %s and its other spellings', (first, ...others) => {
    expect(others.map(canonicalJson)).toEqual(others.map(() => canonicalJson(first)))
  })

  it.each([
    ['9007199254740992', '9007199254740993'],
    ['0.1', '0.10000000000000000000001'],
    ['1e400', '1e401'],
    ['1', '"1"'],
    ['1', '-1'],
    ['12', '102'],
    ['1e10', '1e-10'],
    ['null', '"null"'],
    ['[1,2]', '[2,1]'],
    ['[]', '{}'],
    ['{"a":null}', '{}'],
    ['"é"', '"e\u0301"'],
    ['"a"', '"A"'],
    ['"\\ud800"', '"\\ufffd"'],
  ])('differs between %s and %s', (a, b) => {
    expect(canonicalJson(a)).not.toBe(canonicalJson(b))
  })

  it('is found soon for a number of any length', { timeout: 5000 }, () => {
    const zeros = '0'.repeat(300_000)
    expect(canonicalJson(`1${zeros}1.${zeros}`)).toBe(`1${zeros}1`)
    expect(canonicalJson(`1${zeros}`)).toBe('1e300000')
    expect(canonicalJson(`0.${zeros}1`)).toBe('1e-300001')
  })

  it('refuses what is not JSON', () => {
    expect(() => canonicalJson('{"a":}')).toThrow(JsonError)
    expect(() => canonicalJson('1 2')).toThrow(JsonError)
  })
})
