import { describe, expect, it } from 'vitest'
import { originsAfter, sumOrigins } from '../../src/projections/counted-origins.ts'
import { property } from '../kit/random.ts'

const origin = (dataset_id: string, strategy: string) => ({ dataset_id, record_id: 'r', strategy, seed: '1' })

describe('counts of made records', () => {
  it('are those of a count of all records, whatever becomes of them', () =>
    property(50, random => {
      const records = new Map<number, ReturnType<typeof origin>>()
      const streams: (string | null)[] = [null, null]
      for (let n = 0; n < 100; n++) {
        const id = random.int(20)
        const was = records.get(id)
        const now = random.chance(0.6)
          ? origin(random.pick(['ds_1', 'ds_2']), random.pick(['dilution', 'noise']))
          : null
        if (now) records.set(id, now)
        else records.delete(id)
        streams[id % 2] = originsAfter(streams[id % 2]!, was ? JSON.stringify(was) : null, now)
      }
      const all = [...records.values()].map(each => `${each.dataset_id} ${each.strategy}`)
      const wanted = [...new Set(all)].sort().map(key => {
        const [dataset_id, strategy] = key.split(' ')
        return { dataset_id, strategy, records: all.filter(each => each === key).length }
      })
      expect(sumOrigins(streams)).toEqual(wanted)
      if (wanted.length === 0) expect(streams).toEqual([null, null])
    }))
})
