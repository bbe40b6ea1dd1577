import { describe, expect, it } from 'vitest'
import { compileSchema } from '../../src/catalog/schemas/compile.ts'
import { decideRow, type SchemaContract, schemaFor, withoutValues } from '../../src/domain/contract.ts'
import { type JsonSchema, joinSchemas } from '../../src/domain/schema.ts'

const BIG = '9007199254740993'
const LIMITS = { schemaLength: 65_536, schemasCached: 1 }

/** given a contract and a schema, when a row comes, then what becomes of it */
function given(contract: SchemaContract, schema: JsonSchema, maxColumns = 100) {
  const check = compileSchema(schemaFor(contract, schema), 'schema', LIMITS)
  return {
    when(row: string) {
      const verdict = decideRow(contract, schema, row, check, maxColumns)
      const failed = 'violations' in verdict ? verdict.violations.map(({ pointer }) => pointer).sort() : undefined
      return {
        thenTaken(json: string, columns?: unknown, required?: readonly string[]) {
          expect(verdict).toMatchObject({ is: 'taken', json })
          const evolved = 'schema' in verdict ? verdict.schema : undefined
          expect(evolved?.properties).toEqual(columns)
          if (required) expect(evolved?.required ?? []).toEqual(required)
        },
        thenRefused: (...pointers: string[]) => expect([verdict.is, failed]).toEqual(['refused', pointers]),
        thenFrozen: (...pointers: string[]) => expect([verdict.is, failed]).toEqual(['frozen', pointers]),
      }
    },
  }
}

const ORDERS = {
  type: 'object',
  properties: {
    id: { type: 'integer' },
    amount: { type: 'number', minimum: 0 },
    note: { type: ['string', 'null'], maxLength: 5 },
    address: { type: 'object', properties: { city: { type: 'string' }, zip: { type: 'string' } }, required: ['zip'] },
    tags: { type: 'array', items: { type: 'string' }, minItems: 1 },
  },
  required: ['id'],
}
const { properties: COLUMNS } = ORDERS
const GOOD = `{"id":${BIG},"amount":1.10, "note":null,"tags":["a"]}`

describe.each(['evolve', 'freeze', 'discard_row', 'discard_value'] as const)('%s', contract => {
  it('takes a row that fits as it is', () => {
    given(contract, ORDERS).when(GOOD).thenTaken(GOOD)
  })

  it('takes columns that the schema asks for by additionalProperties', () => {
    const row = '{"id":1,"more":1.0}'
    given(contract, { ...ORDERS, additionalProperties: true })
      .when(row)
      .thenTaken(row)
    given(contract, { ...ORDERS, additionalProperties: { type: 'number' } })
      .when(row)
      .thenTaken(row)
  })

  it('leaves the columns to the schemas that a schema is composed of', () => {
    const composed = { ...ORDERS, allOf: [{ properties: { more: { type: 'number' } } }] }
    given(contract, composed).when('{"id":1,"more":1.0}').thenTaken('{"id":1,"more":1.0}')
  })

  it('does not take a row whose check cannot end', () => {
    const endless = { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } }
    given(contract, endless).when('{}').thenRefused('')
  })
})

describe('discard_row', () => {
  const { when } = given('discard_row', ORDERS)

  it('refuses a row that does not fit, with all that is wrong', () => {
    when('{"id":"x","amount":-1}').thenRefused('/amount', '/id')
    when('{"amount":1}').thenRefused('/id')
    when('{"id":1,"address":{"city":7,"zip":"1"}}').thenRefused('/address/city')
  })

  it('takes columns that are not listed, as JSON Schema has it', () => {
    when('{"id":1,"more":1.0}').thenTaken('{"id":1,"more":1.0}')
    given('discard_row', { ...ORDERS, additionalProperties: false })
      .when('{"id":1,"more":1}')
      .thenRefused('/more')
  })
})

describe('freeze', () => {
  const { when } = given('freeze', ORDERS)

  it('stops the push at a value that does not fit', () => {
    when('{"id":1,"amount":"x"}').thenFrozen('/amount')
    when('{}').thenFrozen('/id')
  })

  it('stops it at a column that is not listed', () => {
    when('{"id":1,"more":1}').thenFrozen('/more')
  })

  it('has nothing to hold on to where no columns are listed', () => {
    given('freeze', { required: ['id'] })
      .when('{"id":1,"more":1}')
      .thenTaken('{"id":1,"more":1}')
  })
})

describe('discard_value', () => {
  const { when } = given('discard_value', ORDERS)

  it('takes out values that do not fit, and keeps the others to the last digit', () => {
    when(`{"id":${BIG},"amount":-1, "note":"too long","x\\u0041":1}`).thenTaken(`{"id":${BIG}}`)
    when(`{"amount":"1","id":${BIG},"note":"\\u0061"}`).thenTaken(`{"id":${BIG},"note":"\\u0061"}`)
  })

  it('takes out columns that are not listed', () => {
    when('{"more":1,"id":1,"__proto__":2,"constructor":3}').thenTaken('{"id":1}')
  })

  it('takes out what fails inside a value, and no more', () => {
    when('{"id":1,"address":{"city":7,"zip":"01","n":1.0}}').thenTaken('{"id":1,"address":{"zip":"01","n":1.0}}')
    when(`{"id":1,"tags":["a",${BIG},"b"]}`).thenTaken('{"id":1,"tags":["a","b"]}')
  })

  it('takes out what too little is left of', () => {
    when('{"id":1,"tags":[1,2]}').thenTaken('{"id":1}')
    when('{"id":1,"address":{"city":"Ulm"}}').thenTaken('{"id":1}')
    when('{"id":1,"address":{"zip":89073}}').thenTaken('{"id":1}')
  })

  it('refuses a row that lacks a required column, or would', () => {
    when('{"amount":1}').thenRefused('/id')
    when('{"id":"x"}').thenRefused('/id')
    given('discard_value', { ...ORDERS, required: ['address'] })
      .when('{"address":{}}')
      .thenRefused('/address')
  })

  it('refuses a row that no taking out would mend', () => {
    given('discard_value', { ...ORDERS, maxProperties: 1 })
      .when('{"id":1,"note":null}')
      .thenRefused('')
  })

  it('takes out hundreds of values', () => {
    const tags = Array.from({ length: 350 }, (_, i) => (i % 7 === 0 ? '"a"' : '1'))
    when(`{"id":1,"tags":[${tags}]}`).thenTaken(`{"id":1,"tags":[${Array(50).fill('"a"')}]}`)
  })
})

