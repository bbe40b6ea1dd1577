import type { Count } from '../projections/datasets.ts'
import { qualityStateOf, type Summary, summaryOf } from '../projections/quality-reads.ts'
import type { Moment } from '../store/store.ts'
import type { ReadStore } from '../threads/store.ts'

/** Summaries that are kept, a few hundred bytes each: a state is parsed again only when its data set has changed. */
const MOST_SUMMARIES = 5000
const summaries = new WeakMap<ReadStore, Map<string, Summary>>()

/** What a list shows of a data set: `counts` tell up to where, and `schema` is what its records are held against. */
export async function summaryFor(
  store: ReadStore,
  dataset: string,
  counts: readonly Count[],
  schema: string | null,
  asOf: Moment | undefined,
): Promise<Summary> {
  const kept = summaries.get(store) ?? new Map<string, Summary>()
  summaries.set(store, kept)
  const keyOf = (lasts: Iterable<readonly [string, number]>) => JSON.stringify([dataset, schema, ...lasts])
  const known = kept.get(keyOf(counts.map(({ stream, last }) => [stream, last])))
  if (known) return known
  const quality = await qualityStateOf(store, dataset, asOf)
  const summary = summaryOf(quality, schema)
  if (!quality) return summary
  // It may have come further meanwhile.
  kept.set(keyOf(quality.lasts), summary)
  if (kept.size > MOST_SUMMARIES) kept.delete(kept.keys().next().value!)
  return summary
}
