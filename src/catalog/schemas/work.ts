import type { ErrorObject } from 'ajv/dist/2020.js'

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

/** Ends the check of a row of which enough is known to be wrong. */
export class EnoughFound extends Error {
  readonly found: readonly ErrorObject[]
  constructor(found: readonly ErrorObject[]) {
    super('enough')
    this.found = found
  }
}

const ENOUGH = 1000
/** Calling a definition, and looking at a value once more, beside what their keywords take. */
const CALL = 50
/** Going on to the next part of a value, and listing one of an object's keys. */
const PART = 5
const KEY = 10

/**
 * Counts a schema of `keywords` keywords being applied to a value, and the value's own length if they look at all of
 * it. `found` is what is known to be wrong: an array of a million bad items need not be told a million times.
 */
export function workOn(value: unknown, keywords: number, wholly: boolean, found: readonly ErrorObject[] | null): void {
  if (found !== null && found.length >= ENOUGH) throw new EnoughFound(found)
  work(keywords + PART)
  if (!wholly) return
  // What was found in a definition is copied to what was found so far.
  work(CALL + (found === null ? 0 : found.length))
  if (typeof value === 'string' || Array.isArray(value)) work(value.length)
  else if (typeof value === 'object' && value !== null) work(Object.keys(value).length * KEY)
}
