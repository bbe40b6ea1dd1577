import { describe, expect, it } from 'vitest'
import { hasRules, keepsRules } from '../../src/domain/accuracy.ts'

describe('a schema has rules', () => {
  it.each([
    [false, {}],
    [false, { type: 'object', properties: { n: { type: ['integer', 'null'] } }, required: ['n'] }],
    [false, { additionalProperties: false, properties: { n: { items: { type: 'string' } } } }],
    [false, { properties: { format: { type: 'string' }, enum: {}, maximum: { title: 'minimum' } } }],
    [false, { properties: { n: { default: { minimum: 1 }, examples: [{ pattern: 'a' }] } } }],
    [true, { properties: { n: { maximum: 3 } } }],
    [true, { properties: { list: { items: { type: 'string', format: 'date' } } } }],
    [true, { properties: { format: { enum: ['a', 'b'] } } }],
    [true, { $defs: { code: { pattern: '^a' } }, properties: { code: { $ref: '#/$defs/code' } } }],
    [true, { allOf: [{ type: 'object' }, { minProperties: 1 }] }],
    [true, { dependentRequired: { a: ['b'] } }],
  ])('%s: %j', (expected, schema) => {
    expect(hasRules(schema)).toBe(expected)
  })
})

describe('a record keeps them', () => {
  it.each([
    [true, null],
    [true, ['type', 'required', 'additionalProperties']],
    [false, ['type', 'maximum']],
    [false, ['anyOf']],
    [null, ['work']],
    [null, ['pattern', 'work']],
  ])('%s when this fails: %j', (expected, failing) => {
    expect(keepsRules(failing?.map(keyword => ({ keyword })) ?? null)).toBe(expected)
  })
})
