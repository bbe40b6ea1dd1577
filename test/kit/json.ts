import type { Random } from './random.ts'

/** A JSON value that keeps what JavaScript would merge: members in order, names that come twice, numbers as text. */
export type Json = null | boolean | string | { number: string } | Json[] | { members: [name: string, value: Json][] }

const NAMES = ['a', 'b', 'id', '', '__proto__', 'constructor', 'ä', '名', '😀', 'a"b', 'a\\b', 'a/b', 'tab\t', '\u2028']
const TEXTS = [...NAMES, 'plain', 'true', '1', '\u0000', '\u001f', '\u007f', '\uffff', 'e\u0301', '\ud800', '\udc00x']
const NUMBERS = ['0', '-0', '1', '-1', '1.0', '10e-1', '1E+2', '0.1', '1.5e3', '-12.50', '1e400', '1e-400']
const LARGE = ['9007199254740991', '9007199254740993', '123456789012345678901234567890', '0.10000000000000000000001']
const SPACES = ['', '', '', ' ', '\n', '\r\n', '\t', '   ']

export function randomJson(random: Random, depth = 4, numbers: readonly string[] = [...NUMBERS, ...LARGE]): Json {
  const kind = random.int(depth > 0 ? 7 : 5)
  if (kind === 0) return random.pick([null, true, false])
  if (kind <= 2) return random.pick(TEXTS)
  if (kind <= 4) return { number: random.pick(numbers) }
  const inner = () => randomJson(random, depth - 1, numbers)
  if (kind === 5) return Array.from({ length: random.int(4) }, inner)
  return { members: Array.from({ length: random.int(5) }, () => [random.pick(NAMES), inner()]) }
}

/** A JSON text of the value: any of its many spellings. */
export function spelled(value: Json, random: Random): string {
  const space = () => random.pick(SPACES)
  const list = (parts: string[]) => `${space()}${parts.join(`${space()},${space()}`)}${space()}`
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return spelledText(value, random)
  if (Array.isArray(value)) return `[${list(value.map(element => spelled(element, random)))}]`
  if ('number' in value) return value.number
  const members = value.members.map(
    ([name, inner]) => `${spelledText(name, random)}${space()}:${space()}${spelled(inner, random)}`,
  )
  return `{${list(members)}}`
}

const SHORT: Record<string, string> = { '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '"': '"', '\\': '\\' }

function spelledText(text: string, random: Random): string {
  let out = '"'
  for (const character of text) {
    const must = character < ' ' || character === '"' || character === '\\' || !character.isWellFormed()
    if (!must && !random.chance(0.2)) out += character
    else if (SHORT[character] && random.chance(0.5)) out += `\\${SHORT[character]}`
    else if (character === '/' && random.chance(0.5)) out += '\\/'
    else for (let i = 0; i < character.length; i++) out += escaped(character.charCodeAt(i), random)
  }
  return `${out}"`
}

function escaped(unit: number, random: Random): string {
  const hex = unit.toString(16).padStart(4, '0')
  return `\\u${random.chance(0.5) ? hex : hex.toUpperCase()}`
}
