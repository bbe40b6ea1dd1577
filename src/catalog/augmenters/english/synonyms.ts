import { type Analysis, analyses, inflected } from './inflect.ts'
import { openWordNet, type WordNet } from './wordnet.ts'

const DETERMINERS = set(
  'a an the this that these those my your his her its our their each every some another such whose',
)
const SUBJECTS = set('i you we they he she it who')
const MODALS = set(
  "to will would can could may might must shall should do does did don't doesn't didn't won't can't let's",
)
const BEING = set('is are was were be been being am seems seem seemed looks look feels feel felt became become')
const DEGREES = set('very too so more most quite rather extremely really pretty fairly highly')

/**
 * Words without a synonym worth having: they hold sentences together, or WordNet has them as nouns of another kind ("a" is
 * an ampere there, "it" information technology).
 */
const FUNCTION = set(
  'a an the this that these those i you he she it we they me him her us them my your his its our their mine yours ours ' +
    'theirs who whom whose which what where when why how and or nor but if then than as at by for from in into of off on ' +
    'onto out over to up with within without about above across after against along among around before behind below ' +
    'beneath beside between beyond down during inside near outside past since through toward towards under until upon ' +
    'am is are was were be been being have has had having do does did doing done will would can could may might must ' +
    'shall should ought let so too very just also still yet even ever here there now again well like own same other ' +
    'such get got make made go went come came take took put say said re ve ll am pm mr mrs ms dr vs etc eg ie ok lot lots someone somebody something',
)

/** So much more often must a word be one part of speech than another to be taken for it, when nothing around it tells. */
const CLEARLY = 4

/**
 * Other words for an English word, in its own form: the part of speech is told by the words beside it and by how the word
 * is used most; the synonyms are those of its most frequent sense that have the same sense as theirs. None when any of this
 * is in doubt. All words are in small letters; `before` and `after` are '' at an end.
 */
export function synonyms(word: string, before: string, after: string, wordNet: WordNet = openWordNet()): string[] {
  if (word.length < 3 || FUNCTION.has(word)) return []
  const found = chosen(fitting(known(word, wordNet), before, after), wordNet)
  if (!found) return []
  const { base, pos, form } = found
  const [sense] = wordNet.senses(base, pos)
  const forms: string[] = []
  for (const other of wordNet.words(sense!, pos)) {
    if (other === base || other.length < 3 || FUNCTION.has(other) || wordNet.senses(other, pos)[0] !== sense) continue
    // What nobody wrote in the texts that WordNet's makers tagged is rare, or of a trade: "histrion".
    if (wordNet.uses(other, pos) === 0) continue
    const same = inflected(other, pos, form)
    // "a car" does not become "a automobile".
    if (same && same !== word && (!isArticle(before) || vowelFirst(same) === vowelFirst(word))) forms.push(same)
  }
  return forms
}

/**
 * The same for the capitalised word that a sentence begins with, which may be a name: "Bush bought it", "Spear was happy".
 * Names are base forms: what is one, and no adverb, stays.
 */
export function synonymsOfFirst(word: string, after: string, wordNet: WordNet = openWordNet()): string[] {
  const mayBeName = known(word, wordNet).some(({ pos, form }) => pos !== 'adv' && form === 'base')
  return mayBeName ? [] : synonyms(word, '', after, wordNet)
}

/** Whether a word in small letters is an English one, in whatever form. */
export function isEnglish(word: string, wordNet: WordNet = openWordNet()): boolean {
  return (
    FUNCTION.has(word) ||
    DETERMINERS.has(word) ||
    SUBJECTS.has(word) ||
    MODALS.has(word) ||
    known(word, wordNet).length > 0
  )
}

const REMEMBERED = 50_000
const analysed = new Map<string, readonly Analysis[]>()

/** What a word may be: those of its analyses whose base WordNet has. Remembered: words come again. */
function known(word: string, wordNet: WordNet): readonly Analysis[] {
  let found = analysed.get(word)
  if (!found) {
    found = analyses(word).filter(({ base, pos }) => wordNet.senses(base, pos).length > 0)
    if (analysed.size >= REMEMBERED) analysed.clear()
    analysed.set(word, found)
  }
  return found
}

/** What it may be beside these words. */
function fitting(found: readonly Analysis[], before: string, after: string): Analysis[] {
  const isNoun = DETERMINERS.has(before)
  const isVerb = SUBJECTS.has(before)
  const isBase = MODALS.has(before)
  return found.filter(({ pos, form }) => {
    if (isNoun && (pos === 'verb' ? form !== 'ing' && !isPast(form) : pos === 'adv')) return false
    if (isVerb && pos !== 'verb' && pos !== 'adv') return false
    if (isBase && before !== 'to' && !(pos === 'adv' || (pos === 'verb' && form === 'base'))) return false
    if (BEING.has(before) && (pos === 'verb' ? form !== 'ing' && !isPast(form) : pos === 'noun' && form === 'base'))
      return false
    if (DEGREES.has(before) && pos !== 'adj' && pos !== 'adv') return false
    // What is before a noun's determiner or a pronoun is no adjective.
    if ((DETERMINERS.has(after) || SUBJECTS.has(after)) && pos === 'adj') return false
    return true
  })
}

function isPast(form: string): boolean {
  return form === 'past' || form === 'participle only'
}

/** The one it is used as most, by far; undefined when there is no such: "found" is of find, rarely of found. */
function chosen(found: readonly Analysis[], wordNet: WordNet): Analysis | undefined {
  if (found.length < 2) return found[0]
  const used = found.map(each => ({ each, uses: wordNet.uses(each.base, each.pos) })).sort((a, b) => b.uses - a.uses)
  return used[0]!.uses >= Math.max(1, used[1]!.uses * CLEARLY) ? used[0]!.each : undefined
}

function isArticle(word: string): boolean {
  return word === 'a' || word === 'an'
}

/** Whether "an" stands before it, by its spelling; "an hour" and "a user" are told apart by being left as they are. */
function vowelFirst(word: string): string {
  return /^(?:hour|hono|heir|u[ns]i|use|eu|one)/.test(word) ? word : /^[aeiou]/.test(word) ? 'an' : 'a'
}

function set(words: string): ReadonlySet<string> {
  return new Set(words.split(' '))
}
