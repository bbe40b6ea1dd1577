import { describe, expect, it } from 'vitest'
import {
  compareNumbers,
  integerText,
  isIntegral,
  isMultiple,
  numberThatChanges,
  replaceChangingNumbers,
  survivesParsing,
} from '../../src/kernel/decimal.ts'
import { property } from '../kit/random.ts'

const BIG = '9007199254740993'

describe('numbers as decimals', () => {
  it.each([
    ['1', '2', -1],
    ['1.0', '1', 0],
    ['10e-1', '1', 0],
    ['-0', '0', 0],
    ['-1', '1', -1],
    ['-2', '-1', -1],
    [BIG, '9007199254740992', 1],
    [`-${BIG}`, '-9007199254740992', -1],
    ['1e400', '1e399', 1],
    ['-1e400', '1e-400', -1],
    ['1e-400', '0', 1],
    ['0.10000000000000000000001', '0.1', 1],
    ['0.05', '0.5', -1],
    ['99999999999999999999', '1e20', -1],
    [`1e${'9'.repeat(200)}`, '1e400', 1],
  ])('%s to %s is %i', (a, b, sign) => {
    expect(Math.sign(compareNumbers(a, b)) + 0).toBe(sign)
    expect(Math.sign(compareNumbers(b, a)) + sign).toBe(0)
  })

  it('compare as whole numbers of ten to the thirtieth do', () =>
    property(3000, random => {
      const number = () => {
        const digits = BigInt(random.int(2 ** 31)) * 10n ** BigInt(random.int(12)) - BigInt(random.int(2 ** 30))
        const places = random.int(20)
        return { value: digits * 10n ** BigInt(30 - places), text: `${digits}e-${places}` }
      }
      const [a, b] = [number(), number()]
      const wanted = a.value < b.value ? -1 : a.value > b.value ? 1 : 0
      expect({ a, b, is: Math.sign(compareNumbers(a.text, b.text)) }).toEqual({ a, b, is: wanted })
      if (b.value !== 0n)
        expect({ a, b, is: isMultiple(a.text, b.text) }).toEqual({ a, b, is: a.value % b.value === 0n })
    }))

  it.each([
    ['0.3', '0.1', true],
    ['1.1', '0.1', true],
    [BIG, '2', false],
    ['9007199254740994', '2', true],
    ['0', '7', true],
    ['1e400', '3', false],
    ['3e400', '3', true],
    ['3e90000', '30', true],
    ['7e90000', '3', false],
    ['0.5', '1', false],
    ['-1.5', '0.5', true],
    ['1', '1e400', false],
  ])('%s as a multiple of %s: %s', (value, of, wanted) => {
    expect(isMultiple(value, of)).toBe(wanted)
  })

  it.each([
    ['12', '12'],
    ['-0', '0'],
    ['0.0', '0'],
    ['1.0', '1'],
    ['1.5e1', '15'],
    ['-12e2', '-1200'],
    [BIG, BIG],
    ['9007199254740993.0', BIG],
    ['1.5', undefined],
    ['1e-1', undefined],
    ['1e99999', undefined],
  ])('%s in digits is %s', (text, digits) => {
    expect(integerText(text)).toBe(digits)
    expect(isIntegral(text)).toBe(digits !== undefined || text === '1e99999')
  })
})

describe('what JSON.parse would change', () => {
  it.each([
    ['1', true],
    ['1.10', true],
    ['9007199254740992', true],
    [BIG, false],
    ['1e400', false],
    ['1e-400', false],
    ['1e3', true],
    ['0.1', true],
    ['3.141592653589793', true],
    ['3.14159265358979312', false],
    ['123456789012345678901234567890', false],
  ])('%s survives: %s', (text, survives) => {
    expect(survivesParsing(text)).toBe(survives)
  })

  it('is found in values, not in strings or names', () => {
    expect(numberThatChanges(`{"${BIG}":"${BIG}","a":[1,"\\"${BIG}"]}`)).toBeUndefined()
    expect(numberThatChanges(`{"a":[1,{"b":-${BIG}}]}`)).toBe(`-${BIG}`)
    expect(replaceChangingNumbers(`{"a":"${BIG}","b":[${BIG},1.5,1e400]}`, text => `"${text}"`)).toBe(
      `{"a":"${BIG}","b":["${BIG}",1.5,"1e400"]}`,
    )
  })
})
