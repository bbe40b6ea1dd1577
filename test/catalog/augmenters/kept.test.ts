import { describe, expect, it } from 'vitest'
import { hashText52 } from '../../../src/kernel/chance.ts'
import { LOCAL, madeOf, mixedSentence } from '../../kit/augmenting.ts'
import { property } from '../../kit/random.ts'

const ROWS = 10_000
const TERM = 'acute myocardial infarction'
const LABELS = ['positive', 'negative', 'neutral']

/** How often a text has another in it. */
function times(text: string, part: string): number {
  return text.split(part).length - 1
}

/** Every run of digits, as often as it is there. */
function digits(text: string): string[] {
  return (text.match(/\d+/g) ?? []).sort()
}

describe('made texts', () => {
  const texts = LOCAL.filter(name => name !== 'noise')

  it.each(texts)(
    `%s keeps every number, name, label and protected term, over ${ROWS} rows`,
    async strategy => {
      await property(1, async random => {
        const source = Array.from({ length: ROWS / 2 }, (_, n) => {
          const { text, numbers, name } = mixedSentence(random, TERM)
          const label = LABELS[n % LABELS.length]!
          return { id: `r${n}`, text, numbers, name, label, price: `${random.int(1000)}.50` }
        })
        const rows = source.map(({ id, text, label, price }) => ({
          id,
          data: `{"text": ${JSON.stringify(text)}, "label": "${label}", "price": ${price}}`,
        }))
        const given = { strategies: [strategy], multiplier: 3, protect: ['acute\\s+myocardial\\s+infarction'] }
        const { made, run } = await madeOf(given, rows)
        const byId = new Map(source.map(each => [each.id, each]))
        for (const { data, origin } of made) {
          const row = JSON.parse(data)
          const from = byId.get(origin.record_id)!
          expect(row.label).toBe(from.label)
          expect(data).toContain(`"price":${from.price}`)
          expect(row.text).not.toBe(from.text)
          expect(times(row.text, TERM)).toBe(1)
          for (const term of [...from.numbers, from.name])
            expect([term, times(row.text, term)]).toEqual([term, times(from.text, term)])
          expect(digits(row.text)).toEqual(digits(from.text))
        }
        // Many short sentences have no word, or one, with a synonym beyond doubt.
        expect(made.length).toBeGreaterThan(ROWS * (strategy === 'synonym_replacement' ? 0.3 : 0.8))
        expect(made.length).toBeLessThanOrEqual(ROWS)
        expect(new Set(made.map(({ data }) => data)).size).toBe(made.length)
        expect(new Set(made.map(({ id }) => id)).size).toBe(made.length)
        const missing = Object.values(run.state.refused).reduce((a, b) => a + b, 0)
        const owed = Object.values(run.state.owed).reduce((a, b) => a + b, 0)
        expect(made.length).toBe(ROWS - owed)
        expect(missing).toBeGreaterThanOrEqual(owed)
        // Classes are to each other as they were, but for what is owed.
        for (const label of LABELS) {
          const had = source.filter(each => each.label === label).length
          const has = made.filter(({ data }) => JSON.parse(data).label === label).length
          expect(has).toBe(had * 2 - (run.state.owed[hashText52(JSON.stringify([`"${label}"`])).toString(36)] ?? 0))
        }
      })
    },
    120_000,
  )
})

describe('made numbers', () => {
  it('stay within their column, whole or with their decimals, and ids, years and classes stay', () =>
    property(5, async random => {
      const number = (places: number) => (random.int(10_000_000) / 10 ** places - 1000).toFixed(places)
      const rows = Array.from({ length: 400 }, (_, n) => ({
        id: String(n),
        data: `{"user_id":${n},"year":${1990 + (n % 40)},"class":${n % 3},"count":${number(0)},"price":${number(2)},"big":9007199254740993${100 + n},"note":"5 of ${n}"}`,
      }))
      const { made } = await madeOf({ strategies: [{ type: 'noise', config: { spread: 0.3 } }], multiplier: 3 }, rows)
      expect(made.length).toBeGreaterThan(700)
      const numbers = (data: string, name: string) => new RegExp(`"${name}":([^,}]+)`).exec(data)![1]!
      const column = (name: string) => rows.map(({ data }) => Number(numbers(data, name)))
      const bounds = new Map(
        ['count', 'price'].map(name => [name, [Math.min(...column(name)), Math.max(...column(name))]]),
      )
      for (const { data, origin } of made) {
        const from = rows[Number(origin.record_id)]!.data
        for (const name of ['user_id', 'year', 'class', 'note']) expect(numbers(data, name)).toBe(numbers(from, name))
        expect(numbers(data, 'count')).toMatch(/^-?\d+$/)
        expect(numbers(data, 'price')).toMatch(/^-?\d+\.\d\d$/)
        expect(numbers(data, 'big')).toMatch(/^9007199254740993\d{3}$/)
        for (const [name, [least, greatest]] of bounds) {
          expect(Number(numbers(data, name))).toBeGreaterThanOrEqual(least!)
          expect(Number(numbers(data, name))).toBeLessThanOrEqual(greatest!)
        }
        expect(data).not.toBe(from)
      }
    }))
})
