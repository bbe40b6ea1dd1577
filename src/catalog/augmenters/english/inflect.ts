import { doubling, irregularComparisons, irregularPlurals, irregularVerbs, uncounted } from './irregular.ts'

export type PartOfSpeech = 'noun' | 'verb' | 'adj' | 'adv'

/** What an English word form is of its base. `past` stands for the past and the participle where those are one. */
export type Form =
  | 'base'
  | 'plural'
  | 'third'
  | 'past'
  | 'past only'
  | 'participle only'
  | 'ing'
  | 'comparative'
  | 'superlative'

export interface Analysis {
  readonly base: string
  readonly pos: PartOfSpeech
  readonly form: Form
}

const VOWEL = /[aeiouy]/
/** One syllable that ends with consonant, vowel, consonant, the last of which is written once: stop, not show or box. */
const CLOSED = /^[^aeiou]*(?:qu)?[aeiouy][^aeiouwxy]$/

/** The word of a base in a form; undefined when there is none that can be told. */
export function inflected(base: string, pos: PartOfSpeech, form: Form): string | undefined {
  if (form === 'base') return base
  switch (pos) {
    case 'noun':
      return form === 'plural' && !uncounted.has(base) ? plural(base) : undefined
    case 'verb':
      return verbForm(base, form)
    case 'adj':
      return compared(base, form)
    case 'adv':
      return undefined
  }
}

function plural(base: string): string | undefined {
  const known = irregularPlurals.get(base)
  if (known) return known
  // "-ics", "-ness" and the like are rarely counted, and what ends with s is often a plural already.
  if (/(?:[^s]s|ness|ics|[^aeiou]is|us|men)$/.test(base)) return undefined
  // Those that take -es are known.
  return base.endsWith('o') ? `${base}s` : withS(base)
}

function withS(base: string): string {
  if (/(?:s|x|z|ch|sh)$/.test(base) || /[^aeiou]o$/.test(base)) return `${base}es`
  if (/[^aeiou]y$/.test(base)) return `${base.slice(0, -1)}ies`
  return `${base}s`
}

function verbForm(base: string, form: Form): string | undefined {
  if (base === 'be' || base === 'have' || base === 'can' || base === 'will' || base === 'shall') return undefined
  if (form === 'third') return withS(base)
  if (form === 'ing') {
    if (base.endsWith('ie')) return `${base.slice(0, -2)}ying`
    if (/[^aeiouy]e$|ue$/.test(base) && base.length > 2) return `${base.slice(0, -1)}ing`
    return `${stem(base)}ing`
  }
  const known = irregularVerbs.get(base)
  if (known) {
    if (form === 'past only') return known.past
    if (form === 'participle only') return known.participle
    return known.past === known.participle ? known.past : undefined
  }
  if (base.endsWith('e')) return `${base}d`
  return /[^aeiou]y$/.test(base) ? `${base.slice(0, -1)}ied` : `${stem(base)}ed`
}

function stem(base: string): string {
  return CLOSED.test(base) || doubling.has(base) ? base + base.at(-1) : base
}

function compared(base: string, form: Form): string | undefined {
  if (form !== 'comparative' && form !== 'superlative') return undefined
  const known = irregularComparisons.get(base)
  if (known) return known[form === 'comparative' ? 0 : 1]
  const end = form === 'comparative' ? 'er' : 'est'
  const syllables = base.replace(/e$/, '').match(/[aeiouy]+/g)?.length ?? 1
  if (syllables > 2 || (syllables === 2 && !/[^aeiou]y$/.test(base))) {
    return `${form === 'comparative' ? 'more' : 'most'} ${base}`
  }
  if (base.endsWith('e')) return `${base}${end.slice(1)}`
  return /[^aeiou]y$/.test(base) ? `${base.slice(0, -1)}i${end}` : `${stem(base)}${end}`
}

const irregularForms = new Map<string, Analysis[]>()
function addForm(word: string, analysis: Analysis): void {
  const known = irregularForms.get(word)
  if (known) known.push(analysis)
  else irregularForms.set(word, [analysis])
}
for (const [base, { past, participle }] of irregularVerbs) {
  if (past === participle) addForm(past, { base, pos: 'verb', form: 'past' })
  else {
    addForm(past, { base, pos: 'verb', form: 'past only' })
    addForm(participle, { base, pos: 'verb', form: 'participle only' })
  }
}
for (const [base, many] of irregularPlurals) addForm(many, { base, pos: 'noun', form: 'plural' })
for (const [base, [comparative, superlative]] of irregularComparisons) {
  addForm(comparative, { base, pos: 'adj', form: 'comparative' })
  addForm(superlative, { base, pos: 'adj', form: 'superlative' })
}

/** Endings, what they are forms of, and what the base may end with instead. */
const ENDINGS: readonly [ending: string, pos: PartOfSpeech, form: Form, instead: readonly string[]][] = [
  ['ies', 'noun', 'plural', ['y']],
  ['es', 'noun', 'plural', ['']],
  ['s', 'noun', 'plural', ['']],
  ['ies', 'verb', 'third', ['y']],
  ['es', 'verb', 'third', ['']],
  ['s', 'verb', 'third', ['']],
  ['ied', 'verb', 'past', ['y']],
  ['ed', 'verb', 'past', ['', 'e']],
  ['ying', 'verb', 'ing', ['ie']],
  ['ing', 'verb', 'ing', ['', 'e']],
  ['ier', 'adj', 'comparative', ['y']],
  ['er', 'adj', 'comparative', ['', 'e']],
  ['iest', 'adj', 'superlative', ['y']],
  ['est', 'adj', 'superlative', ['', 'e']],
]

/**
 * What a lower-case word may be, by its ending: each base is one whose form, made by `inflected`, is the word. Whether
 * there is such a base is for the dictionary to say.
 */
export function analyses(word: string): Analysis[] {
  const found: Analysis[] = [...(irregularForms.get(word) ?? [])]
  for (const pos of ['noun', 'verb', 'adj', 'adv'] as const) found.push({ base: word, pos, form: 'base' })
  for (const [ending, pos, form, instead] of ENDINGS) {
    if (!word.endsWith(ending) || word.length < ending.length + 1) continue
    const root = word.slice(0, -ending.length)
    const bases = instead.map(end => root + end)
    // stopped, bigger
    if (/([^aeiou])\1$/.test(root)) bases.push(root.slice(0, -1))
    for (const base of bases) {
      if (VOWEL.test(base) && inflected(base, pos, form) === word) found.push({ base, pos, form })
    }
  }
  return found
}
