import { describe, expect, it } from 'vitest'
import { analyses, type Form, inflected, type PartOfSpeech } from '../../../src/catalog/augmenters/english/inflect.ts'
import { synonyms } from '../../../src/catalog/augmenters/english/synonyms.ts'
import { openWordNet } from '../../../src/catalog/augmenters/english/wordnet.ts'
import { namesOf } from '../../../src/catalog/augmenters/names.ts'
import { fixedSpans, wordsOf } from '../../../src/catalog/augmenters/words.ts'
import { compilePattern } from '../../../src/catalog/patterns.ts'

describe('English word forms', () => {
  it.each<[base: string, pos: PartOfSpeech, form: Form, word: string]>([
    ['city', 'noun', 'plural', 'cities'],
    ['box', 'noun', 'plural', 'boxes'],
    ['auto', 'noun', 'plural', 'autos'],
    ['hero', 'noun', 'plural', 'heroes'],
    ['child', 'noun', 'plural', 'children'],
    ['try', 'verb', 'third', 'tries'],
    ['go', 'verb', 'third', 'goes'],
    ['stop', 'verb', 'past', 'stopped'],
    ['visit', 'verb', 'past', 'visited'],
    ['prefer', 'verb', 'ing', 'preferring'],
    ['make', 'verb', 'ing', 'making'],
    ['see', 'verb', 'ing', 'seeing'],
    ['die', 'verb', 'ing', 'dying'],
    ['argue', 'verb', 'ing', 'arguing'],
    ['buy', 'verb', 'past', 'bought'],
    ['take', 'verb', 'past only', 'took'],
    ['take', 'verb', 'participle only', 'taken'],
    ['big', 'adj', 'comparative', 'bigger'],
    ['happy', 'adj', 'superlative', 'happiest'],
    ['large', 'adj', 'comparative', 'larger'],
    ['extensive', 'adj', 'comparative', 'more extensive'],
  ])('%s as %s, %s: %s, and back', (base, pos, form, word) => {
    expect(inflected(base, pos, form)).toBe(word)
    if (!word.includes(' ')) expect(analyses(word)).toContainEqual({ base, pos, form })
  })

  it('are left alone where they cannot be told', () => {
    expect(inflected('information', 'noun', 'plural')).toBeUndefined()
    // walked may be took or taken.
    expect(inflected('take', 'verb', 'past')).toBeUndefined()
    expect(inflected('quickly', 'adv', 'comparative')).toBeUndefined()
  })
})

describe('WordNet', () => {
  it('finds the first, the last and every kind of word, and none that is not there', () => {
    const wordNet = openWordNet()
    expect(wordNet.senses("'hood", 'noun')).toHaveLength(1)
    expect(wordNet.senses('zymotic', 'adj')).toHaveLength(2)
    expect(wordNet.senses('dog', 'noun')).toHaveLength(7)
    expect(wordNet.senses('do', 'verb').length).toBeGreaterThan(10)
    for (const word of ['', '!', 'do g', 'zzzz', '\uffff', 'dogg']) expect(wordNet.senses(word, 'noun')).toEqual([])
    expect(wordNet.words(wordNet.senses('car', 'noun')[0]!, 'noun')).toEqual([
      'car',
      'auto',
      'automobile',
      'machine',
      'motorcar',
    ])
    expect(wordNet.uses('run', 'verb')).toBeGreaterThan(wordNet.uses('run', 'noun'))
  })

  it.each<[before: string, word: string, after: string, others: string[]]>([
    ['the', 'physicians', 'said', ['doctors']],
    ['he', 'bought', 'it', ['purchased']],
    ['a', 'bigger', 'one', ['larger']],
    ['she', 'quickly', 'ran', ['rapidly', 'speedily']],
    // A noun here, whose other words are those of the verb only.
    ['the', 'answered', '', ['replied']],
    ['we', 'the', 'people', []],
    ['', 'xylograffle', '', []],
  ])('%s [%s] %s: %j', (before, word, after, others) => {
    expect(synonyms(word, before, after)).toEqual(others)
  })
})

describe('the words of a text', () => {
  const words = (text: string, protect: string[] = []) => {
    const patterns = protect.map(source => compilePattern(source, 'u'))
    return wordsOf(text, fixedSpans(text, patterns)).map(({ text }) => text)
  }

  it.each<[text: string, words: string[]]>([
    ['The car cost $5,000.00 in 2019 (20%).', ['The', 'car', 'cost', 'in']],
    ['Mail bob@x.example or see https://x.example/a?b=c now', ['Mail', 'or', 'see', 'now']],
    ['Yesterday Ann met U.S. and NASA people.', ['Yesterday', 'met', 'and', 'people']],
    ['The Lord of the Rings', ['of', 'the']],
    ['call `do_it now` <b class="x">here</b> @you #tag', ['call', 'here']],
    ['iPhone users don’t care', ['users', 'don’t', 'care']],
    ['我在2024年5月3日买了电脑', ['我在', '买', '了', '电脑']],
    ['', []],
  ])('%s', (text, expected) => expect(words(text)).toEqual(expected))

  it('are outside what is protected', () => {
    expect(words('the heart attack rate', ['heart attack', 'x*'])).toEqual(['the', 'rate'])
  })

  it('and its names are told apart', () => {
    expect(namesOf('Yesterday John met Ann. Then he left for New York.')).toEqual(['John', 'Ann', 'New', 'York'])
  })

  it('take time that grows with the text, not with its square', () => {
    const took = (length: number) => {
      const texts = ['a', 'a-', '<a', '`a', '1', 'a.', '中', '中1', 'A', 'a@', '&a'].map(part => part.repeat(length))
      const begun = process.cpuUsage()
      for (const text of texts) words(text)
      const { user, system } = process.cpuUsage(begun)
      return user + system
    }
    took(1000)
    // Eight times the text: the square would be 64 times the time.
    expect(took(80_000)).toBeLessThan(Math.max(took(10_000), 20_000) * 30)
  })
})
