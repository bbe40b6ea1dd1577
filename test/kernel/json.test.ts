import { deepStrictEqual } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { JsonError, skipElements, skipMembers, skipValue, wholeValue } from '../../src/kernel/json.ts'
import { type Json, randomJson, spelled } from '../kit/json.ts'
import { property, type Random } from '../kit/random.ts'

const DEEP = 1000

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Whether the scanner takes a text that stands between bytes that would change it if they were read. */
function accepts(text: string, around = '1'): boolean {
  const bytes = Buffer.from(around + text + around)
  const end = bytes.length - Buffer.byteLength(around)
  try {
    wholeValue(bytes, Buffer.byteLength(around), end, DEEP)
    return true
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    expect(error.at).toBeGreaterThanOrEqual(Buffer.byteLength(around))
    expect(error.at).toBeLessThanOrEqual(end)
    return false
  }
}

const PIECES = [...'{}[]",:\\/bfnrtu0123456789aAeEfF+-. \t\n\r\u0000\u001f\u007f\u00a0\u2028\ufeffä😀']
const WORDS = ['true', 'false', 'null', 'NaN', 'Infinity', '\\u12', '\\ud83d', '0x1', '//', "'a'", ',,', '{"a":']

/** The text with a few characters taken out, put in, doubled or swapped. */
function mutated(text: string, random: Random): string {
  const characters = [...text]
  for (let n = 1 + random.int(3); n > 0; n--) {
    const at = random.int(characters.length + 1)
    const kind = random.int(5)
    if (kind === 0) characters.splice(at, 1)
    else if (kind === 1) characters.splice(at, 0, random.pick(PIECES))
    else if (kind === 2) characters.splice(at, 1, random.pick(PIECES))
    else if (kind === 3) characters.splice(at, 0, random.pick(WORDS))
    else characters.splice(at, 0, ...characters.slice(at, at + 1 + random.int(4)))
  }
  return characters.join('')
}

/** The value in bytes[start, end), built from nothing but the spans that the scanner tells. */
function built(bytes: Buffer, start: number, end: number): unknown {
  const text = bytes.toString('utf8', start, end)
  if (text[0] === '[') {
    const elements: unknown[] = []
    const after = skipElements(bytes, start, end, DEEP, (from, to) => elements.push(built(bytes, from, to)))
    expect(after).toBe(end)
    return elements
  }
  if (text[0] !== '{') return JSON.parse(text)
  const object = {}
  const after = skipMembers(bytes, start, end, DEEP, (keyStart, keyEnd, from, to) => {
    const value = built(bytes, from, to)
    const name = JSON.parse(bytes.toString('utf8', keyStart, keyEnd))
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  })
  expect(after).toBe(end)
  return object
}

const nested = (depth: number, open: string, inner: string, close: string) =>
  Buffer.from(open.repeat(depth) + inner + close.repeat(depth))

describe('the JSON scanner', () => {
  it('takes every spelling of every value, and finds where it stands', () =>
    property(3000, random => {
      const text = spelled(randomJson(random), random)
      const bytes = Buffer.from(` \n${text}\t`)
      const { start, end } = wholeValue(bytes, 0, bytes.length, DEEP)
      expect(bytes.toString('utf8', start, end)).toBe(text)
      expect(skipValue(bytes, start, bytes.length, DEEP)).toBe(end)
    }))

  it('takes exactly what JSON.parse takes', () => {
    let [taken, refused] = [0, 0]
    return property(10_000, random => {
      const text = mutated(spelled(randomJson(random, 3), random), random)
      const wanted = parses(text)
      expect({ text, accepted: accepts(text, random.pick(['1', '"', ' ', 'e', '\\', '}', 'ä'])) }).toEqual({
        text,
        accepted: wanted,
      })
      if (wanted) taken++
      else refused++
    }).then(() => {
      // A property that only ever sees one answer proves nothing.
      expect(Math.min(taken, refused)).toBeGreaterThan(500)
    })
  })

  it.each(['', ' ', '01', '-', '-01', '1.', '.5', '1e', '1e+', '+1', 'tru', 'truE', 'nulll', '"', '"\\', '"\\u00g0"'])(
    'refuses %j as JSON.parse does',
    text => {
      expect(parses(text)).toBe(false)
      expect(accepts(text)).toBe(false)
    },
  )

  it.each(['[1,]', '[,1]', '{"a":1,}', '{a:1}', '{"a"}', '{"a":}', '[1 2]', '{}{}', '"a\nb"', '\ufeff1', '\u00a01'])(
    'refuses %j as JSON.parse does',
    text => {
      expect(parses(text)).toBe(false)
      expect(accepts(text)).toBe(false)
    },
  )

  it('tells spans from which every value can be built again', () =>
    property(3000, random => {
      const value: Json = { members: [['outer', randomJson(random, 5)]] }
      const text = spelled(value, random)
      const bytes = Buffer.from(`"${text}"`)
      deepStrictEqual(built(bytes, 1, bytes.length - 1), JSON.parse(text))
    }))

  it('counts depth in objects and arrays alike, and stops at the limit', () => {
    for (const [open, inner, close] of [
      ['[', '', ']'],
      ['[', '1', ']'],
      ['{"a":', '{}', '}'],
      ['[{"a":', '[]', '}]'],
    ] as const) {
      const bytes = nested(50, open, inner, close)
      const levels = bytes.filter(byte => byte === 91 || byte === 123).length
      expect(wholeValue(bytes, 0, bytes.length, levels)).toEqual({ start: 0, end: bytes.length })
      expect(() => wholeValue(bytes, 0, bytes.length, levels - 1)).toThrow(/^nested too deep at byte \d+$/)
    }
    expect(wholeValue(Buffer.from('12'), 0, 2, 0)).toEqual({ start: 0, end: 2 })
  })

  it('stops at the limit before the stack is full, however deep the text goes on', () => {
    const bytes = nested(1_000_000, '[', '', ']')
    expect(() => wholeValue(bytes, 0, bytes.length, DEEP)).toThrow(new JsonError('nested too deep', DEEP))
  })

  it('says what was expected, what was found, and at which byte', () => {
    const failure = (text: string) => {
      const bytes = Buffer.from(text)
      return () => wholeValue(bytes, 0, bytes.length, DEEP)
    }
    expect(failure('{"a" 1}')).toThrow('expected ":", found "1" at byte 5')
    expect(failure('["ä",]')).toThrow('unexpected "]" where a value was expected at byte 6')
    expect(failure('{"a":"b')).toThrow('a string is not closed at byte 5')
    expect(failure('"\u0001"')).toThrow('the control character byte 0x01 must be escaped at byte 1')
    expect(failure('1 2')).toThrow('expected the end of the text, found "2" at byte 2')
  })
})