describe('evolve', () => {
  const { when } = given('evolve', ORDERS)

  it('adds new columns, with the type of their value', () => {
    const row = `{"id":1,"more":${BIG},"price":1.0,"constructor":"x","later":null}`
    const added = { more: { type: 'integer' }, price: { type: 'number' }, constructor: { type: 'string' } }
    when(row).thenTaken(row, { ...COLUMNS, ...added })
  })

  it('widens the type of a column', () => {
    when('{"id":1.5}').thenTaken('{"id":1.5}', { ...COLUMNS, id: { type: 'number' } })
    when('{"id":"x"}').thenTaken('{"id":"x"}', { ...COLUMNS, id: { type: ['integer', 'string'] } })
    when('{"id":null}').thenTaken('{"id":null}', { ...COLUMNS, id: { type: ['integer', 'null'] } })
  })

  it('drops what a value breaks, and keeps the rest of the column', () => {
    when('{"id":1,"amount":-1}').thenTaken('{"id":1,"amount":-1}', { ...COLUMNS, amount: { type: 'number' } })
    const row = '{"id":1,"note":"too long"}'
    when(row).thenTaken(row, { ...COLUMNS, note: { type: ['string', 'null'] } })
  })

  it('says of a column whose inner values changed only its type', () => {
    const row = '{"id":1,"address":{"zip":1},"tags":[1]}'
    when(row).thenTaken(row, { ...COLUMNS, address: { type: 'object' }, tags: { type: 'array' } })
  })

  it('requires no longer what a row lacks', () => {
    when('{"note":null}').thenTaken('{"note":null}', COLUMNS, [])
  })

  it('begins with nothing', () => {
    given('evolve', {})
      .when('{"a":1,"b":"x"}')
      .thenTaken('{"a":1,"b":"x"}', {
        a: { type: 'integer' },
        b: { type: 'string' },
      })
  })

  it('lets go of what a column refers to', () => {
    const schema = { properties: { a: { $ref: '#/$defs/a', title: 'A' } }, $defs: { a: { type: 'string' } } }
    given('evolve', schema)
      .when('{"a":1}')
      .thenTaken('{"a":1}', { a: { title: 'A' } })
  })

  it('adds no more columns than there may be', () => {
    const { when } = given('evolve', {}, 2)
    when('{"a":1,"b":1,"c":1}').thenTaken('{"a":1,"b":1,"c":1}', { a: { type: 'integer' }, b: { type: 'integer' } })
  })

  it('by violations of an older schema changes nothing that this one admits', () => {
    const older = compileSchema(schemaFor('evolve', {}), 'schema', LIMITS)
    const now = { properties: { a: { type: ['number', 'null'] }, b: { type: 'string' } } }
    expect(decideRow('evolve', now, '{"a":1,"b":"x"}', older, 10)).toEqual({ is: 'taken', json: '{"a":1,"b":"x"}' })
    expect(decideRow('evolve', now, '{"b":1}', older, 10)).toMatchObject({
      schema: { properties: { a: { type: ['number', 'null'] }, b: { type: ['integer', 'string'] } } },
    })
  })
})

describe('values taken out of a JSON text', () => {
  it.each([
    ['{"a":1, "b" : 1.0}', ['/a'], '{"b":1.0}'],
    ['{"a":{"b":[1,2,3]}}', ['/a/b/0', '/a/b/2'], '{"a":{"b":[2]}}'],
    ['{"a/b~":{"x":1}}', ['/a~1b~0/x'], '{"a/b~":{}}'],
    ['{"a":{"b":1}}', ['/a/b', '/a'], '{}'],
    ['{"a":1}', ['/b', '/a/b', '/a/0'], '{"a":1}'],
    ['{"__proto__":1,"b":2}', ['/__proto__'], '{"b":2}'],
    ['{"a":1}', [''], 'null'],
  ])('%s without %j is %s', (json, pointers, left) => {
    expect(withoutValues(json, pointers)).toBe(left)
  })
})

it('two schemas that grew from one are joined to what both have seen', () => {
  const one = {
    title: 'T',
    properties: { a: { type: 'integer', minimum: 0 }, b: { type: 'string' } },
    required: ['a', 'b'],
  }
  const two = { title: 'T', properties: { a: { type: 'string' }, c: {}, b: { type: 'string' } }, required: ['b'] }
  expect(joinSchemas(one, two)).toEqual({
    title: 'T',
    properties: { a: { type: ['integer', 'string'] }, b: { type: 'string' }, c: {} },
    required: ['b'],
  })
  expect(joinSchemas(one, one)).toEqual(one)
})
