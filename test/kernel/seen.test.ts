import { describe, expect, it } from 'vitest'
import { chanceOf, hashText52 } from '../../src/kernel/chance.ts'
import { createFilter, createSeen } from '../../src/kernel/seen.ts'
import { property } from '../kit/random.ts'

describe('hashes that were seen', () => {
  it('are what a set has, up to the limit', () =>
    property(5, random => {
      const limit = random.int(2000)
      const seen = createSeen(limit)
      const model = new Set<number>()
      for (let n = 0; n < 3000; n++) {
        const hash = random.int(2) ? random.int(1500) : random.int(2 ** 26) * 2 ** 26
        const isNew = hash === 0 ? !model.has(1) : !model.has(hash)
        expect(seen.add(hash)).toBe(isNew)
        if (isNew && model.size < limit) model.add(hash === 0 ? 1 : hash)
      }
      expect(seen.full).toBe(model.size >= limit)
    }))

  it('are all found by a filter, and few others', () => {
    const filter = createFilter(10_000_000)
    expect(filter.has(5)).toBe(false)
    for (let n = 0; n < 250_000; n++) filter.add(hashText52(`r${n}`))
    for (let n = 0; n < 250_000; n += 7) expect(filter.has(hashText52(`r${n}`))).toBe(true)
    let wrong = 0
    for (let n = 0; n < 20_000; n++) if (filter.has(hashText52(`other${n}`))) wrong++
    expect(wrong / 20_000).toBeLessThan(0.03)
  })

  it('are all found by a filter that may grow no more', () => {
    const filter = createFilter(1)
    for (let n = 0; n < 300_000; n++) filter.add(hashText52(`r${n}`))
    for (let n = 0; n < 300_000; n += 11) expect(filter.has(hashText52(`r${n}`))).toBe(true)
  })
})

describe('a hash of 52 bits', () => {
  it('tells a million texts apart, that are alike or not', () => {
    const hashes = new Set<number>()
    for (let n = 0; n < 500_000; n++) hashes.add(hashText52(`{"n":${n}}`))
    for (let n = 0; n < 500_000; n++) hashes.add(hashText52(`${(n * 7919) % 1_000_003} ${n}`))
    // Of so many one pair in 2^13 runs; of 32 bits there would be a hundred of them.
    expect(hashes.size).toBe(1_000_000)
  })
})

describe('choices by a text', () => {
  it('are the same each time, and even', () => {
    const counts = new Array(10).fill(0)
    for (let n = 0; n < 20_000; n++) counts[chanceOf('seed', n).int(10)]++
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(250)
    expect(chanceOf('a', 1).share()).toBe(chanceOf('a', 1).share())
    // Not the same as parts that only read the same.
    expect(chanceOf('a', 1).share()).not.toBe(chanceOf('a1').share())
  })
})
