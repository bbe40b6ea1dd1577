import type { Pattern } from '../patterns.ts'
import { beginsSentence, chineseNames, isParticle } from './names.ts'

/** A word of a text that may be changed: text[start, end). */
export interface Word {
  readonly start: number
  readonly end: number
  readonly text: string
  /** Whether a sentence begins with it. */
  readonly first: boolean
}

export interface Span {
  readonly start: number
  readonly end: number
}

const CHUNK = /\S+/g
/** Markup and code, which may have blanks inside. */
const MARKUP = /<[^<>\s][^<>]{0,200}>|`[^`]{1,200}`/g
/** A chunk in which these are stays whole: addresses, mentions, tags, digits, my_names, capitals inside words, "U.S.". */
const WHOLE = /:\/\/|www\.|[@#_\p{N}]|\p{L}\p{Lu}|&\w{1,10};|\p{Lu}\.\p{Lu}\./u
/** The same where no blanks part the words: digits and what is written with them, with the one character behind. */
const PART = /[\p{N}A-Za-z_.:/+@#%$€£¥°‰-]+\p{L}?/gu
/** States of patterns times characters that are looked at again for one text; ten million take 0.4 s. */
const MAX_MATCHING = 10_000_000
/** Texts whose spans are remembered: a row's texts are changed several times over. */
const REMEMBERED = 8
const lastSpans = new WeakMap<readonly Pattern[], Map<string, readonly Span[]>>()
const WRITTEN = /[\p{N}@#_]|\p{L}\p{Lu}|:\/\//u

/**
 * Where something stands in a text that stays as it is, in order: addresses, whatever has a digit in it (numbers, dates,
 * times, ids, amounts with their signs and units), mentions and tags, markup, words with capitals inside or of capitals
 * only, and what the user protects. In time that grows with the text and not faster.
 */
export function fixedSpans(text: string, protect: readonly Pattern[]): readonly Span[] {
  const known = lastSpans.get(protect) ?? new Map<string, readonly Span[]>()
  lastSpans.set(protect, known)
  let spans = known.get(text)
  if (!spans) {
    spans = spansIn(text, protect)
    if (known.size >= REMEMBERED) known.clear()
    known.set(text, spans)
  }
  return spans
}

function spansIn(text: string, protect: readonly Pattern[]): Span[] {
  const spans = protectedSpans(text, protect)
  const parts = HAN.test(text)
  for (const { 0: chunk, index } of text.matchAll(CHUNK)) {
    if (!WHOLE.test(chunk)) continue
    if (!parts) spans.push({ start: index, end: index + chunk.length })
    else {
      for (const { 0: part, index: at } of chunk.matchAll(PART)) {
        if (WRITTEN.test(part)) spans.push({ start: index + at, end: index + at + part.length })
      }
    }
  }
  if (text.includes('<') || text.includes('`')) {
    for (const { 0: found, index } of text.matchAll(MARKUP)) spans.push({ start: index, end: index + found.length })
  }
  return spans.length < 2 ? spans : joined(spans)
}

/**
 * Where the user's own protected terms stand. A pattern may look at all of a text for each place where it finds little, or
 * nothing: when that has been too much, all that comes after is protected.
 */
export function protectedSpans(text: string, protect: readonly Pattern[]): Span[] {
  const spans: Span[] = []
  let left = MAX_MATCHING
  for (const pattern of protect) {
    for (let from = 0; from <= text.length; ) {
      // Once through the text is what every pattern may have.
      const again = from === 0 ? 0 : pattern.size * (text.length - from)
      if (again > left) {
        spans.push({ start: from, end: text.length })
        break
      }
      left -= again
      const found = pattern.find(text, from)
      if (!found) break
      const { length } = found.groups[0]!
      if (length > 0) spans.push({ start: found.index, end: found.index + length })
      from = found.index + Math.max(1, length)
    }
  }
  return joined(spans)
}

function joined(spans: Span[]): Span[] {
  spans.sort((a, b) => a.start - b.start)
  const out: { start: number; end: number }[] = []
  for (const { start, end } of spans) {
    const last = out.at(-1)
    if (last && start <= last.end) last.end = Math.max(last.end, end)
    else out.push({ start, end })
  }
  return out
}

const WORD = /\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)*/gu
const HAN = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Thai}/u
const CAPITAL = /^\p{Lu}/u
const NO_NAMES: ReadonlySet<number> = new Set()
let segmenter: Intl.Segmenter | undefined

/**
 * The words of a text that may be changed, in order: those outside the spans that stay as they are and that are no names.
 * A name is a capitalised word inside a sentence, with the small words that belong to it; in a text that capitalises most
 * of its words, any. Texts without blanks between words are cut by Intl.Segmenter.
 */
