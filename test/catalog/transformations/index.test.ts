import { describe, expect, it } from 'vitest'
import { compileTransformations } from '../../../src/catalog/transformations/index.ts'
import { DomainError } from '../../../src/kernel/errors.ts'
import { membersOf } from '../../../src/kernel/members.ts'
import { randomJson, spelled } from '../../kit/json.ts'
import { property } from '../../kit/random.ts'
import { LIMITS, run } from '../../kit/transformations.ts'

/** The details of the refusal of a list. */
function faults(list: unknown, limits = LIMITS) {
  try {
    compileTransformations(list, 'transformations', limits)
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError)
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' })
    const { details, message } = error as DomainError
    expect(message).toBe(`${details[0]!.field}: ${details[0]!.message}`)
    return details
  }
  throw new Error('the list was taken')
}

describe('a list of transformations', () => {
  it('goes through them in order', () => {
    const transform = run(
      { type: 'field_mapping', config: { mappings: { customer_id: 'id' } } },
      { type: 'cast', config: { fields: { id: 'string' } } },
      { type: 'filter', config: { where: { id: { ne: '7' } } } },
      { type: 'compute', config: { field: 'greeting', expression: '"Hello " & id' } },
    )
    expect(transform('{"customer_id":8,"n":1.10}')).toEqual({ json: '{"id":"8","n":1.10,"greeting":"Hello 8"}' })
    expect(transform('{"customer_id":7}')).toEqual({ dropped: true })
    expect(transform('{}')).toEqual({
      refused: {
        code: 'MISSING_FIELD',
        field: 'customer_id',
        message: 'transformations.0 (field_mapping): the row has no field customer_id',
        index: 0,
      },
    })
  })

  it('that is empty changes nothing', () => {
    expect(run()(' {"a" : 1.0}')).toEqual({ json: ' {"a" : 1.0}' })
  })

  it('leaves the text of a row that nothing changes', () => {
    const transform = run(
      { type: 'drop', config: { fields: ['zz'] } },
      { type: 'select', config: { fields: ['a', 'b'] } },
      { type: 'default', config: { values: { a: 1 } } },
      { type: 'rename', config: { fields: { zz: 'y' } } },
      { type: 'cast', config: { fields: { a: 'integer' } } },
      { type: 'flatten' },
    )
    const text = '{ "b" : "\\u0041", "a":9007199254740993 }'
    expect(transform(text)).toEqual({ json: text })
  })

  it('keeps names, order and every digit of what it does not touch', () =>
    property(1000, random => {
      const members = Array.from({ length: random.int(6) }, (_, n) => [
        `${random.pick(['a', '__proto__', 'ä', '"', '\\', '\u0000', 'constructor'])}${n}`,
        randomJson(random, 3),
      ]) as [string, ReturnType<typeof randomJson>][]
      const text = spelled({ members: [...members, ['touched', { number: '7' }]] }, random)
      const transform = run(
        { type: 'cast', config: { fields: { touched: 'string' } } },
        { type: 'default', config: { values: { more: 1 } } },
        { type: 'mask', config: { fields: ['touched'] } },
        { type: 'field_mapping', config: { mappings: { touched: 'moved' } } },
        { type: 'compute', config: { field: 'sum', expression: 'more + 1' } },
        { type: 'drop', config: { fields: ['more'] } },
      )
      const result = transform(text)
      if (!('json' in result)) throw new Error(JSON.stringify(result))
      const wanted = [...membersOf(text)].slice(0, -1)
      expect([...membersOf(result.json)]).toEqual([...wanted, ['moved', '"*"'], ['sum', '2']])
    }))

  it.each([
    [{}, 'transformations', /expected a list/],
    ['drop', 'transformations', /expected a list/],
    [[7], 'transformations.0', /expected object/i],
    [[{ type: 'drop', config: { fields: ['a'] } }, {}], 'transformations.1.type', /expected string/i],
    [[{ type: 'Drop', config: {} }], 'transformations.0.type', /"Drop" is none of field_mapping, rename, /],
    [[{ type: 'drop', config: { fields: ['a'] }, extra: 1 }], 'transformations.0.extra', /extra/],
    [[{ type: 'drop' }], 'transformations.0.config.fields', /expected array/i],
    [[{ type: 'drop', config: { fields: ['a', 1] } }], 'transformations.0.config.fields.1', /expected string/i],
    [[{ type: 'drop', config: { fields: ['a'], field: 1 } }], 'transformations.0.config.field', /field/],
    [[{ type: 'field_mapping', config: {} }], 'transformations.0.config.mappings', /expected/],
    [[{ type: 'field_mapping', config: { mappings: {} } }], 'transformations.0.config.mappings', /from 1 to/],
    [[{ type: 'field_mapping', config: { mappings: { a: 'x', b: 'x' } } }], 'transformations.0.config.mappings', /two/],
    [[{ type: 'field_mapping', config: { mappings: { a: 1 } } }], 'transformations.0.config.mappings.a', /string/],
    [[{ type: 'cast', config: { fields: { a: 'money' } } }], 'transformations.0.config.fields.a', /string/],
    [[{ type: 'rename', config: {} }], 'transformations.0.config', /expected fields, case, prefix or suffix/],
    [[{ type: 'filter', config: { where: { a: { gte: true } } } }], 'transformations.0.config.where.a', /./],
    [[{ type: 'compute', config: { field: 'x', expression: '1 +' } }], 'transformations.0.config.expression', /read/],
    [[{ type: 'dedupe', config: { fields: ['a'], window: 1e9 } }], 'transformations.0.config.window', /100000/],
  ])('%j is refused at %s', (list, field, message) => {
    expect(faults(list)).toMatchObject([{ field, message: expect.stringMatching(message) }])
  })

  it('is told all its faults at once', () => {
    const list = [{ type: 'nope' }, { type: 'drop', config: { fields: [] } }, { type: 'compute', config: {} }]
    expect(faults(list).map(({ field }) => field)).toEqual([
      'transformations.0.type',
      'transformations.1.config.fields',
      'transformations.2.config.field',
      'transformations.2.config.expression',
    ])
  })

  it('may not be longer than the limit', () => {
    const drop = { type: 'drop', config: { fields: ['a'] } }
    expect(faults([drop, drop, drop], { ...LIMITS, transformations: 2 })).toEqual([
      { field: 'transformations', message: 'has 3 transformations, more than 2' },
    ])
  })

  it('makes no row longer than rows may be', () => {
    const limits = { ...LIMITS, rowLength: 1000 }
    const transform = (list: unknown, row: string) => compileTransformations(list, 't', limits)()(row)
    const long = [{ type: 'default', config: { values: { a: 'x'.repeat(2000) } } }]
    expect(transform(long, '{}')).toMatchObject({ refused: { code: 'TOO_LONG', index: 0 } })
    // Each of these thousand fields would have the long name in its own.
    const many = JSON.stringify({ ['n'.repeat(200)]: Object.fromEntries([...Array(100).keys()].map(n => [n, n])) })
    expect(transform([{ type: 'flatten' }], many)).toMatchObject({ refused: { code: 'TOO_LONG', index: 0 } })
  })
})

