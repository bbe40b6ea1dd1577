import { describe, expect, it } from 'vitest'
import type { Row } from '../../src/domain/dilution.ts'
import { type Quota, spread } from '../../src/domain/dilution-groups.ts'
import { DILUTION as CONFIG, diluted, row } from '../kit/diluting.ts'
import { property, type Random } from '../kit/random.ts'

function rows(prefix: string, count: number, random: Random, noise: number): Row[] {
  return Array.from({ length: count }, (_, n) => {
    const region = random.pick(['north', 'south', 'east'])
    const data = { category: random.int(4), region, name: `Name ${prefix}${n}`, size: n }
    // Half of the rows at least say what the columns are.
    if (n % 2 === 1 && random.chance(noise))
      Object.assign(data, random.pick([{ name: null, size: '' }, { size: 'big', name: '' }, { region: null }]))
    return row(`${n}`, data)
  })
}

describe('dilution', () => {
  it('adds exactly as many rows as asked for, that match and are good enough, each of its origin', () =>
    property(60, random => {
      const source = rows('s', 1 + random.int(200), random, 0.6)
      const sets = { a: rows('a', random.int(300), random, 0.4), b: rows('b', 300, random, 0.4) }
      const config = { ...CONFIG, ratio: random.int(101) / 100, seed: String(random.int(10)) }
      const { added, report } = diluted(config, source, sets)
      const wanted = Math.round(config.ratio * source.length)
      const tuple = (data: string) => JSON.stringify([JSON.parse(data).category, JSON.parse(data).region])
      const tuples = new Set(source.map(({ data }) => tuple(data)).filter(each => !each.includes('null')))
      const good = Object.values(sets)
        .flat()
        .filter(({ data }) => {
          const { name, size } = JSON.parse(data)
          return tuples.has(tuple(data)) && name !== null && name !== '' && typeof size === 'number'
        })
      expect(report).toMatchObject({
        original_records: source.length,
        diluted_records: Math.min(wanted, good.length),
        final_records: source.length + added.length,
        shortfall: Math.max(0, wanted - good.length),
      })
      expect(added.length).toBe(report.diluted_records)
      const ids = [...source, ...added].map(({ id }) => id)
      expect(new Set(ids).size).toBe(ids.length)
      for (const { id, data, origin } of added) {
        const from = sets[origin.dataset_id as 'a'].find(each => each.id === origin.record_id)!
        expect(data).toBe(from.data)
        expect(origin).toMatchObject({ strategy: 'dilution', seed: config.seed })
        expect([from.id, `${origin.dataset_id}:${from.id}`]).toContain(id)
        expect(good.map(each => each.data)).toContain(data)
      }
      // The same again, and of another seed other rows.
      expect(diluted(config, source, sets)).toEqual({ added, report })
      if (added.length > 20 && added.length < good.length - 20) {
        expect(diluted({ ...config, seed: 'other' }, source, sets).added).not.toEqual(added)
      }
    }))

  it('spreads over the groups as evenly as they have rows', () =>
    property(200, random => {
      const groups: (Quota & { available: number })[] = Array.from({ length: 1 + random.int(20) }, () => ({
        ...{ available: random.int(random.pick([3, 50])), wanted: 0 },
        ...{ passed: 0, chosen: 0 },
      }))
      const available = groups.reduce((sum, group) => sum + group.available, 0)
      const wanted = random.int(available + 20)
      expect(spread(groups, wanted)).toBe(Math.min(wanted, available))
      // Nobody has less than another while there is more to be had.
      const most = Math.max(...groups.map(group => group.wanted))
      for (const group of groups) expect(group.wanted).toBeGreaterThanOrEqual(Math.min(group.available, most - 1))
    }))

  it('takes each row of a group as likely as any other', async () => {
    const source = Array.from({ length: 1 }, () => row('s', { category: 1, region: 'x', n: -1 }))
    const set = Array.from({ length: 20 }, (_, n) => row(`d${n}`, { category: 1, region: 'x', n }))
    const times = new Map<string, number>()
    for (let seed = 0; seed < 2000; seed++) {
      const config = { ...CONFIG, ratio: 1, threshold: 0, seed: String(seed) }
      for (const { origin } of diluted(config, source, { d: set }).added)
        times.set(origin.record_id, (times.get(origin.record_id) ?? 0) + 1)
    }
    // 100 each by the mean, with a standard deviation of 10.
    expect(times.size).toBe(20)
    for (const count of times.values()) expect(Math.abs(count - 100)).toBeLessThan(50)
  })

  it('makes columns of one name and type of those that mean the same, and tells what it did', () => {
    const source = [row('1', { category: 'a', customer_id: 7, note: 'x', ok: true })]
    const set = [
      row('1', { Category: 'a', CustomerID: '8', note: 5, ok: 'true', more: 1 }),
      row('2', { Category: 'a', CustomerID: '008', note: 6, ok: 'false' }),
      row('3', { Category: 'a', CustomerID: '10', note: 7, ok: 'yes' }),
    ]
    const config = { ...CONFIG, ratio: 1, matchingFields: ['category'], threshold: 0 }
    const { added, report } = diluted(config, source, { ds_2: set })
    expect(added).toEqual([
      {
        id: 'ds_2:1',
        data: '{"category":"a","customer_id":8,"note":"5","ok":true}',
        origin: { dataset_id: 'ds_2', record_id: '1', strategy: 'dilution', seed: '1' },
      },
    ])
    expect(report.passed_over).toEqual({ no_match: 0, below_threshold: 0, not_convertible: 2, duplicate: 0 })
    expect(report.not_convertible).toEqual(['ds_2, CustomerID: "008" is no number', 'ds_2, ok: "yes" is no boolean'])
    expect(report.columns.ds_2!.columns).toContainEqual({
      ...{ column: 'CustomerID', to: 'customer_id', wanted: 'number', converted: 'number' },
      ...{ why: 'string becomes number' },
    })
    expect(report.columns.ds_2!.columns).toContainEqual({
      ...{ column: 'more', to: null, wanted: null, converted: null, why: 'the source has no such column' },
    })
  })

  it('adds no row whose data is there already', () => {
    const source = [row('1', { category: 1, region: 'x', n: 1 }), row('2', { category: 1, region: 'x', n: 2 })]
    const set = [
      { id: 'a', data: '{"n":1.0,"region":"x","category":1}' },
      row('b', { category: 1, region: 'x', n: 3 }),
      row('c', { category: 1, region: 'x', n: 3 }),
    ]
    const { added, report } = diluted({ ...CONFIG, ratio: 1 }, source, { d: set })
    expect(added.map(({ id }) => id)).toEqual(['b'])
    expect(report).toMatchObject({ shortfall: 1, passed_over: { duplicate: 2 } })
  })

  it('is refused when it cannot be: the error names the field', () => {
    const set = { d: [row('1', { category: 1, region: 'x' })] }
    const refused = (work: () => unknown) => expect(work).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
    refused(() => diluted(CONFIG, [], set))
    expect(() => diluted(CONFIG, [], set)).toThrow('source_dataset_id: the data set has no records')
    expect(() => diluted(CONFIG, [row('1', { region: 'x' })], set)).toThrow(
      'config.matching_fields: no record of the source has "category"',
    )
    expect(() => diluted(CONFIG, set.d, { d: [row('1', { category: 1 })] })).toThrow(
      'config.matching_fields: no dilution data set has "category", "region"',
    )
  })
})
