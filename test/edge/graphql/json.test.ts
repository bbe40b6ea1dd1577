import { parseValue } from 'graphql'
import { expect, it } from 'vitest'
import { JsonText, jsonScalar, parseExact, stringifyExact } from '../../../src/edge/graphql/json.ts'
import { property } from '../../kit/random.ts'

const parsed = (text: string) => parseExact(Buffer.from(text), 20)

it('reads and writes JSON without changing a number', () => {
  for (const text of [
    '{"a":12345678901234567890.123456789,"b":[1e400,-1e-400],"c":"1e5 12345678901234567890","d":null,"e":0.1}',
    '9007199254740993',
    '{"__proto__":9007199254740993,"a":{"b":[true,false,"\\u0000"]}}',
  ])
    expect(stringifyExact(parsed(text))).toBe(text)
})

it('keeps the value of numbers that JSON.parse keeps', () => {
  expect(parsed('[1.0,1e2,0.50,-0]')).toEqual([1, 100, 0.5, -0])
  expect(parsed('1.0000000000000000')).toBe(1)
})

it('says where a text is no JSON, and nothing of it', () => {
  expect(() => parsed('{"token":secret}')).toThrow(/^the body is not JSON: (?!.*secret)/)
  expect(() => parsed(`${'['.repeat(21)}${']'.repeat(21)}`)).toThrow('the body is not JSON')
})

it('writes texts as they stand, in one line, whatever else is there', () => {
  const result = { a: new JsonText('{"x":\n1e400}'), b: ['"', '\\', '0:0', new JsonText('[1.50]')], c: undefined }
  expect(stringifyExact(result)).toBe('{"a":{"x": 1e400},"b":["\\"","\\\\","0:0",[1.50]]}')
  expect(JSON.stringify({ a: new JsonText('{"x":1.50}') })).toBe('{"a":{"x":1.5}}')
})

it('takes values written in a query as they stand', () => {
  const literal = (text: string, variables?: Record<string, unknown>) =>
    jsonScalar.parseLiteral(parseValue(text), variables)?.text
  expect(literal('{a: 12345678901234567890.5, b: [1e400, "x\\n", """ block """, null, true]}')).toBe(
    '{"a":12345678901234567890.5,"b":[1e400,"x\\n"," block ",null,true]}',
  )
  expect(literal('{a: $n, b: $j, c: $none}', { n: 5, j: new JsonText('1.50') })).toBe('{"a":5,"b":1.50,"c":null}')
  expect(() => literal('{a: no}')).toThrow('no is no JSON value; a text has quotes')
})

it('gives back any JSON that it was given', () => {
  return property(300, random => {
    const digits = (count: number) => Array.from({ length: count }, () => random.int(10)).join('')
    const number = () => {
      const whole = random.int(2) ? '0' : `${1 + random.int(9)}${digits(random.int(25))}`
      const fraction = random.int(2) ? '' : `.${digits(1 + random.int(25))}`
      return `${random.int(2) ? '-' : ''}${whole}${fraction}${random.int(3) ? '' : `e${random.int(500)}`}`
    }
    const texts = Array.from({ length: 5 }, number)
    const values = parsed(`[${texts.join(',')}]`) as unknown[]
    for (const [i, value] of values.entries()) {
      const out = stringifyExact(value)
      if (typeof value === 'number') expect(value).toBe(Number(texts[i]))
      else expect(out).toBe(texts[i])
    }
  })
})
