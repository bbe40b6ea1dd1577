/** Hashes that were seen before, of 53 bits at most: so many are remembered, in 16 to 32 bytes each. */
export interface Seen {
  /** Whether a hash is new; it is known from now on, as long as there is room. */
  add(hash: number): boolean
  /** Whether there is no room for more: those that come now are remembered no longer. */
  readonly full: boolean
}

/** A table with open addressing, twice as large at least as what is in it. */
export function createSeen(limit: number): Seen {
  let size = 1024
  let table = new Float64Array(size)
  let count = 0

  function place(key: number): number {
    let at = key % size
    while (table[at] !== 0 && table[at] !== key) at = (at + 1) % size
    return at
  }

  function grow(): void {
    const before = table
    size *= 2
    table = new Float64Array(size)
    for (const key of before) if (key !== 0) table[place(key)] = key
  }

  return {
    add(hash) {
      // 0 is an empty place.
      const key = hash === 0 ? 1 : hash
      const at = place(key)
      if (table[at] === key) return false
      if (count >= limit) return true
      table[at] = key
      count++
      if (count * 2 > size) grow()
      return true
    },
    get full() {
      return count >= limit
    },
  }
}

/** Hashes of which none is forgotten: one that was added is always found, one that was not in 1 of 120 cases for each part. */
export interface Filter {
  add(hash: number): void
  /** Whether a hash may have been added; false: it was not. */
  has(hash: number): boolean
}

const BITS_EACH = 10
const PROBES = 7
const FIRST = 100_000

/**
 * A Bloom filter for hashes of 53 bits that grows: 10 bits each, in parts that double. Past `mostBytes` it grows no more and
 * finds more that was not added.
 */
export function createFilter(mostBytes: number): Filter {
  const parts: Int32Array[] = []
  let [room, bytes] = [0, 0]

  function grow(): void {
    const hashes = FIRST * 2 ** parts.length
    const words = Math.ceil((hashes * BITS_EACH) / 32)
    if (parts.length > 0 && bytes + words * 4 > mostBytes) {
      room = Number.POSITIVE_INFINITY
      return
    }
    parts.push(new Int32Array(words))
    room = hashes
    bytes += words * 4
  }

  return {
    add(hash) {
      if (room === 0) grow()
      room--
      const words = parts.at(-1)!
      for (let n = 0; n < PROBES; n++) {
        const at = probe(hash, n, words.length * 32)
        words[at >>> 5]! |= 1 << (at & 31)
      }
    },
    has: hash => parts.some(words => isIn(words, hash)),
  }
}

function isIn(words: Int32Array, hash: number): boolean {
  for (let n = 0; n < PROBES; n++) {
    const at = probe(hash, n, words.length * 32)
    if ((words[at >>> 5]! & (1 << (at & 31))) === 0) return false
  }
  return true
}

/** The n-th place of a hash among so many. */
function probe(hash: number, n: number, size: number): number {
  return ((hash % size) + n * (1 + (Math.floor(hash / 2 ** 21) % (size - 1)))) % size
}
