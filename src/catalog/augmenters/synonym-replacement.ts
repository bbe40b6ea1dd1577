import { z } from 'zod'
import type { Chance } from '../../kernel/chance.ts'
import { augmenter, NOTHING, type Setting } from './augmenter.ts'
import { synonyms, synonymsOfFirst } from './english/synonyms.ts'
import { fixedSpans, isCarrying, isJoined, replaced, type Word, wordsOf } from './words.ts'

/** Most segments that one entry of a dictionary may be long. */
const LONGEST_ENTRY = 8

export const synonymReplacement = augmenter({
  name: 'synonym_replacement',
  summary:
    'Replaces words of texts by others for the same: the user’s own dictionary first, which is how Chinese and the words ' +
    'of a trade come in, then WordNet for English. Part of speech, inflection and capitals stay; where the part of speech ' +
    'is in doubt the word stays.',
  changes: 'texts',
  needs: null,
  config: z.strictObject({
    /** Share of the replaceable words that are replaced; at least one is. */
    share: z.number().gt(0).max(1).default(0.3),
    /** Whether English words that the dictionary lacks are looked up in WordNet. */
    wordnet: z.boolean().default(true),
  }),
  examples: [
    {
      about: 'plural and past',
      config: { share: 1 },
      input: 'The physicians bought 3 cars.',
      output: 'The doctors purchased 3 autos.',
    },
    {
      about: 'a capital stays one, and names stay',
      config: { share: 1 },
      input: 'Physicians and Alice waited.',
      output: 'Doctors and Alice waited.',
    },
    {
      about: 'comparison',
      config: { share: 1 },
      input: 'a bigger problem',
      output: 'a larger problem',
    },
    {
      about: 'a dictionary of one’s own',
      config: { share: 1 },
      input: 'Heart attack after surgery',
      output: 'Myocardial infarction after operation',
      dictionary: { 'heart attack': ['myocardial infarction'], surgery: ['operation'] },
    },
    {
      about: 'Chinese',
      config: { share: 1 },
      input: '这台电脑质量很好，价格3000元。',
      output: '这台计算机品质很好，价格3000元。',
      dictionary: { 电脑: ['计算机'], 质量: ['品质'] },
    },
    {
      about: 'what is protected stays',
      config: { share: 1 },
      input: 'The physicians bought cars.',
      output: 'The doctors purchased cars.',
      protect: ['cars'],
    },
    {
      about: 'nothing to replace',
      config: {},
      input: 'It is 25.',
      output: { refused: 'nothing_to_change' },
    },
  ],
  compile({ share, wordnet }, setting) {
    return (text, _column, chance) => {
      const words = wordsOf(text, fixedSpans(text, setting.protect))
      const choices = [...fromDictionary(text, words, setting)]
      if (wordnet) choices.push(...fromWordNet(text, words, new Set(choices.flatMap(({ places }) => places))))
      if (choices.length === 0) return NOTHING
      return { text: replaceSome(text, words, choices, Math.max(1, Math.round(choices.length * share)), chance) }
    }
  },
})

/** Words that stand together and what may stand for them. */
interface Choice {
  readonly places: readonly number[]
  readonly others: readonly string[]
}

/** What may stand between words of one entry: nothing that stays as it is. */
const BETWEEN = /^[^\p{L}\p{N}@#]*$/u

/** The longest entries first; an entry ends where a word ends. */
function* fromDictionary(text: string, words: readonly Word[], { dictionary }: Setting): Generator<Choice> {
  if (dictionary.size === 0) return
  for (let at = 0; at < words.length; at++) {
    let most = 1
    while (most < LONGEST_ENTRY && at + most < words.length && isNext(text, words[at + most - 1]!, words[at + most]!))
      most++
    for (let count = most; count > 0; count--) {
      const said = text.slice(words[at]!.start, words[at + count - 1]!.end)
      const others = dictionary.get(said.toLowerCase())?.filter(other => other !== said)
      if (!others || others.length === 0) continue
      yield { places: Array.from({ length: count }, (_, n) => at + n), others }
      at += count - 1
      break
    }
  }
}

function isNext(text: string, { end }: Word, { start }: Word): boolean {
  return BETWEEN.test(text.slice(end, start))
}

function* fromWordNet(all: string, words: readonly Word[], taken: ReadonlySet<number>): Generator<Choice> {
  for (const [place, word] of words.entries()) {
    const { text, end, first } = word
    if (taken.has(place) || !/^[A-Za-z]+$/.test(text) || isJoined(all, word)) continue
    const lower = text.toLowerCase()
    if (isCarrying(lower)) continue
    const next = words[place + 1]
    // Words beside it are those with a blank between.
    const after = next && next.start === end + 1 ? next.text.toLowerCase() : ''
    const previous = words[place - 1]
    const before = previous && previous.end + 1 === words[place]!.start ? previous.text.toLowerCase() : ''
    const others = first ? synonymsOfFirst(lower, after) : synonyms(lower, before, after)
    if (others.length > 0) yield { places: [place], others }
  }
}

function replaceSome(text: string, words: readonly Word[], choices: Choice[], count: number, chance: Chance): string {
  const spans: Word[] = []
  const replacements = new Map<number, string>()
  for (let n = 0; n < count; n++) {
    const at = n + chance.int(choices.length - n)
    const { places, others } = choices[at]!
    choices[at] = choices[n]!
    const [first, last] = [words[places[0]!]!, words[places.at(-1)!]!]
    const other = others[chance.int(others.length)]!
    replacements.set(spans.length, first.first ? other.charAt(0).toUpperCase() + other.slice(1) : other)
    spans.push({ ...first, end: last.end })
  }
  const order = spans.map((_, at) => at).sort((a, b) => spans[a]!.start - spans[b]!.start)
  const sorted = order.map(at => spans[at]!)
  return replaced(text, sorted, new Map(order.map((at, place) => [place, replacements.get(at)!])))
}
