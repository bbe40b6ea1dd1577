import type { Row } from '../kernel/projection.ts'

/** Columns that may be the same for all rows of a statement: a bit each. */
const SHAREABLE = 30

/**
 * The columns that are the same in rows[at, end), as bits: most are in rows of one push, and sending them is much of what
 * a row costs. Keys differ, so never all of them; none of a single row, which has them all in common with itself.
 */
export function sharedColumns(columns: readonly string[], rows: readonly Row[], at: number, end: number): number {
  let shared = 0
  if (end - at === 1) return shared
  for (let c = 0; c < columns.length && c < SHAREABLE; c++) {
    const name = columns[c]!
    const value = rows[at]![name]
    // One that is missing is for whoever writes it to refuse.
    if (value === undefined) continue
    let next = at + 1
    while (next < end && rows[next]![name] === value) next++
    if (next === end) shared |= 1 << c
  }
  return shared
}

export function isShared(shared: number, column: number): boolean {
  return column < SHAREABLE && (shared & (1 << column)) !== 0
}
