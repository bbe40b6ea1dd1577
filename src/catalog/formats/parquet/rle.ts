import { Broken, need } from '../broken.ts'

/** A stream of small numbers in parquet's mixture of runs and bit-packed groups, read a few at a time. */
export interface Numbers {
  /** Fills out[0, count). Throws a Broken when the bytes have fewer. */
  read(out: Int32Array, count: number): void
  /** Fills the beginning of `out` with what is at hand, at least one number, and answers how many. */
  readSome(out: Int32Array): number
}

export function bitWidth(max: number): number {
  return 32 - Math.clz32(max)
}

/**
 * The stream in bytes[at, end), of numbers with `width` bits, none of which may be above `max`. Numbers without bits are
 * zeros, however many are asked for.
 */
export function createRle(bytes: Buffer, at: number, end: number, width: number, max: number): Numbers {
  if (width > 31) throw new Broken(`numbers of ${width} bits`)
  /** What is left of the run under way: of one value, or of packed ones from bit `bit` on. */
  let left = 0
  let packed = false
  let value = 0
  let bit = 0

  function nextRun(): void {
    let head = 0
    for (let shift = 0; ; shift += 7) {
      need(at, 1, end, 'a run of numbers')
      const b = bytes[at++]!
      if (shift > 28 || (shift === 28 && b > 15)) throw new Broken('a run of numbers is too long')
      head |= (b & 127) << shift
      if (b < 128) break
    }
    head >>>= 0
    packed = (head & 1) === 1
    if (packed) {
      left = (head >>> 1) * 8
      bit = at * 8
      // The last group may be cut off where its values are not needed.
      at = Math.min(end, at + (head >>> 1) * width)
      return
    }
    left = head >>> 1
    value = 0
    const length = (width + 7) >> 3
    need(at, length, end, 'a run of numbers')
    for (let n = 0; n < length; n++) value |= bytes[at++]! << (n * 8)
    if (value < 0 || value > max) throw new Broken(`the number ${value >>> 0} is above ${max}`)
  }

  function unpack(out: Int32Array, from: number, to: number): void {
    need(0, Math.ceil((bit + (to - from) * width) / 8), at, 'a group of numbers')
    const mask = width === 31 ? 0x7fffffff : (1 << width) - 1
    let i = Math.floor(bit / 8)
    let held = 8 - (bit % 8)
    let bits = bytes[i++]! >>> (bit % 8)
    for (let n = from; n < to; n++) {
      // Up to 31 bits may be held already: the rest of a byte that does not fit is taken apart.
      while (held < width && held <= 24) {
        bits |= bytes[i++]! << held
        held += 8
      }
      let number = bits & mask
      if (held < width) {
        const more = bytes[i++]!
        number = (bits | (more << held)) & mask
        bits = more >>> (width - held)
        held += 8 - width
      } else {
        bits >>>= width
        held -= width
      }
      if (number > max) throw new Broken(`the number ${number} is above ${max}`)
      out[n] = number
    }
    bit += (to - from) * width
  }

  /** The numbers of the open run that can be read: the last group may be padded, and its padding cut off. */
  function atHand(): number {
    return packed ? Math.min(left, Math.floor((at * 8 - bit) / width)) : left
  }

  return {
    readSome(out) {
      if (width === 0) {
        out.fill(0)
        return out.length
      }
      while (left === 0) nextRun()
      const take = Math.min(atHand(), out.length)
      if (take <= 0) throw new Broken('a group of numbers ends too early')
      if (packed) unpack(out, 0, take)
      else out.fill(value, 0, take)
      left -= take
      return take
    },
    read(out, count) {
      if (width === 0) {
        out.fill(0, 0, count)
        return
      }
      for (let filled = 0; filled < count; ) {
        while (left === 0) nextRun()
        const take = Math.min(left, count - filled)
        if (packed) unpack(out, filled, filled + take)
        else out.fill(value, filled, filled + take)
        filled += take
        left -= take
      }
    },
  }
}
