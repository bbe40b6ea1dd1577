import { z } from 'zod'
import { augmenter, NOTHING } from './augmenter.ts'
import { fixedSpans, isCarrying, isCounted, isJoined, replaced, type Word, wordsOf } from './words.ts'

export const randomSwap = augmenter({
  name: 'random_swap',
  summary:
    'Swaps words of texts with a neighbour a few words on. Numbers, names, negations and the first word of a sentence stay ' +
    'where they are.',
  changes: 'texts',
  needs: null,
  config: z.strictObject({
    /** Share of the words that may move for which a swap is tried; one at least. */
    share: z.number().gt(0).max(1).default(0.1),
    /** How many words on the other one may be. */
    reach: z.int().min(1).max(100).default(3),
  }),
  examples: [
    {
      about: 'two of the words that may move',
      config: { reach: 1 },
      input: 'we did not pay 5 euros for tea',
      output: 'we pay not did 5 euros for tea',
    },
    { about: 'one word', config: {}, input: 'Hello', output: { refused: 'nothing_to_change' } },
    {
      about: 'nothing but what stays',
      config: {},
      input: 'alpha beta 7',
      output: { refused: 'nothing_to_change' },
      protect: ['alpha'],
    },
  ],
  compile({ share, reach }, { protect }) {
    return (text, _column, chance) => {
      const words = movable(text, wordsOf(text, fixedSpans(text, protect)))
      if (words.length < 2) return NOTHING
      const now = words.map(word => word.text)
      const swaps = Math.max(1, Math.round(words.length * share))
      for (let n = 0; n < swaps; n++) {
        const at = chance.int(words.length - 1)
        const other = Math.min(words.length - 1, at + 1 + chance.int(reach))
        ;[now[at], now[other]] = [now[other]!, now[at]!]
      }
      const made = replaced(text, words, new Map(now.entries()))
      return made === text ? { refused: 'unchanged' } : { text: made }
    }
  },
})

/** Words that may stand elsewhere, or nowhere: what a sentence begins with has a capital, others carry its meaning. */
export function movable(text: string, words: readonly Word[]): Word[] {
  return words.filter(
    (word, at) =>
      !word.first && !isCarrying(word.text) && !isCounted(text, word, words[at - 1]) && !isJoined(text, word),
  )
}
