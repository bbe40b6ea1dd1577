/** How many rows of each group there are to choose from, and how many of them are to be chosen. */
export interface Quota {
  readonly available: number
  wanted: number
  /** Rows of it that have come by, and those that were chosen. */
  passed: number
  chosen: number
}

/**
 * Spreads `wanted` rows over groups, as evenly as they have rows: each gets as many as every other, or all it has. What is
 * left over when that does not come out even goes to the groups that come first. Tells how many there are in all.
 */
export function spread(groups: Iterable<Quota>, wanted: number): number {
  const byAvailable = [...groups].sort((a, b) => a.available - b.available)
  let left = wanted
  let total = 0
  for (const [at, group] of byAvailable.entries()) {
    group.wanted = Math.min(group.available, Math.floor(left / (byAvailable.length - at)))
    left -= group.wanted
    total += group.wanted
  }
  return total
}

/**
 * Whether the next row of a group is chosen: with the chance that its place and the rest leave it, so that as many are
 * chosen as were wanted, each row as likely as any other. `share` is the row's own number from 0 to below 1.
 */
export function choose(group: Quota, share: number): boolean {
  const [left, wanted] = [group.available - group.passed, group.wanted - group.chosen]
  group.passed++
  // Rows that came after the count have no chance.
  if (left <= 0 || share * left >= wanted) return false
  group.chosen++
  return true
}
