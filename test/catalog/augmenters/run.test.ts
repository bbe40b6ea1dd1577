import { describe, expect, it } from 'vitest'
import type { SourceRow } from '../../../src/catalog/augmenters/index.ts'
import { AUGMENT_LIMITS, augmenting, LOCAL, madeOf, realSentences, slowTranslator } from '../../kit/augmenting.ts'
import { cut, property, type Random } from '../../kit/random.ts'

function someRows(random: Random, count: number): SourceRow[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `r${n}`,
    // Some have nothing to change, some are like others.
    data: JSON.stringify({
      text: random.chance(0.2) ? random.pick(['It is 5.', 'so good']) : random.pick(realSentences().slice(0, 500)),
      label: random.pick(['a', 'b']),
      size: random.int(1000) / 10,
    }),
  }))
}

describe('a run', () => {
  it('makes the same of the same seed wherever pages are cut and it is begun again, and other things of another', () =>
    property(6, async random => {
      const rows = someRows(random, 120)
      const strategies = [...LOCAL, 'back_translation']
      const given = { strategies, multiplier: 1 + 1 + random.int(3) }
      const translator = slowTranslator(text => (text.length % 7 === 0 ? undefined : `so ${text}`))
      const { made, run } = await madeOf(given, rows, { translator })
      const pages = cut(rows, 30, random)
      const paged = await madeOf(given, rows, { translator, pages })
      expect(paged.made).toEqual(made)
      expect(paged.run.state).toEqual(run.state)

      // Stopped after some pages, and gone on with what a checkpoint keeps.
      const stopped = Math.floor(pages.length / 2)
      const first = await madeOf(given, rows, { translator, pages: pages.slice(0, stopped) })
      const state = JSON.parse(JSON.stringify(first.run.state))
      const second = augmenting(given, rows, { translator, state })
      for (const { data } of first.made) second.remember(data)
      const rest = []
      for (const page of pages.slice(stopped)) rest.push(...(await second.page(page)))
      expect([...first.made, ...rest]).toEqual(made)
      expect(second.state).toEqual(run.state)

      const other = await madeOf(given, rows, { translator, seed: '8' })
      expect(other.made).not.toEqual(made)
    }))

  it('takes the strategies in turn', async () => {
    const rows = realSentences()
      .filter(text => text.split(' ').length > 8)
      .slice(0, 600)
      .map((text, n) => ({ id: String(n), data: JSON.stringify({ text, size: (n * 37) % 997 }) }))
    const { made } = await madeOf({ strategies: LOCAL, multiplier: 3 }, rows)
    for (const name of LOCAL) {
      const share = made.filter(({ origin }) => origin.strategy === name).length / made.length
      expect([name, share]).toEqual([name, expect.toSatisfy((value: number) => value > 0.15 && value < 0.4)])
    }
  })

  it('lets later rows of a class give what earlier ones of it could not', async () => {
    const texts = [
      'It is 5.',
      'It is 6.',
      'we bought a car and a house there',
      'she quickly answered all of the questions',
    ]
    const rows = ['x', 'y'].flatMap(label =>
      [...texts, ...texts.map(text => `well ${text}`)].map((text, n) => ({
        id: label + n,
        data: JSON.stringify({ text, label }),
      })),
    )
    const given = { strategies: ['random_swap'], multiplier: 2, label_columns: ['label'], text_columns: ['text'] }
    const { made, run } = await madeOf(given, rows)
    expect(run.state.refused).toEqual({ nothing_to_change: expect.any(Number) })
    expect(run.state.refused.nothing_to_change).toBeGreaterThan(0)
    const of = (label: string) => made.filter(({ data }) => JSON.parse(data).label === label).length
    expect(of('x')).toBe(of('y'))
    expect(made.length + Object.values(run.state.owed).reduce((a, b) => a + b, 0)).toBe(rows.length)
  })

  it('tells why rows were not made', async () => {
    const rows = [{ id: '1', data: '{"text":"we bought a car there","n":1}' }]
    const reasons = async (translate: (text: string) => string | undefined) => {
      const given = { strategies: ['back_translation'], text_columns: ['text'] }
      return (await madeOf(given, rows, { translator: slowTranslator(translate) })).run.state.refused
    }
    expect(await reasons(() => undefined)).toEqual({ translation_failed: 1 })
    expect(await reasons(text => text)).toEqual({ unchanged: 1 })
    expect(await reasons(text => `${text} 5`)).toEqual({ numbers_differ: 1 })
    expect(await reasons(text => `${text} Alice`)).toEqual({ names_differ: 1 })
    expect(await reasons(text => text.repeat(3))).toEqual({ length_differs: 1 })
    expect(await reasons(text => `${text} more`)).toEqual({})
    const long = { ...AUGMENT_LIMITS, rowLength: 10 }
    const { run } = await madeOf({ strategies: ['random_swap'], text_columns: ['text'] }, rows, { limits: long })
    expect(run.state.refused).toEqual({ too_long: 1 })
  })

  it('makes no row twice, of whichever rows', async () => {
    const rows = Array.from({ length: 50 }, (_, n) => ({ id: String(n), data: '{"text":"we bought a car","n":1}' }))
    const given = { strategies: ['synonym_replacement'], multiplier: 4, text_columns: ['text'] }
    const { made, run } = await madeOf(given, rows)
    expect(new Set(made.map(({ data }) => data)).size).toBe(made.length)
    expect(made.length).toBeLessThan(10)
    expect(run.state.refused.duplicate).toBeGreaterThan(100)
    expect(run.forgets).toBe(false)
    const few = await madeOf(given, rows, { limits: { ...AUGMENT_LIMITS, remembered: 1 } })
    expect(few.run.forgets).toBe(true)
  })

  it('touches nothing but what it changes: other fields keep their text and place', async () => {
    const rows = [
      { id: '1', data: '{"big":12345678901234567890,"text":"we bought a car","x":{"b":1.0,"a":[]},"z":1e2}' },
    ]
    const { made } = await madeOf({ strategies: ['synonym_replacement'], text_columns: ['text'] }, rows)
    expect(made).toEqual([
      {
        id: expect.stringMatching(/^aug_[0-9a-z]{26}$/),
        data: expect.stringMatching(/^\{"big":12345678901234567890,"text":"we .*","x":\{"b":1.0,"a":\[\]\},"z":1e2\}$/),
        origin: { dataset_id: 'ds_1', record_id: '1', strategy: 'synonym_replacement', seed: '7' },
      },
    ])
  })
})
