import { type DocumentNode, getIntrospectionQuery, parse, specifiedRules, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../../../src/config.ts'
import { checkDocument, parseWithin } from '../../../src/edge/graphql/limits.ts'
import { schema } from '../../../src/edge/graphql/schema.ts'

const config = readConfig({})

function check(
  query: string | DocumentNode,
  variables: Record<string, unknown> = {},
  env: Record<string, string> = {},
) {
  const document = typeof query === 'string' ? parse(query) : query
  checkDocument(schema, readConfig(env), document, { variables })
}

/** What the least limit of the cost is that lets a query through. */
function costOf(query: string, variables: Record<string, unknown> = {}): number {
  try {
    check(query, variables, { MAX_GRAPHQL_COST: '1' })
    return 1
  } catch (error) {
    return Number(/has (\S+) values/.exec((error as Error).message)![1])
  }
}

const nested = (levels: number) => {
  const pairs = Math.ceil((levels - 3) / 2)
  return `{ records(dataset: "d", first: 1) { nodes { ${'inDataset { record(id: "r") { '.repeat(pairs)} id ${'} }'.repeat(pairs)} } } }`
}

describe('the depth of a query', () => {
  it('is held, and said', () => {
    expect(() => check(nested(50))).toThrow('the query has 51 levels, more than 20')
    expect(() => check(nested(19))).not.toThrow()
  })

  it('counts what is in fragments, in line or not', () => {
    const query = `{ jobs { ...A } } fragment A on JobConnection { nodes { ... on Job { runs { nodes { id } } } } }`
    expect(() => check(query, {}, { MAX_GRAPHQL_DEPTH: '4' })).toThrow('5 levels, more than 4')
    expect(() => check(query, {}, { MAX_GRAPHQL_DEPTH: '5' })).not.toThrow()
  })

  it('leaves room for the introspection of clients', () => {
    const options = { inputValueDeprecation: true, specifiedByUrl: true, directiveIsRepeatable: true, oneOf: true }
    expect(() => check(getIntrospectionQuery(options))).not.toThrow()
    expect(validate(schema, parse(getIntrospectionQuery(options)), specifiedRules)).toEqual([])
  })

  it('is held for introspection as well, and what grows in it is refused', () => {
    const deep = `{ __schema { types { ${'fields { type { '.repeat(10)} name ${'} }'.repeat(10)} } } }`
    expect(() => check(deep)).toThrow('levels, more than 20')
    const wide = `{ __schema { types { ${'fields { type { '.repeat(4)} name ${'} }'.repeat(4)} } } }`
    expect(validate(schema, parse(wide), specifiedRules).map(({ message }) => message)).toEqual([
      'Maximum introspection depth exceeded',
    ])
  })
})

describe('the cost of a query', () => {
  it.each([
    ['{ position }', {}, 1],
    ['{ jobs { nodes { id } } }', {}, 11 + 20 * 2],
    ['{ jobs(first: 3) { edges { cursor node { id name } } pageInfo { endCursor } } }', {}, 11 + 3 * (5 + 2)],
    ['{ jobs(first: 3) { nodes { runs(first: 5) { nodes { id } } } } }', {}, 11 + 3 * (1 + 11 + 5 * 2)],
    ['query Q($n: Int) { jobs(first: $n) { nodes { id } } }', { n: 7 }, 11 + 7 * 2],
    ['query Q($n: Int = 9) { jobs(first: $n) { nodes { id } } }', {}, 11 + 9 * 2],
    ['{ jobs(first: 2) { nodes { logs(last: 30) { nodes { message } } } } }', {}, 11 + 2 * (1 + 11 + 30 * 2)],
    ['{ jobs(first: 2) { nodes { logs(first: 9, last: 3) { nodes { message } } } } }', {}, 11 + 2 * (1 + 11 + 9 * 2)],
    ['{ jobs(first: 3) { ...F } other: jobs(first: 4) { ...F } } fragment F on JobConnection { nodes { id } }', {}, 36],
    ['{ events(first: 10) { nodes { id } } }', {}, 5011 + 10 * 2],
    ['{ nothing { at { all } } }', {}, 3],
  ])('%s', (query, variables, cost) => {
    expect(costOf(query, variables)).toBe(cost)
  })

  it('of fragments that double each other is known at once', () => {
    const count = 300
    const bomb = Array.from({ length: count }, (_, n) => `fragment F${n} on Job { ...F${n + 1} ...F${n + 1} }`).join(
      '\n',
    )
    const query = `{ jobs(first: 1) { nodes { ...F0 } } } ${bomb} fragment F${count} on Job { runs(first: 1) { nodes { id } } }`
    expect(() => check(query)).toThrow(/values to give at most, more than 50000/)
  })

  it('is that of the operation that is asked for', () => {
    const query =
      'query Small { position } query Large { jobs(first: 1000) { nodes { runs(first: 1000) { nodes { id } } } } }'
    const asked = (operationName: string) => () => checkDocument(schema, config, parse(query), { operationName })
    expect(asked('Small')).not.toThrow()
    expect(asked('Large')).toThrow('2012011 values')
  })
})

describe('what else is held', () => {
  const read =
    (query: string, env: Record<string, string> = {}) =>
    () =>
      parseWithin(readConfig(env), query)

  it('is the number of aliases and directives, before there is anything of the query', () => {
    const many = `query Q($a: Int) { ${Array.from({ length: 51 }, (_, n) => `a${n}: b(c: {d: "x:y"})`).join(' ')} }`
    expect(read(many)).toThrow('the query has 51 aliases, more than 50')
    expect(read(many, { MAX_GRAPHQL_ALIASES: '51' })).not.toThrow()
    const directives = `{ position ${'@include(if: true) '.repeat(51)} }`
    expect(read(directives)).toThrow('the query has 51 directives, more than 50')
    expect(read(directives, { MAX_GRAPHQL_DIRECTIVES: '51' })).not.toThrow()
  })

  it('is the size of a page, as a literal, a variable or its default', () => {
    const message = 'first: jobs: expected a whole number from 0 to 1000, got 1001'
    expect(() => check('{ jobs(first: 1001) { nodes { id } } }')).toThrow(message)
    const query = 'query Q($n: Int = 1001) { jobs(first: $n) { nodes { id } } }'
    expect(() => check(query)).toThrow(message)
    expect(() => check(query, { n: 1001 })).toThrow(message)
    expect(() => check(query, { n: -1 })).toThrow('got -1')
    expect(() => check(query, { n: 1000 })).not.toThrow()
  })

  it('is the length of a query, its tokens and their nesting', () => {
    expect(read(`{ ${'a '.repeat(4999)} }`)).toThrow('the query has 5001 tokens, more than 5000')
    expect(read(`{ ${'a '.repeat(4998)} }`)).not.toThrow()
    expect(read(`{ ${' '.repeat(200_000)} a }`)).toThrow('the query has 200006 characters, more than 200000')
    for (const bracket of ['[', '{ a ', '{ a: ', '(a: '])
      expect(read(`{ a(x: ${bracket.repeat(1500)}`, { MAX_GRAPHQL_ALIASES: '5000' })).toThrow(
        'the query has 1502 brackets open at once, more than 250',
      )
    expect(read('{ a } # { { {')).not.toThrow()
    expect(read('{ a')).toThrow(/Syntax Error/)
  })

  it('passes over what is for validation to refuse', () => {
    const query = '{ ...A ...None nothing { first } } fragment A on Query { ...B } fragment B on Query { ...A }'
    expect(() => check(query)).not.toThrow()
    expect(validate(schema, parse(query), specifiedRules).length).toBeGreaterThan(0)
  })
})
