import type { RecordPushed } from '../events/index.ts'

type Origin = NonNullable<RecordPushed['origin']>

/** How many records were made of those of a data set, by which strategy. */
export interface OriginCount {
  readonly dataset_id: string
  readonly strategy: string
  readonly records: number
}

/** By data set and strategy, with a blank between them, which neither has. */
type Counts = Record<string, number>

let lastText = ''
let last: Counts = {}
/** Whole batches count in one row, so the last one read is remembered. */
function readCounts(text: string): Counts {
  return text === lastText ? last : JSON.parse(text)
}

function write(counts: Counts): string | null {
  if (Object.keys(counts).length === 0) return null
  last = counts
  lastText = JSON.stringify(counts)
  return lastText
}

/** Counts after a record had the origin `was`, as its row has it, and has `now`; null of no made records. */
export function originsAfter(counts: string | null, was: string | null, now: Origin | null): string | null {
  if (was === null && now === null) return counts
  const after = counts === null ? {} : { ...readCounts(counts) }
  if (was !== null) add(after, JSON.parse(was), -1)
  if (now !== null) add(after, now, 1)
  return write(after)
}

function add(counts: Counts, { dataset_id, strategy }: Origin, by: number): void {
  const key = `${dataset_id} ${strategy}`
  const count = (counts[key] ?? 0) + by
  if (count === 0) delete counts[key]
  else counts[key] = count
}

/** The sum of what the streams have counted, by data set and strategy in their order. */
export function sumOrigins(all: readonly (string | null)[]): OriginCount[] {
  const sum: Counts = {}
  for (const counts of all) {
    for (const [key, records] of Object.entries(counts === null ? {} : readCounts(counts))) {
      sum[key] = (sum[key] ?? 0) + records
    }
  }
  return Object.keys(sum)
    .sort()
    .map(key => {
      const [dataset_id = '', strategy = ''] = key.split(' ')
      return { dataset_id, strategy, records: sum[key]! }
    })
}
