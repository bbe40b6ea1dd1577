import { z } from 'zod'
import { augmenter, NOTHING } from './augmenter.ts'
import { movable } from './random-swap.ts'
import { fixedSpans, replaced, wordsOf } from './words.ts'

/** So many words that may go must be left for each that goes. */
const LEFT = 2

export const randomDeletion = augmenter({
  name: 'random_deletion',
  summary:
    'Leaves out words of texts, a third of those that may go at most. Numbers, names, negations and the first word of a ' +
    'sentence stay.',
  changes: 'texts',
  needs: null,
  config: z.strictObject({
    /** Share of the words that may go that are left out; one at least. */
    share: z.number().gt(0).max(1).default(0.1),
  }),
  examples: [
    {
      about: 'the blank goes with the word',
      config: {},
      input: 'This film was never boring, says Ann: 9 points for effort',
      output: 'This film never boring, says Ann: 9 points for effort',
    },
    { about: 'too short', config: {}, input: 'so good', output: { refused: 'nothing_to_change' } },
    { about: 'Chinese', config: {}, input: '这台电脑质量很好', output: '这电脑质量很好' },
  ],
  compile({ share }, { protect }) {
    return (text, _column, chance) => {
      const words = movable(text, wordsOf(text, fixedSpans(text, protect)))
      const most = Math.floor(words.length / (LEFT + 1))
      if (most === 0) return NOTHING
      const places = words.map((_, place) => place)
      const count = Math.min(most, Math.max(1, Math.round(words.length * share)))
      const gone = new Map<number, string>()
      for (let n = 0; n < count; n++) {
        const at = n + chance.int(places.length - n)
        gone.set(places[at]!, '')
        places[at] = places[n]!
      }
      const spans = words.map(({ start, end }) => ({
        // The blank before goes too, where one is.
        start: start > 0 && text[start - 1] === ' ' ? start - 1 : start,
        end,
      }))
      return { text: replaced(text, spans, gone).trimStart() }
    }
  },
})
