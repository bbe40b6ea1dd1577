import { describe, expect, it } from 'vitest'
import { lookAtColumns, readAugmentation, toldBy } from '../../../src/catalog/augmenters/index.ts'
import type { DomainError } from '../../../src/kernel/errors.ts'
import { AUGMENT_LIMITS, augmenting } from '../../kit/augmenting.ts'

function fault(work: () => unknown): DomainError {
  try {
    work()
  } catch (error) {
    return error as DomainError
  }
  throw new Error('nothing was wrong')
}

const read = (given: unknown, hasTranslator = false) =>
  readAugmentation(given, 'augmentation', AUGMENT_LIMITS, hasTranslator)

describe('a language', () => {
  const asking = (via: string) => read({ strategies: [{ type: 'back_translation', config: { via } }] }, true)
  it.each(['es', 'spa', 'zh-Hans', 'pt-BR', 'sr_Latn'])('may be %s', via => {
    expect(asking(via).strategies[0]!.config).toEqual({ language: 'en', via })
  })
  it.each(['', 'ES', 'spanish', 'es|en', 'zh-'])('may not be "%s"', via => {
    const { code, details } = fault(() => asking(via))
    expect([code, details[0]!.field]).toEqual(['VALIDATION_ERROR', 'augmentation.strategies.0.config.via'])
  })
})

describe('a request', () => {
  it.each<[about: string, given: unknown, field: string, message: RegExp]>([
    ['nothing', undefined, 'augmentation', /expected object/],
    ['no strategy', { strategies: [] }, 'augmentation.strategies', />=1/],
    [
      'an unknown one',
      { strategies: ['magic'] },
      'augmentation.strategies',
      /"magic" is none of synonym_replacement, back_/,
    ],
    ['none by name', { strategies: ['noise', { config: {} }] }, 'augmentation.strategies.1', /expected its name/],
    ['no translator', { strategies: ['back_translation'] }, 'augmentation.strategies', /TRANSLATE_URL is not set/],
    ['multiplier 0', { strategies: ['noise'], multiplier: 0 }, 'augmentation.multiplier', />=2/],
    ['multiplier 10^9', { strategies: ['noise'], multiplier: 1e9 }, 'augmentation.multiplier', /<=10/],
    ['multiplier 1.5', { strategies: ['noise'], multiplier: 1.5 }, 'augmentation.multiplier', /int/],
    ['another field', { strategies: ['noise'], spread: 1 }, 'augmentation.spread', /[Uu]nrecognized/],
    ['no pattern', { strategies: ['noise'], protect: ['ok', '('] }, 'augmentation.protect.1', /pattern/],
    ['look-around', { strategies: ['noise'], protect: ['(?=a)'] }, 'augmentation.protect.0', /look-around/],
    ['labels', { strategies: ['noise'], preserve_labels: 'yes' }, 'augmentation.preserve_labels', /boolean/],
    ['a dictionary', { strategies: ['noise'], dictionary: { a: 'b' } }, 'augmentation.dictionary.a', /array/],
    [
      'its configuration',
      { strategies: ['random_swap', { type: 'noise', config: { spread: 2 } }] },
      'augmentation.strategies.1.config.spread',
      /<=1/,
    ],
  ])('is refused, and the field named: %s', (_about, given, field, message) => {
    const error = fault(() => read(given))
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field }] })
    expect(error.message).toMatch(message)
  })

  it('has defaults', () => {
    const request = read({ strategies: ['noise', 'back_translation'] }, true)
    expect(request).toMatchObject({ multiplier: 2, preserveLabels: true, protect: [], labels: undefined })
    expect(request.strategies.map(({ entry }) => entry.name)).toEqual(['noise', 'back_translation'])
  })

  it('is refused when there is no column to change', () => {
    const rows = [{ id: '1', data: '{"code":"A1","n":5}' }]
    const error = fault(() => augmenting({ strategies: ['random_swap'] }, rows))
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'augmentation.strategies' }] })
    expect(error.message).toContain('random_swap: there is no text column among code (other), n (number)')
  })
})

describe('a request that names columns', () => {
  const rows = [
    { id: '1', data: '{"text":"we bought a car","mood":"good","n":5}' },
    { id: '2', data: '{"text":"we sold a car","n":6}' },
  ]
  it.each<[about: string, given: object, field: string, message: string]>([
    ['a label', { label_columns: ['mood', 'mod'] }, 'augmentation.label_columns.1', 'no record has "mod"'],
    ['a text', { text_columns: ['txt', 'text'] }, 'augmentation.text_columns.0', 'no record has "txt"'],
    ['a name that objects have', { label_columns: ['constructor'] }, 'augmentation.label_columns.0', 'no record has'],
    ['a text that is none', { text_columns: ['n'] }, 'augmentation.strategies', 'no text column among text (other)'],
  ])('that no record has is refused: %s', (_about, given, field, message) => {
    const error = fault(() => augmenting({ strategies: ['random_swap'], ...given }, rows))
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field }] })
    expect(error.message).toContain(message)
  })

  it('is taken when one record has them', () => {
    expect(() => augmenting({ strategies: ['random_swap'], label_columns: ['mood'] }, rows)).not.toThrow()
  })
})

describe('what columns are', () => {
  const look = lookAtColumns()
  for (let n = 0; n < 200; n++) {
    look.add(
      JSON.stringify({
        id: n,
        review: `The film number ${n} was quite good`,
        评论: `这部电影很好看，我看了${n}遍`,
        city: `City ${n}`,
        sentiment: n % 2 ? 'good' : 'bad',
        stars: 1 + (n % 5),
        topic: `topic ${n} of many more`,
        price: n / 10,
        created_at: `2024-01-01T00:00:${n % 60}Z`,
        __proto__x: null,
      }),
    )
  }
  const kinds = (told = {}) =>
    Object.fromEntries(Object.entries(look.facts(told).columns).map(([name, { kind }]) => [name, kind]))

  it('is found out', () => {
    expect(kinds()).toEqual({
      id: 'other',
      review: 'text',
      评论: 'text',
      city: 'other',
      sentiment: 'label',
      stars: 'label',
      topic: 'label',
      price: 'number',
      created_at: 'other',
      __proto__x: 'other',
    })
  })

  it('is told', () => {
    expect(kinds({ labels: ['city'] })).toMatchObject({
      city: 'label',
      sentiment: 'other',
      topic: 'text',
      stars: 'number',
    })
    expect(kinds({ texts: ['city'] })).toMatchObject({
      city: 'text',
      review: 'other',
      sentiment: 'label',
      price: 'number',
    })
    const told = toldBy(read({ strategies: ['noise'], preserve_labels: false }))
    expect(kinds(told)).toMatchObject({ topic: 'text', stars: 'number' })
  })

  it('does not grow with the rows', () => {
    const many = lookAtColumns()
    for (let n = 0; n < 3000; n++) many.add(JSON.stringify({ [`c${n}`]: n }))
    expect(Object.keys(many.facts().columns)).toHaveLength(1000)
    expect(JSON.stringify(look.facts()).length).toBeLessThan(1500)
  })
})
