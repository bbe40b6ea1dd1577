/**
 * How many different values there are among so many, kept as a sample of the values: all whose hash begins with `level`
 * zero bits, each with how often it is there. The level rises when the sample is full, so the sample is a share of 1 in
 * 2^level of the different values, however often each one comes. Taking a value away is exact.
 */
export interface Sample {
  level: number
  readonly limit: number
  /** By BITS bits of hash: how often that value is there. */
  readonly counts: Map<number, number>
}

export const SAMPLE = 512
/** Bits of a hash that are kept; past as many zeros nothing is left but 0. */
const BITS = 52

export function createSample(limit = SAMPLE): Sample {
  return { level: 0, limit, counts: new Map() }
}

/** Takes in a value by its hash, `by` 1, or takes it away, -1; false when the sample has nothing to do with it. */
export function sample(sample: Sample, high: number, low: number, by: number): boolean {
  const key = (high >>> 0) * 2 ** 20 + (low >>> 12)
  if (sample.level > 0 && !belongs(key, sample.level)) return false
  const count = (sample.counts.get(key) ?? 0) + by
  if (count === 0) sample.counts.delete(key)
  else sample.counts.set(key, count)
  if (sample.counts.size > sample.limit) rise(sample, sample.level + 1)
  return true
}

/** Raises the level to `level`, and on until the sample is within its limit. */
function rise(sample: Sample, level: number): void {
  sample.level = level
  for (const key of sample.counts.keys()) if (!belongs(key, sample.level)) sample.counts.delete(key)
  if (sample.counts.size > sample.limit) rise(sample, level + 1)
}

function belongs(key: number, level: number): boolean {
  return key < 2 ** (BITS - level)
}

/** What several samples say together. */
export function mergeSamples(samples: readonly Sample[]): Sample {
  const level = Math.max(0, ...samples.map(each => each.level))
  const counts = new Map<number, number>()
  for (const each of samples) {
    for (const [key, count] of each.counts) if (belongs(key, level)) counts.set(key, (counts.get(key) ?? 0) + count)
  }
  return { level, limit: Number.POSITIVE_INFINITY, counts }
}

/** Numbers below 2^30 become text in base 36 eight times as fast as larger ones. */
const HALF = 2 ** 26

/** As text: the level, then each hash as two numbers in base 36, and how often it is there when that is not once. */
export function sampleText({ level, counts }: Sample): string {
  const sorted = Float64Array.from(counts.keys()).sort()
  let text = String(level)
  for (const key of sorted) {
    const count = counts.get(key)!
    text += ` ${Math.floor(key / HALF).toString(36)}.${(key % HALF).toString(36)}`
    if (count !== 1) text += `*${count}`
  }
  return text
}

export function readSample(text: string, limit = SAMPLE): Sample {
  const [level, ...entries] = text.split(' ')
  const counts = new Map<number, number>()
  for (const entry of entries) {
    const [key, count] = entry.split('*')
    const [high, low] = key!.split('.')
    const hash = Number.parseInt(high!, 36) * HALF + Number.parseInt(low!, 36)
    counts.set(hash, count === undefined ? 1 : Number(count))
  }
  return { level: Number(level), limit, counts }
}

export const BUCKETS = 64
/** How far from what it is the buckets' second moment may be by chance, in standard deviations, before it is believed. */
const BELIEVED = 4

/**
 * How many different values there are among `records`, and whether that is exact. The sample counts the different values,
 * each standing for 2^level; what it says of the number of records, which is known, corrects it: fully where values
 * repeat little, not at all where few values are most of the records, for whether one of those is in the sample is luck.
 * How much values repeat is in the sample and in the buckets, which all records are counted in by hash.
 */
export function distinct(
  { level, counts }: Sample,
  records: number,
  buckets: readonly number[],
): { count: number; exact: boolean } {
  if (level === 0) return { count: counts.size, exact: true }
  const weight = 2 ** level
  let rows = 0
  let squares = 0
  for (const count of counts.values()) {
    rows += count
    squares += count * count
  }
  const correction = records / Math.max(records, squares * weight, inBuckets(records, buckets))
  const count = Math.round(weight * counts.size + correction * (records - weight * rows))
  return { count: Math.max(Math.min(counts.size, records), Math.min(records, count)), exact: false }
}

/** The sum of the squares of how often each value is there, by the buckets; 0 while that may be chance. */
function inBuckets(records: number, buckets: readonly number[]): number {
  let squares = 0
  for (const count of buckets) squares += count * count
  const found = (BUCKETS * squares - records * records) / (BUCKETS - 1)
  return found > records * (1 + BELIEVED * Math.sqrt(2 / BUCKETS)) ? found : 0
}
