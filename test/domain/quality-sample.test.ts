import { describe, expect, it } from 'vitest'
import {
  BUCKETS,
  createSample,
  distinct,
  mergeSamples,
  readSample,
  SAMPLE,
  sample,
  sampleText,
} from '../../src/domain/quality-sample.ts'
import { property, type Random } from '../kit/random.ts'

const RECORDS = 20_000

/** How often each different value is there. */
const REPEATS: Record<string, () => number[]> = {
  'each once': () => new Array(RECORDS).fill(1),
  'each twice': () => new Array(RECORDS / 2).fill(2),
  'one in ten twice': () => [...new Array(RECORDS * 0.8).fill(1), ...new Array(RECORDS * 0.1).fill(2)],
  'half of all are one': () => [RECORDS / 2, ...new Array(RECORDS / 2).fill(1)],
  'each a hundred times': () => new Array(RECORDS / 100).fill(100),
  'ever fewer of each': () => {
    const counts: number[] = []
    for (let [left, k] = [RECORDS, 1]; left > 0; left -= counts.at(-1)!, k++) {
      counts.push(Math.min(left, Math.max(1, Math.floor(RECORDS / 12 / k))))
    }
    return counts
  },
}

function estimate(counts: readonly number[], streams: number, random: Random): number {
  const samples = Array.from({ length: streams }, () => createSample())
  const buckets: number[] = new Array(BUCKETS).fill(0)
  for (const count of counts) {
    const [high, low] = [random.int(2 ** 32) | 0, random.int(2 ** 32) | 0]
    buckets[low & (BUCKETS - 1)]! += count
    for (let n = 0; n < count; n++) sample(random.pick(samples), high, low, 1)
  }
  const { count, exact } = distinct(mergeSamples(samples), RECORDS, buckets)
  expect(exact).toBe(samples.every(({ level }) => level === 0))
  return count / RECORDS
}

describe('the number of different values', () => {
  it.each(Object.entries(REPEATS))(
    'is within 0.12 of what it is, and 0.045 by the mean: %s',
    async (_name, repeats) => {
      const counts = repeats()
      const really = counts.length / RECORDS
      for (const streams of [1, 6]) {
        const errors: number[] = []
        await property(12, random => {
          errors.push(estimate(counts, streams, random) - really)
          expect(Math.abs(errors.at(-1)!)).toBeLessThan(0.12)
        })
        expect(Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length)).toBeLessThan(0.045)
      }
    },
  )

  it('is 1 exactly where each is there once', () =>
    property(20, random => expect(estimate(REPEATS['each once']!(), 1, random)).toBe(1)))

  it('is exact while the sample holds them all', () =>
    property(20, random => {
      const kept = createSample()
      const hashes = Array.from({ length: 1 + random.int(SAMPLE) }, () => [
        random.int(2 ** 32) | 0,
        random.int(2 ** 32) | 0,
      ])
      for (const [high, low] of [...hashes, ...hashes]) sample(kept, high!, low!, 1)
      expect(distinct(kept, hashes.length * 2, [])).toEqual({ count: hashes.length, exact: true })
      for (const [high, low] of hashes) sample(kept, high!, low!, -1)
      for (const [high, low] of hashes) sample(kept, high!, low!, -1)
      expect(kept.counts.size).toBe(0)
    }))

  it('is never kept in more than its limit, and read as it was written', () =>
    property(20, random => {
      const kept = createSample(50)
      for (let n = 0; n < 5000; n++) sample(kept, random.int(2 ** 32) | 0, random.int(2 ** 32) | 0, 1 + random.int(3))
      expect(kept.counts.size).toBeLessThanOrEqual(50)
      expect(kept.counts.size).toBeGreaterThan(10)
      expect(sampleText(readSample(sampleText(kept), 50))).toBe(sampleText(kept))
    }))

  it('is within its limit for values that were chosen to be in it', () => {
    const kept = createSample(2)
    for (let low = 0; low < 100; low++) sample(kept, 0, low << 12, 1)
    expect(kept.counts.size).toBeLessThanOrEqual(2)
  })
})
