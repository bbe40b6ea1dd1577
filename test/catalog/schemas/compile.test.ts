import { describe, expect, it } from 'vitest'
import { compileSchema, createSchemaCache } from '../../../src/catalog/schemas/compile.ts'
import { DomainError } from '../../../src/kernel/errors.ts'

const LIMITS = { schemaLength: 65_536, schemasCached: 3 }

/** What fails of a row, as pointer and keyword. */
function failures(schema: unknown, row: unknown) {
  const json = typeof row === 'string' ? row : JSON.stringify(row)
  return compileSchema(schema, 'schema', LIMITS)(json)?.map(({ pointer, keyword }) => `${pointer} ${keyword}`) ?? null
}

const ORDER = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    id: { type: 'string', format: 'uuid' },
    amount: { type: 'number', minimum: 0 },
    state: { enum: ['new', 'paid'] },
    'a/b~': { type: 'boolean' },
    lines: { type: 'array', items: { $ref: '#/$defs/line' } },
  },
  required: ['id', 'amount'],
  $defs: { line: { type: 'object', properties: { sku: { type: 'string', pattern: '^[A-Z]{2}-\\d+$' } } } },
}
const ID = '0a1b2c3d-0000-4000-8000-000000000000'

describe('a schema', () => {
  it('takes what fits', () => {
    expect(failures(ORDER, { id: ID, amount: 1.5, state: 'new', lines: [{ sku: 'AB-1' }], more: null })).toBeNull()
  })

  it('names every failing value by its pointer', () => {
    const row = { id: 'x', state: 'old', 'a/b~': 1, lines: [{}, { sku: 'ab-1' }] }
    expect(failures(ORDER, row)?.sort()).toEqual([
      '/amount required',
      '/a~1b~0 type',
      '/id format',
      '/lines/1/sku pattern',
      '/state enum',
    ])
  })

  it('says why in words', () => {
    const validate = compileSchema({ ...ORDER, additionalProperties: false }, 'schema', LIMITS)
    expect(validate(`{"id":"${ID}","amount":-1,"extra":1,"state":"old"}`)).toEqual(
      expect.arrayContaining([
        { pointer: '/amount', keyword: 'minimum', message: 'must be >= 0' },
        { pointer: '/extra', keyword: 'additionalProperties', message: 'is not in the schema' },
        { pointer: '/state', keyword: 'enum', message: 'must be one of ["new","paid"]' },
      ]),
    )
    expect(validate(`{"id":"${ID}"}`)).toEqual([{ pointer: '/amount', keyword: 'required', message: 'is missing' }])
  })

  it('tells the choice that failed, not each of its branches', () => {
    const schema = { properties: { a: { anyOf: [{ type: 'string' }, { type: 'number' }] } } }
    expect(failures(schema, { a: true })).toEqual(['/a anyOf'])
    const dependent = JSON.parse('{"if":{"required":["a"]},"then":{"required":["b"]}}')
    expect(failures(dependent, { a: 1 })).toEqual(['/b required'])
  })

  it('knows inherited names from a row’s own', () => {
    const schema = { properties: { constructor: { type: 'string' } }, required: ['toString'] }
    expect(failures(schema, {})).toEqual(['/toString required'])
    expect(failures(schema, '{"toString":1,"constructor":"x"}')).toBeNull()
    expect(failures({ additionalProperties: false }, '{"__proto__":1}')).toEqual(['/__proto__ additionalProperties'])
  })

  it('keeps two patterns apart', () => {
    const schema = { patternProperties: { '^a': { type: 'integer' }, '^b': { type: 'string' } } }
    expect(failures(schema, { a: 1, b: 'x' })).toBeNull()
    expect(failures(schema, { a: 'x', b: 1 })).toEqual(['/a type', '/b type'])
    expect(failures({ propertyNames: { pattern: '^\\p{Lowercase_Letter}+$' } }, { ä: 1, B: 2 })).toEqual(['/B pattern'])
  })

  it.each([
    ['date', '2024-02-29', '2023-02-29'],
    ['date-time', '2024-01-01T00:00:00Z', '2024-01-01 00:00'],
    ['email', 'ann@example.org', 'ann@'],
    ['uri', 'https://example.org/a?b#c', 'example.org'],
    ['ipv4', '127.0.0.1', '256.0.0.1'],
    ['uuid', ID, 'abc'],
    ['no-such-format', 'anything', undefined],
  ])('checks the format %s', (format, good, bad) => {
    expect(failures({ properties: { a: { format } } }, { a: good })).toBeNull()
    if (bad !== undefined) expect(failures({ properties: { a: { format } } }, { a: bad })).toEqual(['/a format'])
  })
})

