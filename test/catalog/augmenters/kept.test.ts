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

const texts = LOCAL.filter(name => name !== 'noise')

describe('made texts', () => {
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

describe('made texts in Chinese', () => {
  const TERM = '急性心肌梗死'
  const KEPT = [/[\d０-９%]+/g, /[〇零一二两三四五六七八九十百千万亿]+/g, /[不没无未]/g, new RegExp(TERM, 'g')]
  const parts = [
    '他今年二十五岁，花了三千五百元买了两台电脑，非常高兴。',
    '我不是不喜欢这部电影，只是没有时间去看，完全不值得。',
    '会议在星期一举行，不是星期日，请大家准时参加。',
    `患者诊断为${TERM}，需要立即住院治疗，三分之一的人未能康复。`,
  ]

  it.each(texts)('%s keeps every number, also in signs, every negation, label and protected term', async strategy => {
    await property(2, async random => {
      const rows = Array.from({ length: 1000 }, (_, n) => ({
        id: `r${n}`,
        data: JSON.stringify({
          文本: `${random.pick(parts)}编号${n}，价格３０００元，${n}%。`,
          标签: random.pick(['好', '坏']),
        }),
      }))
      const config = strategy === 'synonym_replacement' ? {} : { share: 0.5 }
      const dictionary = { 电脑: ['计算机'], 高兴: ['开心'], 电影: ['影片'], 治疗: ['医治'], 参加: ['出席'] }
      const given = { strategies: [{ type: strategy, config }], multiplier: 3, protect: [TERM], dictionary }
      const { made } = await madeOf(given, rows)
      expect(made.length).toBeGreaterThan(1000)
      for (const { data, origin } of made) {
        const [row, from] = [JSON.parse(data), JSON.parse(rows[Number(origin.record_id.slice(1))]!.data)]
        for (const kept of KEPT) expect(row.文本.match(kept)).toEqual(from.文本.match(kept))
        expect(row.标签).toBe(from.标签)
      }
    })
  })
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
