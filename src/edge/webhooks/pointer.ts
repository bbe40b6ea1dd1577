import { type Span, skipElements, skipMembers, skipSpace } from '../../kernel/json.ts'

const [OBJECT, ARRAY] = [123, 91]
const INDEX = /^(0|[1-9]\d*)$/
const WHOLE = /^(0|-?[1-9]\d*)$/

/**
 * The text or whole number that a JSON pointer (RFC 6901) leads to in a JSON text, as an id: a number as it is written,
 * so that one past 2^53 stays what it is. Undefined when there is nothing else there. Throws JsonError for what is no JSON.
 */
export function idAt(json: Buffer, pointer: string, maxDepth: number): string | undefined {
  const span = spanAt(json, pointer, maxDepth)
  if (!span) return undefined
  const text = json.toString('utf8', span.start, span.end)
  if (text.startsWith('"')) return JSON.parse(text)
  if (WHOLE.test(text)) return text
  const number = Number(text)
  return Number.isSafeInteger(number) ? String(number) : undefined
}

function spanAt(json: Buffer, pointer: string, maxDepth: number): Span | undefined {
  let at: Span | undefined = { start: skipSpace(json, 0, json.length), end: json.length }
  for (const part of pointer.split('/').slice(1)) {
    at = inside(json, at, part.replaceAll('~1', '/').replaceAll('~0', '~'), maxDepth)
    if (!at) return undefined
  }
  return at
}

/** The value of a member or an element; of two members with one name the later, as JSON.parse has it. */
function inside(json: Buffer, { start, end }: Span, name: string, maxDepth: number): Span | undefined {
  let found: Span | undefined
  if (json[start] === OBJECT) {
    skipMembers(json, start, end, maxDepth, (keyStart, keyEnd, from, to) => {
      if (JSON.parse(json.toString('utf8', keyStart, keyEnd)) === name) found = { start: from, end: to }
    })
  } else if (json[start] === ARRAY && INDEX.test(name)) {
    let index = 0
    skipElements(json, start, end, maxDepth, (from, to) => {
      if (index++ === Number(name)) found = { start: from, end: to }
    })
  }
  return found
}
