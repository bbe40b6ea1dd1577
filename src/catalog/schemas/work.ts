/**
 * What checking one row may take, in units of 10 to 20 ns: keywords looked at, characters held against a pattern's states.
 * A schema of a few lines can ask for any number of checks (each of thirty definitions holding the next one twice, items
 * that repeat with the depth of the data), and validators know no limit, so the checks count what they do.
 */
const MAX_WORK = 10_000_000

let left = 0

/** Ends the check of a row that takes too much. */
export class TooMuchWork extends Error {}

export function startWork(): void {
  left = MAX_WORK
}

export function work(units: number): void {
  left -= units
  if (left < 0) throw new TooMuchWork(`checking it takes more than ${MAX_WORK} steps`)
}

/** Counts a schema of `keywords` keywords being applied to a value, and the value's own length if they look at it all. */
export function workOn(value: unknown, keywords: number, wholly: boolean): void {
  work(keywords)
  if (!wholly) return
  if (typeof value === 'string' || Array.isArray(value)) work(value.length)
  else if (typeof value === 'object' && value !== null) work(Object.keys(value).length)
}
