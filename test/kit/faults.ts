import { randomInt } from 'node:crypto'
import { type Random, seeded } from './random.ts'

/** `npm run faults` asks for the long form; `npm test` runs the short one. */
export const LONG = process.env.FAULTS === 'long'

/** Random choices for one test: the seed is printed, and SEED sets it. */
export function randomFor(test: string): Random {
  const seed = process.env.SEED ? Number(process.env.SEED) : randomInt(2 ** 31)
  console.log(`${test}: SEED=${seed}`)
  return seeded(seed)
}

/** A whole number from `least` to `most`, both included. */
export function between(random: Random, least: number, most: number): number {
  return least + random.int(most - least + 1)
}

/** Lets time pass where the passing of time is the fault itself: how long a load or an outage lasts. */
export function lasting(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/**
 * Whether tests that need something of the machine can run. `missing` says why not: that is shouted, because a skipped
 * test proves nothing, and with CI=true it is a failure.
 */
export function available(what: string, missing: string | undefined): boolean {
  if (missing === undefined) return true
  const reason = `SKIPPED: ${what}. ${missing}`
  if (process.env.CI === 'true') throw new Error(reason)
  console.error(`\n${'!'.repeat(80)}\n${reason}\n${'!'.repeat(80)}\n`)
  return false
}
