import { JsonError } from './json.ts'

/**
 * JSON text taken apart and put together again without building values, so that what nobody touches stays to the last
 * digit. Unlike json.ts this reads text that has been checked already; broken text is told apart only as far as needed
 * to never run on.
 */

/**
 * The members of the object that `text` holds, in order: name to its value's text. Of two with one name the later
 * value counts, at the place of the first. Throws a JsonError when it is no object.
 */
export function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>()
  eachMember(text, (nameStart, nameEnd, start, end) => {
    members.set(unquoted(text.slice(nameStart, nameEnd)), text.slice(start, end))
    return true
  })
  return members
}

/**
 * Calls `onMember` for each member of the object that `text` holds, with where its name, quotes included, and its value
 * stand, until it answers false; whether it never did. Throws a JsonError when it is no object.
 */
export function eachMember(
  text: string,
  onMember: (nameStart: number, nameEnd: number, start: number, end: number) => boolean,
): boolean {
  let i = skipBlank(text, 0)
  if (text.charCodeAt(i) !== 123) throw new JsonError('expected an object', i)
  i = skipBlank(text, i + 1)
  if (text.charCodeAt(i) === 125) return true
  for (;;) {
    if (text.charCodeAt(i) !== 34) throw new JsonError('expected a member name in double quotes', i)
    const nameStart = i
    const nameEnd = endOfString(text, i)
    i = skipBlank(text, nameEnd)
    if (text.charCodeAt(i) !== 58) throw new JsonError('expected ":"', i)
    i = skipBlank(text, i + 1)
    const end = endOfValue(text, i)
    if (!onMember(nameStart, nameEnd, i, end)) return false
    i = skipBlank(text, end)
    const c = text.charCodeAt(i)
    if (c === 125) return true
    if (c !== 44) throw new JsonError('expected "," or "}"', i)
    i = skipBlank(text, i + 1)
  }
}

/** The elements' texts of the array that `text` holds. Throws a JsonError when it is no array. */
export function elementsOf(text: string): string[] {
  const elements: string[] = []
  let i = skipBlank(text, 0)
  if (text.charCodeAt(i) !== 91) throw new JsonError('expected an array', i)
  i = skipBlank(text, i + 1)
  if (text.charCodeAt(i) === 93) return elements
  for (;;) {
    const end = endOfValue(text, i)
    elements.push(text.slice(i, end))
    i = skipBlank(text, end)
    const c = text.charCodeAt(i)
    if (c === 93) return elements
    if (c !== 44) throw new JsonError('expected "," or "]"', i)
    i = skipBlank(text, i + 1)
  }
}

/** The text of the value that a JSON pointer (RFC 6901) leads to; undefined where there is none. */
export function valueAt(text: string, pointer: string): string | undefined {
  let value: string | undefined = text
  for (const token of pointer.split('/').slice(1)) {
    const type = value === undefined ? undefined : typeOf(value)
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (type === 'object') value = membersOf(value!).get(name)
    else value = type === 'array' ? elementsOf(value!)[Number(name)] : undefined
  }
  return value
}

/** The object's text that these members make. */
export function objectText(members: ReadonlyMap<string, string>): string {
  let text = ''
  for (const [name, value] of members) text += `${text === '' ? '' : ','}${quoted(name)}:${value}`
  return `{${text}}`
}

/** A text as a JSON string. */
export function quoted(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    // Control characters, " and \ must be escaped, halves of surrogate pairs had better be.
    if (c < 32 || c === 34 || c === 92 || (c >= 0xd800 && c <= 0xdfff)) return JSON.stringify(text)
  }
  return `"${text}"`
}

/** What a JSON string says; `text` has its quotes. */
export function unquoted(text: string): string {
  return text.includes('\\') ? JSON.parse(text) : text.slice(1, -1)
}

export type JsonType = 'string' | 'number' | 'boolean' | 'null' | 'object' | 'array'

/** Which type of value a JSON text is, by how it begins. */
export function typeOf(text: string): JsonType {
  switch (text.charCodeAt(0)) {
    case 34:
      return 'string'
    case 123:
      return 'object'
    case 91:
      return 'array'
    case 116:
    case 102:
      return 'boolean'
    case 110:
      return 'null'
    default:
      return 'number'
  }
}

function skipBlank(text: string, i: number): number {
  for (;;) {
    const c = text.charCodeAt(i)
    if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return i
    i++
  }
}

function endOfValue(text: string, i: number): number {
  const c = text.charCodeAt(i)
  if (c === 34) return endOfString(text, i)
  if (c === 123 || c === 91) return endOfNested(text, i)
  const start = i
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i)
    // , } ] or white space
    if (c === 44 || c === 125 || c === 93 || c <= 32) break
  }
  if (i === start) throw new JsonError('expected a value', i)
  return i
}

/** The index after the string whose opening quote is at `start`. */
export function endOfString(text: string, start: number): number {
  let i = text.indexOf('"', start + 1)
  while (i >= 0) {
    let backslashes = 0
    while (text.charCodeAt(i - 1 - backslashes) === 92) backslashes++
    if (backslashes % 2 === 0) return i + 1
    i = text.indexOf('"', i + 1)
  }
  throw new JsonError('a string is not closed', start)
}

function endOfNested(text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length; ) {
    const c = text.charCodeAt(i)
    if (c === 34) {
      i = endOfString(text, i)
      continue
    }
    i++
    if (c === 123 || c === 91) depth++
    else if ((c === 125 || c === 93) && --depth === 0) return i
  }
  throw new JsonError('an object or array is not closed', start)
}
