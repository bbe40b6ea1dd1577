import { describe, expect, it } from 'vitest'
import { readWhere } from '../../src/edge/where.ts'
import { DomainError } from '../../src/kernel/errors.ts'
import { property } from '../kit/random.ts'

/** The conditions, each as [field, comparison, value]. */
function read(text: string | null) {
  return readWhere(text).map(({ column, field, comparison, value }) => {
    expect(column).toBe('data')
    return [field, comparison, value]
  })
}

function failure(text: string): DomainError {
  try {
    readWhere(text)
  } catch (error) {
    if (error instanceof DomainError) return error
    throw error
  }
  throw new Error(`${text} was taken`)
}

const BIG = 9007199254740993n

describe('where as text', () => {
  it.each([
    ['origin=SFO', [['origin', '=', 'SFO']]],
    ['delay=30', [['delay', '=', 30]]],
    ['delay!=30', [['delay', '!=', 30]]],
    ['delay<30', [['delay', '<', 30]]],
    ['delay<=30', [['delay', '<=', 30]]],
    ['delay>30', [['delay', '>', 30]]],
    ['delay>=30', [['delay', '>=', 30]]],
    [' delay >= -1.5e1 ', [['delay', '>=', -15]]],
    [
      'a=1,b<2,a!=3',
      [
        ['a', '=', 1],
        ['b', '<', 2],
        ['a', '!=', 3],
      ],
    ],
    [
      'a=true,b=false,c=null',
      [
        ['a', '=', true],
        ['b', '=', false],
        ['c', '=', null],
      ],
    ],
    ['a="1"', [['a', '=', '1']]],
    ['a="x y"', [['a', '=', 'x y']]],
    ['a=', [['a', '=', '']]],
    ['a=""', [['a', '=', '']]],
    ['a==b', [['a', '=', '=b']]],
    ['a.b=1', [['a.b', '=', 1]]],
    ['two words=two words', [['two words', '=', 'two words']]],
    ['größe=groß 😀', [['größe', '=', 'groß 😀']]],
    ["name=it's", [['name', '=', "it's"]]],
    [`id=${BIG}`, [['id', '=', BIG]]],
    [`id>=-${BIG}`, [['id', '>=', -BIG]]],
    ['zip=01234', [['zip', '=', '01234']]],
    ['account=00123456789012345678', [['account', '=', '00123456789012345678']]],
    ['a=tru', [['a', '=', 'tru']]],
    ['a=\n', [['a', '=', '']]],
  ] as [string, unknown[]][])('%j', (text, conditions) => {
    expect(read(text)).toEqual(conditions)
  })

  it.each([null, '', '  '])('%j is no condition', text => {
    expect(read(text)).toEqual([])
  })

  it.each([
    'delay',
    '=3',
    ',',
    'a=1,',
    '!=3',
    'a=1,,b=2',
    'a!3',
    '"a"=1',
    'a=[1]',
    'a={}',
    '<>',
    'a=\0',
    '\0=1',
    'x'.repeat(5000),
  ])('%j is refused, naming where', text => {
    const error = failure(text)
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'where' }] })
    expect(error.message.length).toBeLessThan(300)
  })
})

describe('where as JSON', () => {
  it.each([
    ['{}', []],
    ['{"origin":"SFO"}', [['origin', '=', 'SFO']]],
    [
      ' {"a":1,"b":null,"c":true}',
      [
        ['a', '=', 1],
        ['b', '=', null],
        ['c', '=', true],
      ],
    ],
    ['{"a":{"eq":1}}', [['a', '=', 1]]],
    ['{"a":{"ne":"x"}}', [['a', '!=', 'x']]],
    ['{"a":{"ne":null}}', [['a', '!=', null]]],
    [
      '{"a":{"gte":1,"lt":9}}',
      [
        ['a', '>=', 1],
        ['a', '<', 9],
      ],
    ],
    [
      '{"a":{"gt":1.5,"lte":"x"}}',
      [
        ['a', '>', 1.5],
        ['a', '<=', 'x'],
      ],
    ],
    ['{"a,b=c":"d,e=f"}', [['a,b=c', '=', 'd,e=f']]],
    ['{"":1}', [['', '=', 1]]],
    ['{"__proto__":1}', [['__proto__', '=', 1]]],
    ['{"zip":"01234"}', [['zip', '=', '01234']]],
    [
      `{"id":${BIG},"n":{"gte":-${BIG}}}`,
      [
        ['id', '=', BIG],
        ['n', '>=', -BIG],
      ],
    ],
    [`{"id":"${BIG}"}`, [['id', '=', `${BIG}`]]],
  ] as [string, unknown[]][])('%j', (text, conditions) => {
    expect(read(text)).toEqual(conditions)
  })

  it.each([
    ['{"a":1', 'is not JSON'],
    ['{"a":{"like":1}}', 'a: like is none of eq, ne, lt, lte, gt, gte'],
    ['{"a":{"toString":1}}', 'a: toString is none of'],
    ['{"a":{"constructor":1}}', 'a: constructor is none of'],
    ['{"a":{"__proto__":1}}', 'a: __proto__ is none of'],
    ['{"a":{"=":1}}', 'a: = is none of'],
    ['{"a":{"eq":{}}}', 'a: expected text, a number, true, false or null'],
    ['{"a":{"eq":[1]}}', 'a: expected text, a number, true, false or null'],
    ['{"a":[1]}', 'a: 0 is none of'],
    ['{"a":[]}', 'a: has no comparison'],
    ['{"a":{}}', 'a: has no comparison'],
    ['{"a\\"b":1}', 'may not contain a double quote'],
  ])('%j is refused: %s', (text, message) => {
    const error = failure(text)
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'where' }] })
    expect(error.message).toContain(message)
  })
})

describe('where', () => {
  it.each(['a<null', 'a>=true', '{"a":{"lt":false}}', '{"a":{"gte":null}}'])(
    '%j is refused: null, true and false have no order',
    text => {
      expect(failure(text).message).toMatch(/^where: a: (null|true|false) can be compared with = and != only/)
    },
  )

  it('has a limit of 20 conditions', () => {
    const conditions = (count: number) => Array.from({ length: count }, (_, n) => `f${n}=1`).join(',')
    expect(read(conditions(20))).toHaveLength(20)
    expect(failure(conditions(21)).message).toBe('where: has 21 conditions, the limit is 20')
    const ranges = Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`f${n}`, { gte: 1, lt: 2 }]))
    expect(failure(JSON.stringify(ranges)).message).toContain('22 conditions')
  })

  it('of any text gives conditions that a store takes, or a VALIDATION_ERROR', () =>
    property(5000, random => {
      const pieces = [
        ...'ab=<>!,{}[]":. \\\n1290',
        'null',
        'true',
        'eq',
        'gte',
        '"a":',
        '1e400',
        '\u0000',
        '😀',
        `${BIG}`,
      ]
      const text = Array.from({ length: random.int(12) }, () => random.pick(pieces)).join('')
      try {
        for (const [field, comparison, value] of read(random.chance(0.3) ? `{${text}}` : text)) {
          expect(field).not.toContain('"')
          expect(['=', '!=', '<', '<=', '>', '>=']).toContain(comparison)
          expect(value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)).toBe(true)
        }
      } catch (error) {
        expect(error).toMatchObject({ name: 'DomainError', code: 'VALIDATION_ERROR' })
      }
    }))
})
