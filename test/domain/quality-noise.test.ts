import { describe, expect, it } from 'vitest'
import { SAMPLED, startDilution } from '../../src/domain/dilution.ts'
import { type Dimension, qualityOf } from '../../src/domain/quality.ts'
import { addRecord, createQuality, type QualityState } from '../../src/domain/quality-state.ts'
import { publicRows, withNoise } from '../kit/noisy.ts'
import { property } from '../kit/random.ts'

const LEVELS = [0, 0.1, 0.2, 0.3, 0.4, 0.5]
const DIMENSIONS: readonly Dimension[] = ['completeness', 'validity', 'uniqueness', 'consistency']
/** Public data sets, what their rows are grouped by, and how many rows are looked at. */
const SETS: readonly [file: string, field: string, rows: number][] = [
  ['flights-5k.json', 'origin', 5000],
  ['cars.json', 'Origin', 400],
  ['movies.json', 'Major Genre', 3000],
  ['penguins.json', 'Island', 400],
]

function stateOf(rows: readonly string[]): QualityState {
  const state = createQuality(SAMPLED)
  for (const row of rows) addRecord(state, row)
  return state
}

describe.each(SETS)('%s', (file, field, most) => {
  const clean = publicRows(file, most)

  it('has a lower score the more noise is made, and a lower one in each dimension', () =>
    property(2, random => {
      const levels = LEVELS.map(share => qualityOf(stateOf(withNoise(clean, share, random))))
      for (const [at, quality] of levels.entries()) {
        const before = levels[at - 1]
        if (!before) continue
        expect(quality.quality_score).toBeLessThan(before.quality_score)
        // In a single dimension chance may be larger than a step.
        for (const name of DIMENSIONS) {
          expect(quality.dimensions[name].score).toBeLessThan(before.dimensions[name].score! + 0.08)
          expect(quality.dimensions[name].reasons.length).toBeGreaterThan(0)
        }
      }
      for (const name of DIMENSIONS) {
        expect(levels.at(-1)!.dimensions[name].score).toBeLessThan(levels[0]!.dimensions[name].score!)
      }
    }))

  it('gets a higher score by dilution with rows that are better', () =>
    property(2, random => {
      // Some of the rows are the source, spoilt; the others are those to dilute with, some spoilt themselves.
      const [source, others] = [clean.filter((_, at) => at % 3 !== 0), clean.filter((_, at) => at % 3 === 0)]
      for (const share of LEVELS.slice(1)) {
        const noisy = withNoise(source, share, random)
        const offered = withNoise(others, 0.05, random)
        const dilution = startDilution({ ratio: 0.3, matchingFields: [field], threshold: 0.8, seed: 's' })
        const set = { id: 'clean', state: stateOf(offered) }
        for (const [n, data] of noisy.entries()) dilution.source({ id: `s${n}`, data })
        dilution.plan([set])
        for (const [n, data] of offered.entries()) dilution.count(set, { id: `s${n}`, data })
        const added = offered.flatMap((data, n) => dilution.pick(set, { id: `s${n}`, data }) ?? [])
        const report = dilution.report()
        expect(added.length).toBeGreaterThan(noisy.length * 0.1)
        expect(report.quality_improvement).toBeGreaterThan(0)
        // Both are measured: the same as counting all rows anew.
        const output = qualityOf(stateOf([...noisy, ...added.map(({ data }) => data)]))
        expect(report.output_quality).toEqual(output)
        expect(report.source_quality).toEqual(qualityOf(stateOf(noisy)))
      }
    }))
})