describe('numbers of a row', () => {
  const check = (schema: unknown, number: string) => failures({ properties: { n: schema } }, `{"n":${number}}`)

  it.each([
    [{ type: 'integer' }, '9007199254740993', true],
    [{ type: 'integer' }, '123456789012345678901234567890', true],
    [{ type: 'integer' }, '1.0', true],
    [{ type: 'integer' }, '1e400', true],
    [{ type: 'number' }, '-1e400', true],
    [{ type: 'integer' }, '1.00000000000000000001', false],
    [{ type: 'integer' }, '1e-400', false],
    [{ maximum: 9007199254740992 }, '9007199254740992', true],
    [{ maximum: 9007199254740992 }, '9007199254740993', false],
    [{ minimum: -9007199254740992 }, '-9007199254740993', false],
    [{ exclusiveMinimum: 9007199254740992 }, '9007199254740993', true],
    [{ maximum: 0.1 }, '0.10000000000000000000001', false],
    [{ exclusiveMaximum: 0.1 }, '0.09999999999999999999999', true],
    [{ minimum: 0 }, '-1e-400', false],
    [{ exclusiveMinimum: 0 }, '1e-400', true],
    [{ maximum: 1e300 }, '1e400', false],
    [{ const: 9007199254740992 }, '9007199254740993', false],
    [{ enum: [9007199254740992, 0.1] }, '0.1000000000000000000000', true],
    [{ multipleOf: 0.01 }, '19.99', true],
    [{ multipleOf: 0.1 }, '0.35', false],
    [{ multipleOf: 2 }, '9007199254740993', false],
    [{ multipleOf: 3 }, '9007199254740993', true],
    [{ multipleOf: 0.5 }, '1e400', true],
  ])('%j and %s: %s', (schema, number, fits) => {
    expect(check(schema, number) === null).toBe(fits)
  })

  it('are found where they are', () => {
    const schema = { properties: { list: { items: { multipleOf: 2 } } } }
    expect(failures(schema, '{"list":[9007199254740992,9007199254740993,9007199254740995]}')).toEqual([
      '/list/1 multipleOf',
      '/list/2 multipleOf',
    ])
  })
})

/** The details of the refusal of a schema. */
function faults(schema: unknown) {
  try {
    compileSchema(schema, 'schema', LIMITS)
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError)
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' })
    return (error as DomainError).details.map(({ field, message }) => `${field}: ${message}`)
  }
  throw new Error('the schema was taken')
}

const nested = (levels: number) => JSON.parse(`${'{"not":'.repeat(levels)}{}${'}'.repeat(levels)}`)