describe('dedupe', () => {
  const start = compileTransformations([{ type: 'dedupe', config: { fields: ['id', 'n'], window: 2 } }], 't', LIMITS)

  it('drops repeats of a key within a run, however they are spelled', () => {
    const transform = start()
    expect(transform('{"id":1,"n":"a"}')).toEqual({ json: '{"id":1,"n":"a"}' })
    expect(transform('{"n":"\\u0061","x":true,"id":1.0}')).toEqual({ dropped: true })
    expect(transform('{"id":"1","n":"a"}')).toEqual({ json: '{"id":"1","n":"a"}' })
    // Another run knows nothing of it.
    expect(start()('{"id":1,"n":"a"}')).toEqual({ json: '{"id":1,"n":"a"}' })
  })

  it('does not take two long keys for one', () => {
    const transform = start()
    const row = (end: string) => JSON.stringify({ id: 'x'.repeat(500) + end, n: 1 })
    expect([row('a'), row('b'), row('a')].map(json => 'dropped' in transform(json))).toEqual([false, false, true])
  })

  it('forgets the oldest key past its window', () => {
    const transform = start()
    const kept = [1, 2, 3, 3, 2, 1].map(id => 'json' in transform(`{"id":${id},"n":0}`))
    expect(kept).toEqual([true, true, true, false, false, true])
  })

  it('keeps rows that lack a part of the key', () => {
    const transform = start()
    for (const row of ['{"id":1}', '{"id":1}', '{"id":1,"n":null}', '{"id":1,"n":null}'])
      expect(transform(row)).toEqual({ json: row })
  })
})

it('compute gives up on an expression that went over its limits three times', () => {
  const transform = run({ type: 'compute', config: { field: 'x', expression: 'n = 1 ? [1..1000000] : n' } })
  const codes = [0, 1, 1, 0, 1, 0].map(n => {
    const result = transform(`{"n":${n}}`)
    return 'refused' in result ? result.refused.message.replace(/.*: (it|the|The) /, '').slice(0, 12) : 'taken'
  })
  expect(codes).toEqual(['taken', 'maximum sequ', 'maximum sequ', 'taken', 'maximum sequ', 'expression w'])
})
