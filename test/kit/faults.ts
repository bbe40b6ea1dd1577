/** `npm run faults` asks for the long form; `npm test` runs the short one. */
export const LONG = process.env.FAULTS === 'long'

/** Random choices that can be made again: the seed is printed, and FAULTS_SEED sets it. */
export interface Random {
  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number
  chance(share: number): boolean
  pick<T>(from: readonly T[]): T
}

export function seeded(name: string): Random {
  const seed = Number(process.env.FAULTS_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`${name}: FAULTS_SEED=${seed}`)
  let state = seed >>> 0
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return { whole, chance: share => next() < share, pick: from => from[whole(0, from.length - 1)]! }
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
