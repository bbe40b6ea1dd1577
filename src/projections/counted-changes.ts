/**
 * What happened to the number of a data set's records, a character or a few for each change, so that the number is known
 * after each of them and each costs next to nothing.
 *
 * A change is `+`, `=` or `-` for a record that was made, changed or removed. After the sign comes how many offsets lie
 * between it and the change before, unless it is none, and after an `@` by how many milliseconds its time differs, unless it does not,
 * with `~` for less; both in base 36. The first has its offset and its time themselves. So a batch of new records is
 * `+5@m2v0xk8w++++`.
 */

/** Changes in one text. */
export const MOST_CHANGES = 256

/** One change: by 1, 0 or -1 records. */
export interface CountedChange {
  readonly by: number
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly time: number
}

const SIGNS = ['-', '=', '+'] as const

/** A change as text, to be added to a text of which `before` is the last. */
export function changeText(
  before: Pick<CountedChange, 'offset' | 'time'> | undefined,
  { by, offset, time }: CountedChange,
): string {
  const sign = SIGNS[by + 1]!
  const passed = before ? offset - before.offset - 1 : offset
  const later = before ? time - before.time : time
  if (passed === 0 && later === 0) return sign
  const place = passed === 0 ? '' : passed.toString(36)
  return `${sign}${place}${later === 0 ? '' : `@${later < 0 ? '~' : ''}${Math.abs(later).toString(36)}`}`
}

const CHANGE = /([-=+])([0-9a-z]*)(?:@(~?)([0-9a-z]+))?/g

/** The changes of a text, in their order. */
export function changesIn(text: string): CountedChange[] {
  const changes: CountedChange[] = []
  for (const [, sign, passed, minus, later] of text.matchAll(CHANGE)) {
    const before = changes.at(-1)
    const gap = passed ? Number.parseInt(passed, 36) : 0
    const step = later ? Number.parseInt(later, 36) : 0
    const offset = before ? before.offset + 1 + gap : gap
    const time = (before?.time ?? 0) + (minus ? -step : step)
    changes.push({ by: SIGNS.indexOf(sign as '+') - 1, offset, time })
  }
  return changes
}

/** What there was after the last change at or before `offset`, when there are `records` after all of a text's changes. */
export function countBefore(
  text: string,
  records: number,
  offset: number,
): { records: number; updated_at: number; last: number } {
  const changes = changesIn(text)
  const later = changes.filter(change => change.offset > offset)
  const last = changes[changes.length - later.length - 1]!
  return { records: later.reduce((count, { by }) => count - by, records), updated_at: last.time, last: last.offset }
}

/** An id as text, to be added to that of others: its length in base 36, a colon, and the id. */
export function idText(id: string): string {
  return `${id.length.toString(36)}:${id}`
}

/** How much longer a text becomes by an id. */
export function idTextLength({ length }: string): number {
  let digits = 1
  for (let rest = length; rest >= 36; rest /= 36) digits++
  return digits + 1 + length
}

/** The ids of a text, in their order. */
export function idsIn(text: string): string[] {
  const ids: string[] = []
  for (let at = 0; at < text.length; ) {
    const from = text.indexOf(':', at) + 1
    const to = from + Number.parseInt(text.slice(at, from - 1), 36)
    ids.push(text.slice(from, to))
    at = to
  }
  return ids
}
