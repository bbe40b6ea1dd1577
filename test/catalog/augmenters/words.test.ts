import { describe, expect, it } from 'vitest'
import { disagreement } from '../../../src/catalog/augmenters/back-translation.ts'
import { fixedSpans, protectedSpans } from '../../../src/catalog/augmenters/words.ts'
import { compilePattern, type Pattern } from '../../../src/catalog/patterns.ts'
import { augmenting } from '../../kit/augmenting.ts'

/** A pattern that counts what it was given to look through. */
function counting(source: string): Pattern & { looked: number } {
  const pattern = compilePattern(source, 'u')
  const counted = {
    ...{ size: pattern.size, test: pattern.test, looked: 0 },
    find(text: string, from: number) {
      counted.looked += pattern.size * (text.length - from)
      return pattern.find(text, from)
    },
  }
  return counted
}

describe('protected terms', () => {
  // For each place these look to the end of the text, and find a character or nothing.
  it.each(['[^z]*z|a', '(?:[^z]*z)?'])('take bounded time: what %s would look too long for stays as it is', source => {
    const pattern = counting(source)
    const text = 'a'.repeat(8000)
    const spans = protectedSpans(text, [pattern])
    expect(pattern.looked).toBeLessThan(10_000_000 + 2 * pattern.size * text.length)
    expect(spans.at(-1)!.end).toBe(text.length)
    // Another pattern is looked for once all the same.
    const other = counting('y+')
    expect(protectedSpans(text, [pattern, other])).toEqual(spans)
    expect(other.looked).toBe(other.size * text.length)
  })

  it('are all found, many in a long text, and looked for once a text', () => {
    const pattern = counting('acute\\s+pain')
    const text = `${'some more words '.repeat(20)}acute pain `.repeat(40)
    const spans = fixedSpans(text, [pattern])
    expect(spans.map(({ start, end }) => text.slice(start, end))).toEqual(Array(40).fill('acute pain'))
    const once = pattern.looked
    const protect = [pattern]
    expect(fixedSpans(text, protect)).toBe(fixedSpans(text, protect))
    expect(pattern.looked).toBe(once * 2)
  })
})

describe('a translation', () => {
  it('is held against its text in time that grows with it and not faster', () => {
    const line = `1${'.'.repeat(200_000)}2`
    expect(disagreement(`${line} we paid`, `we had paid ${line}`, [], 'en')).toBeUndefined()
    expect(disagreement(`(${line}) we paid`, `we had paid "${line}".`, [], 'en')).toBeUndefined()
    expect(disagreement(`${line} we paid`, `we had paid ${line}3`, [], 'en')).toBe('numbers_differ')
  })
})

describe('a page', () => {
  it('that takes long gives others their turn, and ends when its run is stopped', async () => {
    const stopping = new AbortController()
    const data = JSON.stringify({ text: 'a '.repeat(2000) })
    const rows = Array.from({ length: 200 }, (_, n) => ({ id: String(n), data: data.replace('a a', `a b${n} a`) }))
    const given = { strategies: ['random_swap'], text_columns: ['text'], protect: ['[^z]*z|a'] }
    const run = augmenting(given, rows, { signal: stopping.signal })
    setTimeout(() => stopping.abort(new Error('stopped')), 1)
    await expect(run.page(rows)).rejects.toThrow('stopped')
    expect(run.state.rows).toBeLessThan(rows.length)
  })
})