export function wordsOf(text: string, spans: readonly Span[]): Word[] {
  const words: Word[] = []
  let [capitals, at] = [0, 0]
  const found: Word[] = []
  for (const { index: start, length } of pieces(text)) {
    const end = start + length
    while (at < spans.length && spans[at]!.end <= start) at++
    if (at < spans.length && spans[at]!.start < end) continue
    const piece = text.slice(start, end)
    const capital = CAPITAL.test(piece)
    if (capital) capitals++
    found.push({ start, end, text: piece, first: capital && beginsSentence(text, start) })
  }
  const title = found.length > 2 && capitals * 2 > found.length
  const names = HAN.test(text) ? chineseNames(found) : NO_NAMES
  for (const [place, word] of found.entries()) {
    if (CAPITAL.test(word.text) ? !word.first || title : isParticle(text, word.text, word.end)) continue
    if (!names.has(place)) words.push(word)
  }
  return words
}

function* pieces(text: string): Generator<{ index: number; length: number }> {
  if (!HAN.test(text)) {
    for (const { 0: word, index } of text.matchAll(WORD)) yield { index, length: word.length }
    return
  }
  segmenter ??= new Intl.Segmenter('zh', { granularity: 'word' })
  for (const { segment, index, isWordLike } of segmenter.segment(text)) {
    if (isWordLike) yield { index, length: segment.length }
  }
}

/** A text with some of its words replaced: `replacements` by place in `words`. */
export function replaced(text: string, words: readonly Span[], replacements: ReadonlyMap<number, string>): string {
  let out = ''
  let from = 0
  for (const [place, replacement] of [...replacements].sort(([a], [b]) => a - b)) {
    const { start, end } = words[place]!
    out += text.slice(from, start) + replacement
    from = end
  }
  return out + text.slice(from)
}

const NUMERAL_WORDS =
  'half zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen ' +
  'eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen ' +
  'hundreds thousands millions billions dozens'
const COUNTING: ReadonlySet<string> = new Set(NUMERAL_WORDS.split(' '))
/** A number in digits, and the blank behind it. */
const NUMBER_LAST = /\p{N}[%)]?[ \u00a0\u202f]$/u

/**
 * Words that carry what a sentence says, whatever else it says: without them it says something else. They are neither
 * replaced nor moved nor left out.
 */
export const CARRYING: ReadonlySet<string> = new Set(
  (
    'no not never none nor neither nothing nobody nowhere without cannot hardly barely scarcely except unless if but only ' +
    `less least more most few many all any both double twice once ${NUMERAL_WORDS} ` +
    'first second third fourth fifth sixth seventh eighth ninth tenth percent ' +
    'monday tuesday wednesday thursday friday saturday sunday january february march april may june july august ' +
    'september october november december today tomorrow yesterday ' +
    '星期日 星期天 周日 周末 今天 明天 昨天'
  ).split(' '),
)

/** Chinese numerals and negations: where words are cut they stand within others, 十五岁 and 我不是. */
const NUMERALS = '〇零一二两兩三四五六七八九十百千万萬亿億半几幾双雙'
const CARRYING_SIGN = new RegExp(`[${NUMERALS}不没沒无無非未别莫勿否]`)
const NUMERAL_LAST = new RegExp(`[${NUMERALS}]$`)

/**
 * Whether a word counts with the number right before it: 5 mg, three patients, 三千元. Without it the number would go on
 * whatever comes next. `before` is the word before it, if there is one.
 */
export function isCounted(text: string, word: Word, before: Word | undefined): boolean {
  const { start } = word
  if (NUMBER_LAST.test(text.slice(Math.max(0, start - 3), start))) return true
  if (before?.end === start) return NUMERAL_LAST.test(before.text)
  return before?.end === start - 1 && COUNTING.has(before.text.toLowerCase())
}

const JOINING = "-/.'’&+=@\\~*_"
const JOINED = /[\p{L}\p{N}_]/u

/** Whether a word is a part of something longer, well-known or e.g.: moved or left out it would leave the rest to others. */
export function isJoined(text: string, { start, end }: Span): boolean {
  const before = start > 1 && JOINING.includes(text[start - 1]!) && JOINED.test(text[start - 2]!)
  return before || (end + 1 < text.length && JOINING.includes(text[end]!) && JOINED.test(text[end + 1]!))
}

/** Whether a word carries what its sentence says; "don't" and its like do. */
export function isCarrying(word: string): boolean {
  const lower = word.toLowerCase()
  return CARRYING.has(lower) || /n['’]t$/.test(lower) || CARRYING_SIGN.test(word)
}
