import { describe, expect, it } from 'vitest'
import {
  type CountedChange,
  changesIn,
  changeText,
  countBefore,
  idsIn,
  idText,
  idTextLength,
} from '../../src/projections/counted-changes.ts'
import { property, type Random } from '../kit/random.ts'

function randomChanges(random: Random): CountedChange[] {
  let [offset, time] = [random.pick([-1, 7, 2 ** 52]), random.pick([0, 1_750_000_000_000])]
  return Array.from({ length: 1 + random.int(40) }, () => {
    offset += random.chance(0.7) ? 1 : 1 + random.int(5000)
    // A clock may be set back.
    time = Math.max(0, time + (random.chance(0.7) ? 0 : random.int(100_000) - 30_000))
    return { by: random.int(3) - 1, offset, time }
  })
}

function textOf(changes: readonly CountedChange[]): string {
  return changes.reduce((text, change, i) => text + changeText(changes[i - 1], change), '')
}

describe('counted changes', () => {
  it('are a character each where nothing else is to be said', () => {
    const text = textOf([5, 6, 7, 8].map(offset => ({ by: 1, offset, time: 1_750_000_000_000 })))
    expect(text).toBe(`+5@${(1_750_000_000_000).toString(36)}+++`)
  })

  it('are read as they were written', () =>
    property(300, random => {
      const changes = randomChanges(random)
      expect(changesIn(textOf(changes))).toEqual(changes)
    }))

  it('tell what there was after each of them, and between', () =>
    property(100, random => {
      const changes = randomChanges(random)
      const text = textOf(changes)
      const records = 1000 + changes.reduce((sum, { by }) => sum + by, 0)
      let count = 1000
      for (const [i, { by, offset, time }] of changes.entries()) {
        count += by
        const then = { records: count, updated_at: time, last: offset }
        expect(countBefore(text, records, offset)).toEqual(then)
        if (changes[i + 1]) expect(countBefore(text, records, changes[i + 1]!.offset - 1)).toEqual(then)
      }
    }))
})

it('keeps ids as they are, in their order, and knows how long their text becomes', () =>
  property(50, random => {
    const parts = ['', ':', '1:', 'ä', '😀', '\n', 'x'.repeat(35), 'x'.repeat(36), 'y'.repeat(1296), '12']
    const ids = Array.from({ length: random.int(20) }, () => random.pick(parts) + random.pick(parts))
    const text = ids.map(idText).join('')
    expect(idsIn(text)).toEqual(ids)
    expect(ids.reduce((sum, id) => sum + idTextLength(id), 0)).toBe(text.length)
  }))
