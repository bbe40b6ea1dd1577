import { afterAll, describe, expect, it } from 'vitest'
import { disagreement } from '../../../src/catalog/augmenters/back-translation.ts'
import { openTranslator } from '../../../src/catalog/augmenters/translators/open.ts'
import { createGuard } from '../../../src/catalog/reach/guard.ts'
import { hasApertium, startApertium } from '../../kit/apertium.ts'
import { madeOf, mixedSentence, realSentences } from '../../kit/augmenting.ts'
import { seeded } from '../../kit/random.ts'

const installed = hasApertium()
if (!installed) {
  const how = 'apt-get install apertium-apy apertium-eng-spa'
  if (process.env.CI === 'true') throw new Error(`no apertium-apy here: ${how}`)
  console.warn(`SKIPPED: back_translation against a real server, because there is no apertium-apy here: ${how}`)
}

const ends: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

describe.skipIf(!installed)('back_translation by apertium-apy', () => {
  it('makes rows that agree with theirs, and tells why others were not made', async () => {
    const server = await startApertium()
    ends.push(server.stop)
    const translator = await openTranslator({
      ...{ url: server.url, guard: createGuard('1'), signal: new AbortController().signal },
      ...{ timeoutMs: 30_000, retries: 1, concurrency: 4, answerBytes: 100_000 },
    })
    ends.push(translator.close)
    expect(translator.kind).toBe('apertium-apy')
    expect([translator.can('en', 'es'), translator.can('es', 'en'), translator.can('en', 'zh')]).toEqual([
      true,
      true,
      false,
    ])
    expect(await translator.translate('the house', 'en', 'es')).toMatch(/^la casa$/i)

    const random = seeded(1)
    const mixed = Array.from({ length: 30 }, () => mixedSentence(random, 'casein').text)
    const texts = [...realSentences().slice(1000, 1100), ...mixed]
    const rows = texts.map((text, n) => ({ id: String(n), data: JSON.stringify({ text, label: n % 2 }) }))
    const given = { strategies: ['back_translation'], text_columns: ['text'], protect: ['casein'] }
    const { made, run } = await madeOf(given, rows, { translator })
    expect(made.length).toBeGreaterThan(30)
    for (const { data, origin } of made) {
      const [from, row] = [JSON.parse(rows[Number(origin.record_id)]!.data), JSON.parse(data)]
      expect(row.label).toBe(from.label)
      expect(disagreement(from.text, row.text, [], 'en')).toBeUndefined()
      expect(row.text.includes('casein')).toBe(from.text.includes('casein'))
      expect((row.text.match(/\d+/g) ?? []).sort()).toEqual((from.text.match(/\d+/g) ?? []).sort())
    }
    const refused = Object.values(run.state.refused).reduce((a, b) => a + b, 0)
    expect(made.length + refused).toBeGreaterThanOrEqual(rows.length)
    console.info(`made ${made.length} of ${rows.length}: ${JSON.stringify(run.state.refused)}; ${made[0]!.data}`)
  }, 120_000)
})
