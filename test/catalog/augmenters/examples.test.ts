import { describe, expect, it } from 'vitest'
import type { Augmenter } from '../../../src/catalog/augmenters/augmenter.ts'
import { augmenters, lookAtColumns, type Translator } from '../../../src/catalog/augmenters/index.ts'
import { compilePattern } from '../../../src/catalog/patterns.ts'
import { chanceOf } from '../../../src/kernel/chance.ts'

function translatorOf(known: Readonly<Record<string, string>>): Translator {
  return {
    kind: 'libretranslate',
    can: () => true,
    translate: async text => known[text],
    close: async () => undefined,
  }
}

describe.each(augmenters.map(entry => [entry.name, entry] as const))('%s', (_name, entry: Augmenter) => {
  it('says what it is for', () => {
    expect(entry.summary).toMatch(/^[A-Z].*\.$/s)
    expect(entry.examples.length).toBeGreaterThan(0)
  })

  it.each(entry.examples.map(example => [example.about, example] as const))('%s', async (_about, example) => {
    const look = lookAtColumns()
    for (const value of example.column ?? []) look.add(`{"value":${value}}`)
    const change = entry.compile(entry.config.parse(example.config), {
      protect: (example.protect ?? []).map(source => compilePattern(source, 'u')),
      dictionary: new Map(Object.entries(example.dictionary ?? {})),
      facts: look.facts(),
      translator: translatorOf(example.translations ?? {}),
    })
    const { output } = example
    const result = await change(example.input, 'value', chanceOf(1))
    expect(result).toEqual(typeof output === 'string' ? { text: output } : output)
    // The same seed, the same choice.
    expect(await change(example.input, 'value', chanceOf(1))).toEqual(result)
  })
})
