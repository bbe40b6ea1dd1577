import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Dimension, qualityOf } from '../../src/domain/quality.ts'
import { profileOf } from '../../src/domain/quality-profile.ts'
import { rowQuality } from '../../src/domain/quality-row.ts'
import { addRecord, createQuality, MAX_COLUMNS, removeRecord, verdictOf } from '../../src/domain/quality-state.ts'
import { profileText, qualityTexts, readQuality } from '../../src/domain/quality-texts.ts'
import type { JsonSchema } from '../../src/domain/schema.ts'
import { membersOf } from '../../src/kernel/members.ts'

function scored(rows: readonly (object | [row: object, verdict: number])[], schema?: JsonSchema) {
  const state = createQuality()
  for (const each of rows) {
    const [row, verdict] = Array.isArray(each) ? each : [each, 0]
    addRecord(state, JSON.stringify(row), verdict)
  }
  const { quality_score, dimensions } = qualityOf(state, schema)
  return { quality_score, dimensions, of: (name: Dimension) => dimensions[name].score }
}

describe('each dimension', () => {
  it('completeness: an absent key, null and a blank text are missing', () => {
    const { of, dimensions } = scored([{ a: 1, b: 'x' }, { a: 2 }, { a: null, b: ' ' }, { a: 3, b: 'y' }])
    expect(of('completeness')).toBe(5 / 8)
    expect(dimensions.completeness.reasons).toEqual([
      { column: 'b', message: '2 of 4 are missing', count: 2, of: 4 },
      { column: 'a', message: '1 of 4 are missing', count: 1, of: 4 },
    ])
  })

  it('validity: by the type of most without a schema', () => {
    const { of, dimensions } = scored([{ a: 1 }, { a: 2.5 }, { a: '3' }, { a: null }, { a: 4 }])
    expect(of('validity')).toBe(0.75)
    expect(dimensions.validity.reasons[0]).toMatchObject({ column: 'a', message: '1 of 4 are not number' })
  })

  it('a column with a very long name, or past those that are looked at, is there all the same when a schema requires it', () => {
    const name = 'How satisfied are you with us? '.repeat(8)
    const long = scored([{ [name]: 1 }, { [name]: 'x' }], {
      properties: { [name]: { type: 'number' } },
      required: [name],
    })
    expect([long.of('completeness'), long.of('validity')]).toEqual([1, 1 / 2])
    const row = Object.fromEntries(Array.from({ length: MAX_COLUMNS + 50 }, (_, n) => [`c${n}`, n]))
    const wide = scored([row], { required: Object.keys(row) })
    expect([wide.of('completeness'), wide.of('validity')]).toEqual([1, 1])
  })

  it('validity: a column may be allowed by a pattern of the schema', () => {
    const schema = { properties: { a: {} }, additionalProperties: false }
    expect(scored([{ a: 1, x_1: 2 }], schema).of('validity')).toBe(1 / 2)
    expect(scored([{ a: 1, x_1: 2 }], { ...schema, patternProperties: { '^x_': {} } }).of('validity')).toBe(1)
  })

  it('validity: by the schema where there is one', () => {
    const properties = { a: { type: 'integer' }, b: { type: ['string', 'null'] } }
    const schema = { type: 'object', properties, required: ['a', 'c'] }
    const { of, dimensions } = scored(
      [
        { a: 1, b: 'x' },
        { a: 2.5, b: null },
        { b: 7, c: 1 },
      ],
      schema,
    )
    // a: 1 of 3; b: 2 of 3; c, of any type, is required and there once in 3.
    expect(of('validity')).toBe(0.4444)
    expect(dimensions.validity.reasons.map(({ column, count }) => [column, count])).toEqual([
      ['a', 2],
      ['c', 2],
      ['b', 1],
    ])
    expect(scored([{ a: 1 }, { a: 2, d: 3 }], { properties, additionalProperties: false }).of('validity')).toBe(0.6667)
  })

  it('uniqueness: equal data under another id', () => {
    const { of, dimensions } = scored([{ a: 1, b: 2 }, { b: 2, a: 1 }, { a: 1 }, { a: 3 }])
    expect(of('uniqueness')).toBe(0.75)
    expect(dimensions.uniqueness.reasons[0]!.message).toBe('1 of 4 have the data of another record')
  })

  it('consistency: how the texts of a column are written', () => {
    const texts = ['LAX', 'SFO', 'lax', 'JFK', ' LAX', 'x'.repeat(65)]
    const { of, dimensions } = scored(texts.map(a => ({ a, b: 1 })))
    expect(of('consistency')).toBe(0.6)
    expect(dimensions.consistency.reasons[0]!.message).toBe('2 of 5 texts are not written as most: upper case')
    expect(scored(['Europe', 'USA', 'New York', 'USA', 'USA'].map(a => ({ a }))).of('consistency')).toBe(1)
    expect(scored(['EUROPE', 'USA', 'Asia', 'europe'].map(a => ({ a }))).of('consistency')).toBe(0.5)
    expect(scored([{ a: '2001-02-03' }, { a: '2001/02/03' }, { a: '2004-05-06' }]).of('consistency')).toBe(0.6667)
    expect(scored([{ a: 1 }]).of('consistency')).toBe(1)
  })

  it('timeliness: how long after it was made a record came', () => {
    const made = '2026-01-01T00:00:00Z'
    const late = (hours: number) => verdictOf(Date.parse(made) + hours * 3_600_000, made, null)
    const { of, dimensions } = scored([0, 1, 2, 24 * 8, 24 * 40].map(hours => [{ a: hours }, late(hours)]))
    expect(of('timeliness')).toBe((1 + 1 + 0.75 + 0.25 + 0) / 5)
    expect(dimensions.timeliness.reasons.map(({ message }) => message)).toEqual([
      '1 of 5 came later than 30 days',
      '1 of 5 came within 30 days only',
      '1 of 5 came within a day only',
    ])
    expect(scored([{ a: 1 }]).dimensions.timeliness).toMatchObject({
      score: null,
      reasons: [{ message: 'no record has metadata.updated_at' }],
    })
  })

  it('accuracy: by the rules that records were held against', () => {
    const [kept, broken] = [verdictOf(0, null, true), verdictOf(0, null, false)]
    expect(scored([[{ a: 1 }, kept], [{ a: 2 }, kept], [{ a: 3 }, broken], { a: 4 }]).of('accuracy')).toBe(0.6667)
    expect(scored([{ a: 1 }]).of('accuracy')).toBeNull()
  })

  it('the score: the mean of those that there are', () => {
    const { quality_score } = scored([{ a: 1, b: 'x' }, { a: 2 }, { a: null, b: ' ' }, { a: 3, b: 'y' }])
    expect(quality_score).toBe(Math.round(((5 / 8 + 1 + 1 + 1) / 4) * 10_000) / 10_000)
    expect(scored([]).quality_score).toBe(0)
  })
})

