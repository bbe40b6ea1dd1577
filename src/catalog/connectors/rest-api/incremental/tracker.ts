import { hash } from 'node:crypto'
import { canonicalJson } from '../../../../kernel/canonical.ts'
import type { PulledRow } from '../../connector.ts'
import type { AnswerRow } from '../rows.ts'
import type { At, Cursor, Group } from '../state.ts'
import { compareValues, minus, plainOf } from './values.ts'

/**
 * Tells new rows from those that earlier runs have brought, by a field that grows. Of the greatest value that was reached
 * there may be more rows later, so the rows that have it are remembered by a fingerprint of what they say; with a lag, so
 * are those within it before that value. Rows before that are known, the others are new. A row without a value is always
 * new. How far a run has come counts once it is complete: until then a source may go on in any order.
 */
export interface Tracker {
  /** The value that the source is asked to begin at, that row included. */
  readonly from: string | undefined
  /** The rows that are new, in order. */
  sift(rows: readonly AnswerRow[]): PulledRow[]
  readonly reached: At['reached']
  /** What the next run is to know, when this one is complete. */
  cursor(): Cursor | undefined
}

interface Tracking {
  readonly field: string
  readonly lag: number
  readonly last: Cursor | undefined
  readonly reached: At['reached']
  /** Most rows that are remembered. */
  readonly most: number
  warn(message: string, metadata: object): void
}

/** Six bytes of SHA-256 in base64: among 12,000 rows a new one is taken for a known one once in 20 billion times. */
const MARK_CHARS = 8

export function createTracker({ field, lag, last, reached, most, warn }: Tracking): Tracker {
  const known = new Set(last?.known.flatMap(([, marks]) => marksIn(marks)))
  const from = last && startOf(last.value)
  let greatest = reached?.value ?? last?.value
  let groups = new Map((reached?.known ?? []).map(([value, marks]) => [value, new Set(marksIn(marks))]))

  /** Where what must be remembered begins, when `value` is the greatest. */
  function startOf(value: string): string {
    const start = minus(value, lag)
    if (start === undefined)
      warn('the lag has no effect: the cursor is neither a number nor a time', { cursor_field: field })
    return start ?? value
  }

  function isNew(value: string, mark: () => string): boolean {
    if (!last || from === undefined || compareValues(value, last.value) > 0) return true
    return compareValues(value, from) >= 0 && !known.has(mark())
  }

  function remember(fresh: readonly { value: string; mark: () => string }[]): void {
    if (greatest === undefined || fresh.length === 0) return
    const start = startOf(greatest)
    groups = new Map([...groups].filter(([value]) => compareValues(value, start) >= 0))
    for (const { value, mark } of fresh) {
      if (compareValues(value, start) < 0) continue
      const marks = groups.get(value) ?? new Set()
      groups.set(value, marks.add(mark()))
    }
    groups = bounded(groups, most, warnOfMany)
  }

  function warnOfMany(count: number): void {
    const metadata = { cursor_field: field, value: greatest!.slice(0, 100), rows: count, remembered: most }
    warn('more rows are at the cursor than are remembered: the others come again with the next run', metadata)
  }

  return {
    from,
    get reached() {
      return greatest === undefined ? undefined : { value: greatest, known: written(groups) }
    },
    sift(rows) {
      const taken: PulledRow[] = []
      const fresh: { value: string; mark: () => string }[] = []
      for (const { row, field: json } of rows) {
        const value = plainOf(json)
        if (!('data' in row) || value === undefined) {
          if ('data' in row)
            warn('a row has no value for the cursor: such rows come with every run', { cursor_field: field })
          taken.push(row)
          continue
        }
        const mark = once(() => markOf(row.data))
        if (!isNew(value, mark)) continue
        taken.push(row)
        fresh.push({ value, mark })
        if (greatest === undefined || compareValues(value, greatest) > 0) greatest = value
      }
      remember(fresh)
      return taken
    },
    cursor() {
      if (greatest === undefined) return last
      const start = startOf(greatest)
      const all = new Map(groups)
      for (const [value, marks] of last?.known ?? [])
        if (compareValues(value, start) >= 0) all.set(value, new Set([...(all.get(value) ?? []), ...marksIn(marks)]))
      return { field, value: greatest, known: written(bounded(all, most, warnOfMany)) }
    },
  }
}

type Groups = Map<string, Set<string>>

/** At most `most` of the remembered rows: those with the greatest values. */
function bounded(groups: Groups, most: number, onTooMany: (count: number) => void): Groups {
  let count = 0
  for (const marks of groups.values()) count += marks.size
  if (count <= most) return groups
  onTooMany(count)
  const kept: Groups = new Map()
  let left = most
  for (const [value, marks] of [...groups].sort(([a], [b]) => compareValues(b, a))) {
    if (left <= 0) break
    kept.set(value, new Set([...marks].slice(0, left)))
    left -= marks.size
  }
  return kept
}

function written(groups: Groups): Group[] {
  return [...groups].map(([value, marks]) => [value, [...marks].join('')])
}

function marksIn(text: string): string[] {
  return text.match(/.{8}/g) ?? []
}

/** What tells a row from others: its members and values, however they are spelled. */
function markOf(data: string): string {
  return hash('sha256', canonicalJson(data), 'base64url').slice(0, MARK_CHARS)
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
