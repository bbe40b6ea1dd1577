import { describe, expect, it } from 'vitest'
import { createRowRules, type DatasetRules, type RunOptions } from '../../src/intake/row-rules.ts'
import { DomainError } from '../../src/kernel/errors.ts'
import { LIMITS as TRANSFORMATIONS } from '../kit/transformations.ts'

const LIMITS = { ...TRANSFORMATIONS, schemaLength: 65_536, schemasCached: 10, schemaColumns: 1000 }
const BOTH: RunOptions = { validate: true, transform: true }

function started(rules: DatasetRules, options: Partial<RunOptions> = {}) {
  return createRowRules(LIMITS)(rules).start({ ...BOTH, ...options })!
}

const RULES: DatasetRules = {
  schema: { properties: { id: { type: 'string' }, amount: { type: 'number', minimum: 0 } }, required: ['id'] },
  transformations: [
    { type: 'field_mapping', config: { mappings: { customer_id: 'id' } } },
    { type: 'cast', config: { fields: { id: 'string' } } },
    { type: 'filter', config: { where: { kind: { ne: 'test' } } } },
  ],
}

describe('the rules of a data set', () => {
  it('transform a row, then hold it against the schema', () => {
    const run = started(RULES)
    expect(run.row('{"customer_id":9007199254740993,"amount":1.10}')).toEqual({
      json: '{"id":"9007199254740993","amount":1.10}',
    })
    expect(run.row('{"customer_id":1,"kind":"test","amount":"x"}')).toEqual({ dropped: true })
    expect(run.row('{"amount":1}')).toEqual({
      refused: {
        stage: 'transform',
        code: 'MISSING_FIELD',
        field: 'customer_id',
        message: 'transformations.0 (field_mapping): the row has no field customer_id',
      },
    })
    expect(run.row('{"customer_id":1,"amount":-1}')).toEqual({
      refused: {
        stage: 'validate',
        code: 'SCHEMA_VIOLATION',
        field: '/amount',
        message: '/amount: must be >= 0',
        value: '-1',
      },
    })
  })

  it('are followed as far as the push asks', () => {
    expect(started(RULES, { validate: false }).row('{"customer_id":1,"amount":-1}')).toEqual({
      json: '{"id":"1","amount":-1}',
    })
    expect(started(RULES, { transform: false }).row('{"customer_id":1}')).toMatchObject({
      refused: { stage: 'validate', field: '/id' },
    })
  })

  it('that ask nothing cost nothing', () => {
    const compile = createRowRules(LIMITS)
    for (const rules of [
      {},
      { schema: null, transformations: null },
      { transformations: [], schema_contract: 'freeze' },
    ])
      expect(compile(rules).start(BOTH)).toBeUndefined()
    expect(compile(RULES).start({ validate: false, transform: false })).toBeUndefined()
    expect(compile({ schema: RULES.schema }).start({ validate: false, transform: true })).toBeUndefined()
    expect(
      compile({ transformations: RULES.transformations }).start({ validate: true, transform: false }),
    ).toBeUndefined()
  })

  it('tell a row apart from a push that freeze stops', () => {
    const run = started({ ...RULES, transformations: null, schema_contract: 'freeze' })
    expect(run.row('{"id":"1"}')).toEqual({ json: '{"id":"1"}' })
    expect(run.row('{"id":"1","amount":-1,"new":1}')).toEqual({
      frozen: {
        stage: 'validate',
        code: 'SCHEMA_VIOLATION',
        field: '/new',
        message: '/new: is not in the schema (and 1 more)',
        value: '1',
      },
    })
  })

  it('take values out under discard_value', () => {
    const run = started({ schema: RULES.schema, schema_contract: 'discard_value' })
    expect(run.row('{"id":"1","amount":-1, "new":1}')).toEqual({ json: '{"id":"1"}' })
  })

  it('refuse a row whose check takes too much', () => {
    const run = started({ schema: { $ref: '#' } })
    expect(run.row('{}')).toMatchObject({ refused: { stage: 'validate', code: 'SCHEMA_TOO_COSTLY', field: '' } })
  })

  it.each([
    [{ schema: [] }, 'schema'],
    [{ schema: true }, 'schema'],
    [{ schema: { type: 'x' } }, 'schema.type'],
    [{ schema_contract: 'thaw' }, 'schema_contract'],
    [{ transformations: {} }, 'transformations'],
    [{ transformations: [{ type: 'x' }] }, 'transformations.0.type'],
  ])('%j are refused', (rules, field) => {
    try {
      createRowRules(LIMITS)(rules)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(DomainError)
      expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [expect.objectContaining({ field })] })
    }
  })
})

