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

  it('that are more than are looked at all stay, but for those that the source lacks', () => {
    const wide = (n: number) => Object.fromEntries(Array.from({ length: 300 }, (_, c) => [`c${c}`, n * 1000 + c]))
    const source = [row('1', { k: 'a', ...wide(1) }), row('2', { k: 'a', ...wide(2) })]
    const rows = [row('3', { k: 'a', ...wide(3) }), row('4', { ...wide(4), k: 'a' })]
    const { added } = diluted(config, source, { d: rows })
    expect(added.map(({ data }) => data)).toEqual(rows.map(({ data }) => data))
    // Any column may be the one to match by.
    for (let c = 0; c < 300; c += 20) {
      const by = { ...config, matchingFields: [`c${c}`] }
      const like = [row('3', { ...wide(3), [`c${c}`]: 1000 + c })]
      expect(diluted(by, source, { d: like }).added.map(({ data }) => data)).toEqual(like.map(({ data }) => data))
    }
    // The source has few columns: those of them that it has are taken, whichever are looked at.
    const few = diluted(config, [row('1', { k: 'a', c5: 1, c250: 1, c299: 'x' })], { d: rows.slice(1) })
    expect(few.added.map(({ data }) => data)).toEqual(['{"c5":4005,"c250":4250,"c299":"4299","k":"a"}'])
    const many = diluted(config, source, { d: [row('3', { k: 'a', c5: 1, c250: 2, c299: 3 })] })
    expect(many.added.map(({ data }) => data)).toEqual(['{"k":"a","c5":1,"c250":2,"c299":3}'])
  })

  it('with very long names stay, and may be matched by', () => {
    const name = `${'How satisfied are you with '.repeat(8)}us?`
    const other = `${name} And them?`
    const source = [row('1', { [name]: 1, [other]: 'x', k: 'a' })]
    const rows = [row('2', { k: 'a', [other]: 'y', [name]: 1 })]
    const { added } = diluted({ ...config, matchingFields: [name] }, source, { d: rows })
    expect(added.map(({ data }) => data)).toEqual(rows.map(({ data }) => data))
  })

  it('become what the source’s schema says, also where that is a whole number, or may be null', () => {
    const schema = {
      properties: {
        n: { type: ['integer', 'null'] },
        t: { type: ['string', 'null'] },
        b: { type: 'boolean' },
        any: {},
      },
    }
    const source = [row('1', { k: 'a', n: 1, t: 'x', b: true, any: 'x' })]
    const rows = [
      row('2', { k: 'a', n: '50', t: 8, b: 'false', any: 9 }),
      row('3', { k: 'a', n: '5.5', t: 8, b: 'false', any: 9 }),
      row('4', { k: 'a', n: '', t: null, b: 'true', any: 9 }),
    ]
    const { added, report } = diluted({ ...config, ratio: 2 }, source, { d: rows }, schema)
    expect(added.map(({ data }) => data)).toEqual([
      '{"k":"a","n":50,"t":"8","b":false,"any":9}',
      '{"k":"a","n":"","t":null,"b":true,"any":9}',
    ])
    expect(report.not_convertible).toEqual(['d, n: "5.5" is no integer'])
  })

  it('of the same type: single values that are of another become it where they can, and stay where they cannot', () => {
    const source = [row('1', { k: 'a', n: 1 }), row('2', { k: 'a', n: 2 }), row('3', { k: 'a', n: 3 })]
    const rows = [row('4', { k: 'a', n: '5' }), row('5', { k: 'a', n: 6 }), row('6', { k: 'a', n: 'many' })]
    const { added } = diluted(config, source, { d: [...rows, row('7', { k: 'b', n: 8 })] })
    expect(added.map(({ data }) => data)).toEqual(['{"k":"a","n":5}', '{"k":"a","n":6}', '{"k":"a","n":"many"}'])
  })
})
