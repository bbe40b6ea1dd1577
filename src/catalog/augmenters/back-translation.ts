import { z } from 'zod'
import type { Pattern } from '../patterns.ts'
import { augmenter, type Changed, type Reason } from './augmenter.ts'
import { isEnglish } from './english/synonyms.ts'
import { namesOf } from './names.ts'
import { fixedSpans, protectedSpans, wordsOf } from './words.ts'

const language = z
  .string()
  .regex(/^[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?$/, 'expected a language as the translator calls it: en, zh-Hans')
/** Punctuation around a term; signs of amounts belong to it. */
const EDGE = /[()[\]{}"'“”‘’«»,.;:!?¿¡\s]/
/** How much shorter or longer what came back may be. */
const SHORTEST = 0.5
const LONGEST = 2

export const backTranslation = augmenter({
  name: 'back_translation',
  summary:
    'Translates texts into another language and back, by the server at TRANSLATE_URL. What comes back is kept only when ' +
    'it has the same numbers, names and protected terms, and about the same length.',
  changes: 'texts',
  needs: 'translator',
  config: z.strictObject({
    /** The language of the texts. */
    language: language.default('en'),
    /** The one they go through. */
    via: language.default('es'),
  }),
  examples: [
    {
      about: 'there and back',
      config: {},
      input: 'The car of Alice cost 300 euros.',
      output: 'Alice spent 300 euros on the car: the price of Alice.',
      translations: {
        'The car of Alice cost 300 euros.': 'El coche de Alice costó 300 euros.',
        'El coche de Alice costó 300 euros.': 'Alice spent 300 euros on the car: the price of Alice.',
      },
    },
  ],
  compile({ language, via }, { translator, protect }) {
    return async text => {
      if (!/\p{L}/u.test(text)) return { refused: 'nothing_to_change' }
      const there = await translator!.translate(text, language, via)
      const back = there === undefined ? undefined : await translator!.translate(there, via, language)
      return back === undefined ? { refused: 'translation_failed' } : agreeing(text, back.trim(), protect, language)
    }
  },
})

/** What came back, when it still says the same as far as that can be told by itself. */
function agreeing(text: string, back: string, protect: readonly Pattern[], language: string): Changed {
  if (back === text || back.toLowerCase() === text.toLowerCase()) return { refused: 'unchanged' }
  const reason = disagreement(text, back, protect, language)
  return reason ? { refused: reason } : { text: back }
}

/** What two texts do not have alike; undefined when they agree. */
export function disagreement(
  text: string,
  other: string,
  protect: readonly Pattern[],
  language: string,
): Reason | undefined {
  if (other.length < text.length * SHORTEST || other.length > text.length * LONGEST) return 'length_differs'
  if (!sameTerms(said(text, fixedSpans(text, [])), said(other, fixedSpans(other, [])))) return 'numbers_differ'
  if (!sameTerms(said(text, protectedSpans(text, protect)), said(other, protectedSpans(other, protect))))
    return 'protected_differ'
  const [here, there] = [wordsIn(text), wordsIn(other)]
  const names = [...namesOf(text), ...(language === 'en' ? firstNames(text) : [])]
  if (names.some(name => !there.has(name)) || namesOf(other).some(name => !here.has(name))) return 'names_differ'
  return undefined
}

function wordsIn(text: string): Set<string> {
  return new Set(text.match(/\p{L}[\p{L}\p{M}]*/gu))
}

/** Words that sentences begin with and that are no English words: names, too. */
function firstNames(text: string): string[] {
  const first = wordsOf(text, []).filter(word => word.first && !isEnglish(word.text.toLowerCase()))
  return first.map(word => word.text)
}

/** What stands at these places, without the punctuation around it. */
function said(text: string, spans: readonly { start: number; end: number }[]): string[] {
  return spans.map(({ start, end }) => {
    let [from, to] = [start, end]
    while (from < to && EDGE.test(text[from]!)) from++
    while (from < to && EDGE.test(text[to - 1]!)) to--
    return text.slice(from, to)
  })
}

/** Whether two lists have the same terms, as often. */
function sameTerms(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().join('\0') === [...b].sort().join('\0')
}
