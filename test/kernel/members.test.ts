import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../src/kernel/canonical.ts'
import { JsonError, skipElements, skipMembers } from '../../src/kernel/json.ts'
import { elementsOf, membersOf, objectText, quoted, typeOf, unquoted } from '../../src/kernel/members.ts'
import { randomJson, spelled } from '../kit/json.ts'
import { property } from '../kit/random.ts'

const ANY_DEPTH = 1000

describe('the members of an object', () => {
  it('are those the scanner finds, to the byte', () =>
    property(3000, random => {
      const text = ` ${spelled({ members: [['a', randomJson(random)], ...objectOf(random)] }, random)} `
      const bytes = Buffer.from(text.toWellFormed())
      const wanted = new Map<string, string>()
      skipMembers(bytes, 1, bytes.length, ANY_DEPTH, (keyStart, keyEnd, start, end) =>
        wanted.set(JSON.parse(bytes.toString('utf8', keyStart, keyEnd)), bytes.toString('utf8', start, end)),
      )
      expect([...membersOf(text.toWellFormed())]).toEqual([...wanted])
    }))

  it('make the same object again', () =>
    property(1000, random => {
      const text = spelled({ members: objectOf(random) }, random)
      const again = objectText(membersOf(text))
      expect(canonicalJson(again)).toBe(canonicalJson(text))
      expect(objectText(membersOf(again))).toBe(again)
    }))

  it('keep digits, order and odd names', () => {
    const text = '{"__proto__":9007199254740993,"b":1.10,"a":{ "x" : 1e400 },"constructor":null,"2":0,"1":0}'
    expect(objectText(membersOf(text))).toBe(text)
  })

  it('of two with one name have the later value at the place of the first', () => {
    expect(objectText(membersOf('{"a":1,"b":2,"\\u0061":3}'))).toBe('{"a":3,"b":2}')
  })

  it.each(['', '[]', '1', '{', '{"a', '{"a"', '{"a":', '{"a":1', '{"a":"', '{"a":[1', '{a:1}', '{"a":1 "b":2}'])(
    'of %j are refused, not sought for ever',
    text => {
      expect(() => membersOf(text)).toThrow(JsonError)
    },
  )
})

describe('the elements of an array', () => {
  it('are those the scanner finds, to the byte', () =>
    property(2000, random => {
      const text = spelled(
        Array.from({ length: random.int(5) }, () => randomJson(random)),
        random,
      ).toWellFormed()
      const bytes = Buffer.from(text)
      const wanted: string[] = []
      skipElements(bytes, 0, bytes.length, ANY_DEPTH, (start, end) => wanted.push(bytes.toString('utf8', start, end)))
      expect(elementsOf(text)).toEqual(wanted)
    }))

  it.each(['', '{}', '[', '[1', '[1 2]', '[1,]'])('of %j are refused', text => {
    expect(() => elementsOf(text)).toThrow(JsonError)
  })
})

it('strings are quoted as JSON has it, and back', () => {
  for (const text of ['', 'a', 'ä😀', 'a"b', 'a\\b', '\u0000\u001f', '\ud800', '\u2028', '/'])
    expect([quoted(text), unquoted(quoted(text))]).toEqual([JSON.stringify(text), text])
})

it('a value says its type with its first character', () => {
  expect(['"x"', '-1', 'true', 'false', 'null', '{}', '[]'].map(typeOf)).toEqual([
    'string',
    'number',
    'boolean',
    'boolean',
    'null',
    'object',
    'array',
  ])
})

function objectOf(random: Parameters<Parameters<typeof property>[1]>[0]) {
  const value = { members: [] as [string, ReturnType<typeof randomJson>][] }
  for (let n = random.int(6); n > 0; n--)
    value.members.push([random.pick(['a', 'b', '__proto__', 'ä"', '😀\\', '']), randomJson(random, 3)])
  return value.members
}
