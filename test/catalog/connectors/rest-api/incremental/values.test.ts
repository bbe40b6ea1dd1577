import { describe, expect, it } from 'vitest'
import { compareValues, minus, plainOf } from '../../../../../src/catalog/connectors/rest-api/incremental/values.ts'
import { property } from '../../../../kit/random.ts'

describe('values of a cursor', () => {
  it.each([
    ['5', '5'],
    ['9007199254740993', '9007199254740993'],
    ['1.50', '1.50'],
    ['1e3', '1000'],
    ['1e400', `1${'0'.repeat(400)}`],
    ['1e99999', '1e99999'],
    ['"2024-01-01"', '2024-01-01'],
    ['"a\\u00e9\\"b"', 'aé"b'],
    ['""', undefined],
    ['null', undefined],
    ['true', undefined],
    ['{"a":1}', undefined],
    [undefined, undefined],
  ])('%s is %s', (json, plain) => {
    expect(plainOf(json)).toBe(plain)
  })

  /** Each list is in order; what is within one string, with | between, is equal. */
  const ORDERS: Record<string, string[]> = {
    numbers: [
      '-10.5',
      '-10',
      '-0.1',
      '0|-0|0.0',
      '9|9.0|09',
      '10',
      '9007199254740992',
      '9007199254740993',
      '9'.repeat(40),
    ],
    times: [
      '2023-12-31T23:59:59.999999999Z',
      '2024-01-01|2024-01-01T00:00:00Z|2024-01-01T01:00:00+01:00|2023-12-31T19:00:00-05:00|2024-01-01 00:00:00|2024-01-01T00:00Z',
      '2024-01-01T00:00:00.000000001Z',
      '2024-01-01T00:00:00.5Z|2024-01-01T00:00:00.500Z|2024-01-01T00:00:00,50+0000',
      '2024-01-01T00:00:01Z',
      '2024-02-29T12:00:00Z',
      '2024-03-01|2024-02-29T24:00:00Z',
      '9999-12-31T23:59:60Z',
    ],
    texts: ['2024-02-30', '2024-13-01T00:00:00Z', 'B', 'a', 'aa', 'b', 'é'],
    kinds: ['-5', '99999999999999', '0001-01-01', '2024-01-01T00:00:00Z', '2024-02-30', 'x'],
  }

  it.each(Object.entries(ORDERS))('compare: %s', (_, order) => {
    const groups = order.map(group => group.split('|'))
    for (const [i, left] of groups.entries())
      for (const [j, right] of groups.entries())
        for (const a of left)
          for (const b of right) expect(Math.sign(compareValues(a, b)) || 0, `${a} and ${b}`).toBe(Math.sign(i - j))
  })

  it('compare numbers and times as whole numbers do', async () => {
    await property(300, random => {
      const [a, b] = [random.int(2 ** 31) - 2 ** 30, random.int(2 ** 31) - 2 ** 30]
      expect(Math.sign(compareValues(`${a}.5`, `${b}.50`))).toBe(Math.sign(a - b))
      const time = (seconds: number) =>
        new Date(seconds * 1000).toISOString().replace('.000Z', random.pick(['Z', '.000Z', '+00:00']))
      expect(Math.sign(compareValues(time(a), time(b)))).toBe(Math.sign(a - b))
    })
  })

  it.each([
    ['100', 5, '95'],
    ['3', 5, '-2'],
    ['-3', 5, '-8'],
    ['0.5', 0.75, '-0.25'],
    ['9007199254740993', 1, '9007199254740992'],
    ['1.10', 1, '0.10'],
    ['5', 1e-7, '4.99999990000000000000'],
    ['2024-01-01T00:00:00Z', 1, '2023-12-31T23:59:59Z'],
    ['2024-03-01T00:00:00.123456789Z', 86_400, '2024-02-29T00:00:00.123456789Z'],
    ['2024-01-01T00:00:00+05:30', 3600, '2023-12-31T23:00:00+05:30'],
    ['2024-01-01 00:00:00', 60, '2023-12-31 23:59:00'],
    ['2024-01-01T00:00:00.5Z', 1, '2023-12-31T23:59:59.5Z'],
    ['2024-01-01T00:00:00Z', 0.5, '2023-12-31T23:59:59.5Z'],
    // Where the form has no place for the time, the day before is what is left.
    ['2024-01-02', 3600, '2024-01-01'],
    ['2024-01-02', 86_400, '2024-01-01'],
    ['2024-01-01T10:30Z', 90, '2024-01-01T10:28Z'],
    ['abc', 5, undefined],
    ['abc', 0, 'abc'],
  ])('%s less %d is %s', (value, lag, left) => {
    expect(minus(value, lag)).toBe(left)
  })
})
