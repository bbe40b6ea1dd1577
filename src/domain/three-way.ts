import { membersOf, objectText } from '../kernel/members.ts'
import { differ } from './diff.ts'

/** Two sides in one: fields that both changed, to different values, are left as `current` has them, and named. */
export interface Merged {
  /** JSON text; the very text of `current` when it takes nothing. */
  readonly data: string
  readonly overlaps: readonly string[]
}

/** Bytes of a merged record: as many as one that is pushed may have, or merging would make ever larger ones. */
export const MAX_MERGED_BYTES = 1_048_576

/**
 * Merges two JSON objects field by field from what both were made from. Without `base` every field that differs is one
 * that both changed. Values stay as they were pushed; what only says the same in other words is no change.
 */
export function mergeFields(base: ReadonlyMap<string, string> | undefined, current: string, incoming: string): Merged {
  const [ours, theirs] = [membersOf(current), membersOf(incoming)]
  const merged = new Map(ours)
  const overlaps: string[] = []
  let taken = false
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const [our, their] = [ours.get(name), theirs.get(name)]
    if (same(our, their)) continue
    const was = base?.get(name)
    if (base && same(was, their)) continue
    if (!base || !same(was, our)) overlaps.push(name)
    else {
      taken = true
      if (their === undefined) merged.delete(name)
      else merged.set(name, their)
    }
  }
  if (!taken) return { data: current, overlaps }
  const data = objectText(merged)
  const fits = data.length <= MAX_MERGED_BYTES && new TextEncoder().encode(data).length <= MAX_MERGED_BYTES
  return fits ? { data, overlaps } : mergeFields(undefined, current, incoming)
}

function same(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return !differ(a, b)
}
