import { describe, expect, it } from 'vitest'
import type { Value } from '../../src/kernel/projection.ts'
import { binaryArray } from '../../src/store/postgres-arrays.ts'

/** Reads what `array_send` would write: its head, then its elements. */
function read(array: Buffer) {
  const [dimensions, nulls, oid, count, lower] = [0, 4, 8, 12, 16].map(at => array.readInt32BE(at))
  const values: (string | bigint | null)[] = []
  let at = 20
  while (at < array.length) {
    const length = array.readInt32BE(at)
    at += 4
    if (length < 0) values.push(null)
    else values.push(oid === 20 ? array.readBigInt64BE(at) : array.toString('utf8', at, at + length))
    at += Math.max(length, 0)
  }
  expect([dimensions, lower, count]).toEqual([1, 1, values.length])
  return { nulls, oid, values }
}
const arrayOf = (type: 'text' | 'integer', values: readonly Value[]) =>
  read(binaryArray(type, values.length, i => values[i]))

describe('arrays for PostgreSQL', () => {
  it('have whole numbers of either sign, to the last that a number holds exactly', () => {
    const most = Number.MAX_SAFE_INTEGER
    const numbers = [0, 1, -1, 2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 32 - 1, -(2 ** 32), -(2 ** 32) - 1, most, -most]
    expect(arrayOf('integer', numbers)).toEqual({ nulls: 0, oid: 20, values: numbers.map(BigInt) })
    expect(arrayOf('integer', [null, 5])).toEqual({ nulls: 1, oid: 20, values: [null, 5n] })
  })

  it('have texts of one to four bytes a letter, empty ones, and nulls', () => {
    const texts = ['', 'plain', 'äöü', '你好', '😀', null, 'after']
    expect(arrayOf('text', texts)).toEqual({ nulls: 1, oid: 25, values: texts })
  })

  it('have any amount of text, and less again after that', () => {
    const long = Array.from({ length: 30 }, (_, n) => `${n}`.repeat(200_000))
    expect(arrayOf('text', long).values).toEqual(long)
    expect(arrayOf('text', ['short']).values).toEqual(['short'])
    expect(binaryArray('text', 1, () => 'short').length).toBe(29)
  })

  it('are not made of rows that lack a column', () => {
    expect(() => binaryArray('text', 1, () => undefined)).toThrow('lacks a column')
  })
})
