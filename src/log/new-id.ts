import { randomFillSync } from 'node:crypto'
import { timeOrderedId } from '../kernel/id.ts'

const randoms = Buffer.alloc(4096)
let taken = randoms.length

/** An id of now, with this many random characters: for what has to be unique, not for what nobody may guess. */
export function newId(prefix: string, characters = 12): string {
  // Asking the generator costs more than the rest of a small request's ids: it is asked for many at once.
  if (taken + characters > randoms.length) {
    randomFillSync(randoms)
    taken = 0
  }
  taken += characters
  return timeOrderedId(prefix, Date.now(), randoms.subarray(taken - characters, taken))
}
