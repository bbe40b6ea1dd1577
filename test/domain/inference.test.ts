import { describe, expect, it } from 'vitest'
import { compileSchema } from '../../src/catalog/schemas/compile.ts'
import { FORMATS, hasFormat } from '../../src/domain/formats.ts'
import { inferSchema, startInference } from '../../src/domain/inference.ts'
import { objectText, quoted } from '../../src/kernel/members.ts'
import { randomJson, spelled } from '../kit/json.ts'
import { property } from '../kit/random.ts'

const LIMITS = { columns: 100, rows: 1000 }
const SCHEMAS = { schemaLength: 1_000_000, schemasCached: 1 }

/** The columns inferred from values of one column `a`, each in a row. */
function column(...values: string[]) {
  return (
    inferSchema(
      values.map(value => `{"a":${value}}`),
      LIMITS,
    ).properties as { a: unknown }
  ).a
}

describe('a schema inferred from rows', () => {
  it('has columns in the order they were seen, and requires those that every row has', () => {
    const rows = ['{"id":1,"name":"Ann"}', '{"name":null,"id":2,"note":"x"}', '{"id":3.5}']
    expect(inferSchema(rows, LIMITS)).toEqual({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { id: { type: 'number' }, name: { type: ['string', 'null'] }, note: { type: 'string' } },
      required: ['id'],
    })
  })

  it.each([
    [['1', '-2', '9007199254740993'], { type: 'integer' }],
    [['1', '1.0'], { type: 'number' }],
    [['1e3'], { type: 'number' }],
    [['1', '"x"'], { type: ['integer', 'string'] }],
    [['"x"', '1.5', '2', 'null', 'true'], { type: ['number', 'string', 'boolean', 'null'] }],
    [['{}', '[]'], { type: ['object', 'array'] }],
    [['null', 'null'], {}],
    [['null', '7'], { type: ['integer', 'null'] }],
    [['"2024-02-29"', '"2023-01-01"'], { type: 'string', format: 'date' }],
    [['"2024-02-29"', 'null'], { type: ['string', 'null'], format: 'date' }],
    [['"2024-02-29"', '"2023-02-29"'], { type: 'string' }],
    [['"2024-01-01T00:00:00.123Z"', '"2024-01-01T00:00:00+05:30"'], { type: 'string', format: 'date-time' }],
    [['"2024-01-01"', '"2024-01-01T00:00:00Z"'], { type: 'string' }],
    [['"0a1b2c3d-0000-4000-8000-000000000000"'], { type: 'string', format: 'uuid' }],
    [['"ann@example.org"'], { type: 'string', format: 'email' }],
    [['"ann@example.org"', '""'], { type: 'string' }],
  ])('of %j is %j', (values, schema) => {
    expect(column(...values)).toEqual(schema)
  })

  it('of no rows lists no columns', () => {
    expect(inferSchema([], LIMITS)).toMatchObject({ type: 'object', properties: {} })
  })

  it('takes odd names for what they are, and leaves out __proto__, which nobody could check', () => {
    const inference = startInference(LIMITS)
    inference.add('{"constructor":1,"__proto__":2,"":3}')
    expect(Object.keys(inference.schema().properties as object)).toEqual(['constructor', ''])
    expect(inference.leftOut).toBe(true)
  })

  it('is bounded in columns and rows', () => {
    const inference = startInference({ columns: 2, rows: 2 })
    expect([inference.add('{"a":1,"b":1,"c":1}'), inference.leftOut]).toEqual([true, true])
    expect([inference.add('{"a":1}'), inference.add('{"a":"x"}'), inference.rows]).toEqual([true, false, 2])
    expect(inference.schema()).toMatchObject({
      properties: { a: { type: 'integer' }, b: { type: 'integer' } },
      required: ['a'],
    })
  })

  it('takes every row that it was made from', () =>
    property(300, random => {
      const texts = ['"2024-02-29"', '"2024-01-01T10:00:00Z"', '"a@b.org"', '"1985-04-12T23:20:50.52Z"', '"2024-12-31"']
      const rows = Array.from({ length: 1 + random.int(5) }, () => {
        const row = new Map<string, string>()
        for (const name of ['a', 'b', 'constructor'])
          if (random.chance(0.7))
            row.set(name, random.chance(0.5) ? random.pick(texts) : spelled(randomJson(random, 2), random))
        return objectText(row)
      })
      const validate = compileSchema(inferSchema(rows, LIMITS), 'schema', SCHEMAS)
      for (const row of rows) expect({ row, fails: validate(row) }).toEqual({ row, fails: null })
    }))
})

it('what has a format here has it for the validator', () =>
  property(2000, random => {
    const pieces = [
      '2024',
      '-',
      '02',
      '29',
      '30',
      'T',
      ':',
      '00',
      '23',
      '60',
      '.5',
      'Z',
      '+05:30',
      'a',
      '@',
      'b.org',
      '',
    ]
    const text = random.chance(0.5)
      ? Array.from({ length: random.int(12) }, () => random.pick(pieces)).join('')
      : random.pick(['2024-02-29', '2024-02-29T23:59:60Z', '2024-02-29T00:00:00.5+05:30', 'a@b.org', 'a.b@c-d.e.fg'])
    for (const format of FORMATS) {
      if (!hasFormat(text, format)) continue
      const validate = compileSchema({ format }, 'schema', SCHEMAS)
      expect({ text, format, fails: validate(quoted(text)) }).toEqual({ text, format, fails: null })
    }
  }))