it('is as docs/quality.md works it out', () => {
  const docs = readFileSync(new URL('../../docs/quality.md', import.meta.url), 'utf8')
  const state = createQuality()
  for (const [line] of docs.matchAll(/^\{"id".*$/gm)) addRecord(state, membersOf(line).get('data')!)
  const { quality_score, dimensions } = qualityOf(state)
  expect(state.records).toBe(4)
  for (const name of ['completeness', 'validity', 'uniqueness', 'consistency'] as const) {
    const line = new RegExp(`^- ${name}:.*(?:\\n {2}.*)*`, 'm').exec(docs)![0]
    expect([name, /0\.\d+/.exec(line)![0]]).toEqual([name, String(dimensions[name].score)])
  }
  expect(docs).toContain(`/ 4 = ${quality_score}.`)
})

describe('its limits', () => {
  it('keeps as many columns as it may, the same whatever comes first, and exactly', () => {
    const rows = Array.from({ length: 500 }, (_, n) => JSON.stringify({ [`c${n}`]: n, [`d${n}`]: 'x', common: n }))
    const state = createQuality()
    for (const row of rows) addRecord(state, row)
    const backwards = createQuality()
    for (const row of rows.toReversed()) addRecord(backwards, row)
    expect(state.columns.size).toBe(MAX_COLUMNS)
    expect(profileText(backwards)).toBe(profileText(state))
    expect(qualityOf(state).dimensions.completeness.reasons[0]!.message).toMatch(/only 200 columns/)
    for (const row of rows) removeRecord(state, row)
    expect(state.columns.size).toBe(0)
    expect(JSON.parse(profileText(state))).toMatchObject({ records: 0, verdicts: [], buckets: [], columns: [] })
  })

  it('is small whatever the data', () => {
    const state = createQuality()
    for (let n = 0; n < 3000; n++) {
      const name = String(n % 300).repeat(100)
      addRecord(state, JSON.stringify({ [name]: 'y'.repeat(5000) + n, deep: { [name]: [n, { n }] } }))
    }
    const { profile, sample } = qualityTexts(state)
    expect(profile.length).toBeLessThan(30_000)
    expect(sample.length).toBeLessThan(7000)
    expect(qualityTexts(readQuality({ profile, sample }))).toEqual({ profile, sample })
  })
})

describe("a row's own score", () => {
  const rows = Array.from({ length: 20 }, (_, n) => ({ city: `City ${n}`, code: `C${n}`, size: n }))
  const state = createQuality()
  for (const row of rows) addRecord(state, JSON.stringify(row))
  const score = (row: object, schema?: JsonSchema, verdict = 0) =>
    rowQuality(profileOf(state, schema), JSON.stringify(row), verdict)

  it('is 1 for what is as the others, and falls with each value that is not', () => {
    expect(score(rows[0]!)).toBe(1)
    expect(score({ ...rows[0]!, more: 1 })).toBe(1)
    expect(score({ city: 'Rome', code: 'R1' })).toBe(2 / 3)
    expect(score({ city: 'Rome', code: 'R1', size: null })).toBe(2 / 3)
    expect(score({ city: 'Rome', code: 'R1', size: 'big' })).toBe(2 / 3)
    expect(score({ city: 'Rome', code: 'r1', size: ' ' })).toBe(1 / 3)
    expect(score({})).toBe(0)
    expect(rowQuality(profileOf(state), '{"city":"Rome","code":"R1","size":1,"size":null}')).toBe(2 / 3)
    expect(rowQuality(profileOf(createQuality()), '{"city":"Rome"}')).toBe(1)
  })

  it('goes by the schema, and by whether the row keeps the rules', () => {
    const schema = { properties: { size: { type: 'string' } }, required: ['code', 'name'] }
    expect(score({ city: 'Rome', size: 1, name: 'x' }, schema)).toBe(2 / 4)
    expect(score(rows[0]!, undefined, verdictOf(0, null, false))).toBe(0)
    expect(score(rows[0]!, undefined, verdictOf(7_200_000, '1970-01-01T00:00:00Z', true))).toBe(1)
  })
})
