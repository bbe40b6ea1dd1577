/** What tells a name in a text from other words, without a list of names: only how it is written and what stands around it. */

const CAPITAL = /^\p{Lu}/u
/** What may stand between the end of a sentence and the next one's first word. */
const BEGINS = /(?:^|[.!?…:。！？\n]["'”’)\]]*\s*|\s[-–•*]\s+)["'“‘([¿¡]*$/u
/** Titles and initials: the point behind them ends no sentence, and a name follows. */
const TITLE =
  /(?:^|[^\p{L}])(?:Mr|Mrs|Ms|Mx|Dr|Prof|St|Sr|Jr|Gen|Sen|Rep|Gov|Lt|Col|Capt|Sgt|Maj|Adm|Rev|Hon|Pres|Messrs|Mme|Mlle|Mt|Ft|\p{Lu})\.\s?$/u
/** Characters before a word that are looked at. */
const BEFORE = 12

/** Whether a sentence begins with the capitalised word that begins at `start`, so that its capital says nothing. */
export function beginsSentence(text: string, start: number): boolean {
  const before = text.slice(Math.max(0, start - BEFORE), start)
  return BEGINS.test(before) && !TITLE.test(before)
}

/** Small words that are part of the name behind them: van der Berg, de la Cruz. */
const PARTICLES: ReadonlySet<string> = new Set('van von der den de del della di da dos du la le ibn bin'.split(' '))
const NAME_FOLLOWS = /^ (?:\p{Ll}{2,5} ){0,2}\p{Lu}/u
const LONGEST_PARTICLES = 14

/** Whether a small word belongs to a name that comes behind it. */
export function isParticle(text: string, word: string, end: number): boolean {
  return PARTICLES.has(word) && NAME_FOLLOWS.test(text.slice(end, end + LONGEST_PARTICLES))
}

const WORD = /\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)*/gu

/** The names in a text: capitalised words inside sentences. */
export function namesOf(text: string): string[] {
  const names: string[] = []
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (CAPITAL.test(word) && !beginsSentence(text, index)) names.push(word)
  }
  return names
}

/** Chinese surnames of one character that are seldom words by themselves. */
const SURNAMES =
  '王李张張刘劉陈陳杨楊赵趙周吴吳徐孙孫胡朱郭罗羅宋郑鄭谢謝韩韓唐冯馮董萧蕭程曹袁邓鄧傅沈彭吕呂苏蘇卢盧蒋蔣蔡贾賈丁魏薛阎潘杜戴钟鍾汪姜范姚谭譚廖邹鄒熊陆陸郝孔崔康邱秦侯邵孟龚龔欧歐'
/** What follows a name more often than it is one. */
const NO_GIVEN_NAME = /[的了是和在与與就都也很不我你他她它们們去来來说說有被把给給对對从從]/u

interface Piece {
  readonly start: number
  readonly end: number
  readonly text: string
}

/**
 * The places of pieces that are names of people in Chinese: a surname by itself and what is written right behind it, two
 * characters at most. Where words are cut, given names stand by themselves or in pieces.
 */
export function chineseNames(pieces: readonly Piece[]): ReadonlySet<number> {
  const names = new Set<number>()
  for (const [at, { text, end }] of pieces.entries()) {
    if (text.length !== 1 || !SURNAMES.includes(text)) continue
    names.add(at)
    let [length, to] = [0, end]
    for (let next = at + 1; next < pieces.length; next++) {
      const piece = pieces[next]!
      length += piece.text.length
      if (piece.start !== to || length > 2 || NO_GIVEN_NAME.test(piece.text)) break
      names.add(next)
      to = piece.end
    }
  }
  return names
}