describe('rows that are all text', () => {
  const schema = {
    properties: {
      n: { type: 'integer' },
      price: { type: ['number', 'null'] },
      yes: { type: 'boolean' },
      either: { type: ['integer', 'string'] },
      text: { type: 'string' },
    },
  }

  it('are read as the schema has its columns', () => {
    const run = started({ schema }, { textOnly: true })
    expect(run.row('{"n":"9007199254740993","price":"1.10","yes":"true","either":"1","text":"1","more":"1"}')).toEqual({
      json: '{"n":9007199254740993,"price":1.10,"yes":true,"either":"1","text":"1","more":"1"}',
    })
    expect(run.row('{"n":"abc"}')).toMatchObject({ refused: { field: '/n', message: '/n: must be integer' } })
    expect(run.row('{"n":"1.5"}')).toMatchObject({ refused: { field: '/n' } })
  })

  it('only when they are said to be', () => {
    expect(started({ schema }).row('{"n":"1"}')).toMatchObject({ refused: { field: '/n' } })
  })
})

describe('a schema that evolves', () => {
  const evolving = { schema: { properties: { a: { type: 'integer' } }, required: ['a'] }, schema_contract: 'evolve' }

  it('takes every row and says what it has become', () => {
    const run = started(evolving)
    expect(run.row('{"a":1}')).toEqual({ json: '{"a":1}' })
    expect(run.evolved).toBeUndefined()
    expect(run.row('{"a":1.5,"b":"x"}')).toEqual({ json: '{"a":1.5,"b":"x"}' })
    expect(run.row('{"b":null}')).toEqual({ json: '{"b":null}' })
    expect(run.evolved).toEqual({ properties: { a: { type: 'number' }, b: { type: ['string', 'null'] } } })
    // Another run begins where the data set is.
    expect(started(evolving).evolved).toBeUndefined()
  })

  it('begins with nothing where there is no schema', () => {
    const run = started({ schema_contract: 'evolve' })
    run.row('{"a":1}')
    expect(run.evolved).toEqual({ properties: { a: { type: 'integer' } } })
  })

  it('is compiled anew when many rows go beyond it, and stays right', () => {
    const run = started(evolving)
    for (let i = 0; i < 5000; i++) run.row(`{"a":${i},"b":${i},"c${i % 20}":true}`)
    expect(run.row('{"a":1,"b":"now text"}')).toEqual({ json: '{"a":1,"b":"now text"}' })
    const { properties } = run.evolved as { properties: Record<string, unknown> }
    expect(Object.keys(properties)).toHaveLength(22)
    expect(properties.b).toEqual({ type: ['integer', 'string'] })
  })

  it('grows no longer than schemas may be, and takes the rows all the same', () => {
    const limits = { ...LIMITS, schemaLength: 1000 }
    const run = createRowRules(limits)({ schema_contract: 'evolve' }).start(BOTH)!
    for (let i = 0; i < 3000; i++) expect(run.row(`{"column${i}":1}`)).toEqual({ json: `{"column${i}":1}` })
    expect(JSON.stringify(run.evolved).length).toBeLessThan(1000)
  })
})
