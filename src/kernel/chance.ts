/** Choices that follow from a text: the same in every run, on every machine, in whatever order others are made. */
export interface Chance {
  /** A whole number from 0 to below `below`. */
  int(below: number): number
  /** A number from 0 to below 1. */
  share(): number
}

/** Choices that follow from these parts, which no other parts give. */
export function chanceOf(...parts: readonly (string | number)[]): Chance {
  let state = hashText(JSON.stringify(parts))
  // The generator of splitmix32: each state is used once, and neighbours give nothing alike.
  function next(): number {
    state = (state + 0x9e3779b9) | 0
    let t = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    t = Math.imul(t ^ (t >>> 15), 0x735a2d97)
    return (t ^ (t >>> 15)) >>> 0
  }
  return { int: below => Math.floor((next() / 2 ** 32) * below), share: () => next() / 2 ** 32 }
}

/** A text's 32-bit hash (FNV-1a over its UTF-16 units, mixed well): for choices, not for telling texts apart. */
export function hashText(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), FNV)
  return mixed(h)
}

/**
 * A text's 52-bit hash, of two that go through the text side by side: to tell texts apart where a mistake in 2^26 of them
 * does no harm.
 */
export function hashText52(text: string): number {
  let [high, low] = [0x811c9dc5, 0x2f6b0c49]
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    high = Math.imul(high ^ unit, FNV)
    low = Math.imul(low ^ unit, 0x5f356495)
    low ^= low >>> 15
  }
  return (mixed(high) >>> 0) * 2 ** 20 + (mixed(low) >>> 12)
}

const FNV = 0x01000193

function mixed(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
