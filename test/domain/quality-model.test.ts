import { describe, expect, it } from 'vitest'
import { DIMENSIONS, qualityOf } from '../../src/domain/quality.ts'
import {
  addRecord,
  createQuality,
  type QualityState,
  removeRecord,
  replaceRecord,
} from '../../src/domain/quality-state.ts'
import { mergeQuality, qualityTexts, readQuality } from '../../src/domain/quality-texts.ts'
import { cut, property, type Random } from '../kit/random.ts'

/** Values in several spellings, and what they are: the model reads them with JSON.parse and nothing of our own. */
const VALUES = [
  ...[
    'null',
    '""',
    '"  "',
    '1',
    '1.0',
    '10e-1',
    '-0',
    '0',
    '0.0',
    '12345678901234567890',
    '1.5',
    '1.50',
    '-7',
    '1e400',
  ],
  ...['true', 'false', '"LAX"', '"lax"', '"Los Angeles"', '"\\u004cAX"', '"a@b.de"', '" x"', '"x\\n"', '"2001-02-03"'],
  ...[
    '"2001/02/03"',
    '"12"',
    '"\\\\"',
    '"a\\"b"',
    '"北京"',
    '"é"',
    '[]',
    '[1,2]',
    '[ 1.0, 2 ]',
    '{}',
    '{"a":1,"b":[null]}',
  ],
  ...['{ "b": [ null ], "a": 1.0 }', `"${'long text '.repeat(20)}"`, '"😀"', '"\\ud83d\\ude00"'],
]
const NAMES = ['a', 'b', 'c\\u0061', 'ca', 'd e', '名', 'q\\"', '__proto__']

function randomRow(random: Random): string {
  const members: string[] = []
  const names = [...NAMES].sort(() => random.int(3) - 1).slice(0, random.int(NAMES.length + 1))
  const blank = random.chance(0.3) ? ' ' : ''
  for (const name of names) members.push(`"${name}"${blank}:${blank}${random.pick(VALUES)}`)
  // A name that stands twice.
  if (members.length > 0 && random.chance(0.1)) members.push(`"${names[0]}":${random.pick(VALUES)}`)
  return `{${blank}${members.join(`,${blank}`)}${blank}}`
}

type Said = Record<string, unknown>

function same(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(same).join()}]`
  if (typeof value !== 'object' || value === null)
    return Object.is(value, -0) ? 'number0' : `${typeof value}${String(value)}`
  return `{${Object.entries(value)
    .map(([name, each]) => JSON.stringify(name) + same(each))
    .sort()
    .join()}}`
}

/** Completeness, validity and uniqueness, reckoned from all rows at once. */
function model(rows: readonly string[]): Record<string, number> {
  const said = rows.map(row => JSON.parse(row) as Said)
  const columns = [...new Set(said.flatMap(row => Object.keys(row)))]
  let [filled, typed] = [0, 0]
  for (const column of columns) {
    const values = said.filter(row => Object.hasOwn(row, column)).map(row => row[column])
    const full = values.filter(value => value !== null && !(typeof value === 'string' && value.trim() === ''))
    const counts = new Map<string, number>()
    for (const value of full) {
      const type = Array.isArray(value) ? 'array' : typeof value
      counts.set(type, (counts.get(type) ?? 0) + 1)
    }
    filled += full.length
    typed += Math.max(0, ...counts.values())
  }
  const cells = columns.length * rows.length
  return {
    completeness: cells === 0 ? 1 : filled / cells,
    validity: filled === 0 ? 1 : typed / filled,
    uniqueness: new Set(said.map(same)).size / rows.length,
  }
}

function fill(rows: readonly string[]): QualityState {
  const state = createQuality()
  for (const row of rows) addRecord(state, row)
  return state
}

describe('the state of a quality score', () => {
  it('counts as a model does that has all rows at once', () =>
    property(300, random => {
      const rows = Array.from({ length: 1 + random.int(40) }, () => randomRow(random))
      const { dimensions } = qualityOf(fill(rows))
      for (const [name, score] of Object.entries(model(rows))) {
        expect([name, dimensions[name as 'validity'].score]).toEqual([name, Math.round(score * 10_000) / 10_000])
      }
    }))

  it('takes records in and away in any order, in any batches, over any streams, and is the same to the byte', () =>
    property(100, random => {
      const ids = Array.from({ length: 30 }, (_, n) => n)
      const rows = new Map<number, string>()
      // Each stream has its own ids, as it has its own keys.
      const streams = Array.from({ length: 1 + random.int(4) }, createQuality)
      const moves = Array.from({ length: 200 }, () => ({
        id: random.pick(ids),
        row: random.chance(0.2) ? null : randomRow(random),
      }))
      for (const batch of cut(moves, 20, random)) {
        for (const { id, row } of batch) {
          const at = id % streams.length
          const was = rows.get(id)
          if (was !== undefined && row !== null) replaceRecord(streams[at]!, was, id % 18, row, id % 18)
          else if (row !== null) addRecord(streams[at]!, row, id % 18)
          else if (was !== undefined) removeRecord(streams[at]!, was, id % 18)
          if (row === null) rows.delete(id)
          else rows.set(id, row)
        }
        // Between two batches it is written down and read again.
        for (const [at, state] of streams.entries()) streams[at] = readQuality(qualityTexts(state))
      }
      const anew = createQuality()
      for (const [id, row] of [...rows].sort(() => random.int(3) - 1)) addRecord(anew, row, id % 18)
      const merged = mergeQuality(streams)
      expect(qualityTexts(merged)).toEqual(qualityTexts(anew))
      expect(qualityOf(merged)).toEqual(qualityOf(anew))
    }))

  it('scores between 0 and 1, and leaves out timeliness and accuracy only', () =>
    property(50, random => {
      const { quality_score, dimensions } = qualityOf(
        fill(Array.from({ length: random.int(20) }, () => randomRow(random))),
      )
      expect(quality_score).toBeGreaterThanOrEqual(0)
      expect(quality_score).toBeLessThanOrEqual(1)
      for (const name of DIMENSIONS) {
        const { score, formula, reasons } = dimensions[name]
        expect(formula).toMatch(/\.$/)
        if (name === 'timeliness' || name === 'accuracy') {
          expect(score).toBeNull()
          expect(reasons).toHaveLength(1)
        } else expect(score).toSatisfy((value: number) => value >= 0 && value <= 1)
      }
    }))
})
