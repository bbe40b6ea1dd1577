import { describe, expect, it } from 'vitest'
import { DILUTION, diluted, row } from '../kit/diluting.ts'

const config = { ...DILUTION, ratio: 1, matchingFields: ['k'], threshold: 0 }

describe('columns of a dilution', () => {
  it('that are empty in the source are filled with whatever there is', () => {
    const source = [row('1', { k: 'a', name: null, note: '' }), row('2', { k: 'a', name: null })]
    const rows = [row('3', { k: 'a', name: 'Ann', note: 5 }), row('4', { k: 'a', name: true, note: 'x' })]
    const { added, report } = diluted({ ...config, threshold: 1 }, source, { d: rows })
    expect(added.map(({ data }) => data)).toEqual(rows.map(({ data }) => data))
    expect(report.quality_improvement).toBeGreaterThan(0)
  })
})
