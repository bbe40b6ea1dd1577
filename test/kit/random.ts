import { randomInt } from 'node:crypto'

/** Random choices that a seed repeats. */
export interface Random {
  /** A whole number from 0 to below `below`. */
  int(below: number): number
  chance(probability: number): boolean
  pick<T>(choices: readonly T[]): T
}

/** The mulberry32 generator: small, and the same on every machine. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    int: below => Math.floor(next() * below),
    chance: probability => next() < probability,
    pick: choices => choices[Math.floor(next() * choices.length)]!,
  }
}

/** A list cut into pieces of random length, 1 to `longest`. */
export function cut<T>(list: readonly T[], longest: number, random: Random): T[][] {
  const pieces: T[][] = []
  for (let at = 0; at < list.length; at += pieces.at(-1)!.length) {
    pieces.push(list.slice(at, at + 1 + random.int(longest)))
  }
  return pieces
}

/**
 * Runs `body` `times` times, each with its own seed, and names the seed of the run that failed: with `SEED=<seed>` in
 * the environment that run is the first.
 */
export async function property(times: number, body: (random: Random) => void | Promise<void>): Promise<void> {
  const first = process.env.SEED ? Number(process.env.SEED) : randomInt(2 ** 31)
  for (let seed = first; seed < first + times; seed++) {
    try {
      await body(seeded(seed))
    } catch (error) {
      console.error(`failed with SEED=${seed}`)
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`with SEED=${seed}: ${message}`, { cause: error })
    }
  }
}