describe('a schema is refused', () => {
  it.each([
    ['because it is none', [], /^schema: expected a JSON Schema/],
    ['because it is none', 'object', /^schema: expected a JSON Schema/],
    ['for a type there is not', { type: 'strnig' }, /^schema\.type: must be one of/],
    ['where it is wrong', { properties: { a: { minimum: '1' } } }, /^schema\.properties\.a\.minimum: must be number/],
    ['for another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, /^schema\.\$schema: expected .*2020/],
    ['for a reference elsewhere', { $ref: 'http://127.0.0.1:1/x' }, /http:\/\/127\.0\.0\.1:1\/x, which is not in it/],
    ['for one relative to its name', { $id: 'http://a.b/c', $ref: 'd' }, /http:\/\/a\.b\/d, which is not in it/],
    ['for one into a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }, /which is not in it/],
    ['for one to nothing', { $ref: '#/$defs/x' }, /#\/\$defs\/x, which is not in it/],
    ['for look-around', { properties: { a: { pattern: '(?!x)' } } }, /^schema\.properties\.a\.pattern: .*look-around/],
    ['for a broken pattern', { patternProperties: { '(': {} } }, /^schema\.patternProperties\.\(: /],
    ['for a huge pattern', { pattern: '((a{1,100}){1,10}){1,10}' }, /^schema\.pattern: .*(too large|invalid)/],
    ['for its size', { title: 'x'.repeat(70_000) }, /^schema: has 700\d\d characters, more than 65536/],
    ['for its depth', nested(100), /^schema: is nested deeper than 60/],
    ['for a long list', { anyOf: Array(400).fill({}) }, /^schema\.anyOf: has 400 schemas, more than 300/],
    ['for being asynchronous', { $async: true }, /^schema\.\$async: /],
    ['for __proto__', JSON.parse('{"properties":{"__proto__":{}}}'), /^schema\.properties: .*__proto__/],
  ])('%s', (_why, schema, message) => {
    expect(faults(schema)).toEqual(expect.arrayContaining([expect.stringMatching(message)]))
  })
})

it('a schema is never run as code', () => {
  const names = ["a'];globalThis.broken=1;//", '`$' + '{globalThis.broken=1}`', '"+(globalThis.broken=1)+"', '\u2028']
  for (const name of names) {
    const schema = { properties: { [name]: { const: name, title: name } }, required: [name], $defs: { [name]: {} } }
    expect(failures(schema, { [name]: name })).toBeNull()
  }
  expect('broken' in globalThis).toBe(false)
})

describe('a row whose check would take for ever', () => {
  const twice = (n: number) => ({ allOf: [{ $ref: `#/$defs/d${n}` }, { $ref: `#/$defs/d${n}` }] })
  const doubling = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`d${n}`, twice(n + 1)]))
  const list = JSON.parse(`${'['.repeat(90)}${']'.repeat(90)}`)
  const objects = Array.from({ length: 20_000 }, (_, i) => ({ i }))

  it.each([
    ['definitions that double', { $ref: '#/$defs/d0', $defs: { ...doubling, d30: {} } }, {}],
    ['a schema within itself', { $ref: '#' }, {}],
    ['choices at each level', { items: { anyOf: [{ $ref: '#' }, { $ref: '#' }, {}] } }, list],
    ['the same look again', { allOf: Array(300).fill({ maxProperties: 1e6 }) }, { ...Array(60_000).fill(1) }],
    ['much text for a pattern', { items: { pattern: '(?:[a-z]{1,20} ?){1,20}x$' } }, ['ab'.repeat(300_000)]],
  ])('is refused: %s', (_what, schema, row) => {
    expect(failures(schema, row)).toEqual([' work'])
  })

  it('is checked, if there is a quick way', () => {
    expect(failures({ pattern: '^(a|a)*$' }, JSON.stringify(`${'a'.repeat(100_000)}!`))).toEqual([' pattern'])
    expect(failures({ uniqueItems: true }, objects)).toBeNull()
    expect(failures({ uniqueItems: true }, [...objects, { i: 1.0 }])).toEqual([' uniqueItems'])
    // Not one violation for each of them.
    expect(failures({ items: { type: 'string' } }, objects)).toHaveLength(100)
    expect(failures({ format: 'uri-template' }, JSON.stringify('P::'.repeat(100_000)))).toEqual([' format'])
  })
})

describe('compiled schemas', () => {
  it('are kept by what they say, the last ones used', () => {
    const compile = createSchemaCache(LIMITS)
    const schema = (n: number) => ({ minProperties: n, $id: 'http://example.org/one' })
    const kept = [1, 2, 3].map(n => compile(schema(n), 'schema'))
    expect(compile(schema(1), 'schema')).toBe(kept[0])
    compile(schema(4), 'schema')
    expect(compile(schema(1), 'schema')).toBe(kept[0])
    expect(compile(schema(2), 'schema')).not.toBe(kept[1])
    expect(compile(schema(2), 'schema')('{"a":1}')).toHaveLength(1)
  })

  it('that are refused are refused again', () => {
    const compile = createSchemaCache(LIMITS)
    for (let n = 0; n < 2; n++) expect(() => compile({ type: 'x' }, 'there')).toThrow(/^there\.type: /)
  })
})
