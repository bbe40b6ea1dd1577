import { RE2JS, RE2JSException } from 're2js'
import { DomainError } from '../kernel/errors.ts'

/** A users' regular expression, run by an engine whose time grows with the text and never with its square. */
export interface Pattern {
  /** What one character of text may cost, relative to other patterns: how many states the pattern has. */
  readonly size: number
  test(text: string): boolean
  /** The first match at or after an index: its groups, the whole match first, and where it begins. */
  find(text: string, from: number): { groups: (string | undefined)[]; index: number } | null
}

const MAX_LENGTH = 1000
const MAX_SIZE = 1000
const MAX_CACHED = 1000
const cache = new Map<string, Pattern>()

/**
 * Compiles a JavaScript pattern with flags i, m, s, g or u. Throws a VALIDATION_ERROR when it is no pattern, is too
 * large, or needs what such an engine cannot have: look-around and back-references.
 */
export function compilePattern(source: string, flags: string): Pattern {
  const key = `${flags}/${source}`
  const known = cache.get(key)
  if (known) return known
  const pattern = compile(source, flags)
  if (cache.size >= MAX_CACHED) cache.clear()
  cache.set(key, pattern)
  return pattern
}

function compile(source: string, flags: string): Pattern {
  if (source.length > MAX_LENGTH) throw refused(source, `is longer than ${MAX_LENGTH} characters`)
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(withShortNames(source)), flagBits(flags))
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const reason = error.message.replace(/^error parsing regexp: /, '')
    throw refused(source, `${reason}; look-around and back-references cannot be used`)
  }
  const size = compiled.programSize()
  if (size > MAX_SIZE) throw refused(source, `is too large: ${size} states, more than ${MAX_SIZE}`)
  return {
    size,
    test: text => compiled.test(text),
    find(text, from) {
      const matcher = compiled.matcher(text)
      if (!matcher.find(from)) return null
      const groups: (string | undefined)[] = []
      for (let n = 0; n <= matcher.groupCount(); n++) groups.push(matcher.group(n) ?? undefined)
      return { groups, index: matcher.start() }
    },
  }
}

const CATEGORIES: Record<string, string> = {
  Letter: 'L',
  Lowercase_Letter: 'Ll',
  Uppercase_Letter: 'Lu',
  Mark: 'M',
  Number: 'N',
  Decimal_Number: 'Nd',
  digit: 'Nd',
  Punctuation: 'P',
  Symbol: 'S',
  Separator: 'Z',
  Other: 'C',
}

const ESCAPE = /\\(?:([pP])\{(?:(?:General_Category|gc|Script|sc)=)?(\w+)\}|.)/gs

/** Unicode properties by the names that RE2 has for them. */
function withShortNames(source: string): string {
  return source.replace(ESCAPE, (whole, p, name) => (p ? `\\${p}{${CATEGORIES[name] ?? name}}` : whole))
}

function flagBits(flags: string): number {
  return (
    (flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0) |
    (flags.includes('m') ? RE2JS.MULTILINE : 0) |
    (flags.includes('s') ? RE2JS.DOTALL : 0)
  )
}

function refused(source: string, why: string): DomainError {
  const shown = source.length > 60 ? `${source.slice(0, 60)}…` : source
  return new DomainError('VALIDATION_ERROR', `the pattern ${shown} ${why}`)
}
