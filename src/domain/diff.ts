import { canonicalJson } from '../kernel/canonical.ts'
import { skipMembers } from '../kernel/json.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const ANY_DEPTH = 1000
let scratch = new Uint8Array(64 * 1024)

/** Past so many fields the place of one is looked up, not looked for. */
const MANY = 8

/**
 * Reads the fields of an object's JSON text: each name as JSON text, with its value's text as it stands; of two with one
 * name the later, in the place of the first. One reader serves all records: what is made for each of them is what the
 * collector has to carry.
 */
function fieldReader() {
  const names: string[] = []
  const values: string[] = []
  let places: Map<string, number> | undefined
  let [text, ascii] = ['', true]

  function part(start: number, end: number): string {
    return ascii ? text.slice(start, end) : decoder.decode(scratch.subarray(start, end))
  }

  function add(keyStart: number, keyEnd: number, start: number, end: number): void {
    const written = part(keyStart, keyEnd)
    const name = written.includes('\\') ? JSON.stringify(JSON.parse(written)) : written
    const known = find(name)
    if (known >= 0) values[known] = part(start, end)
    else {
      places?.set(name, names.length)
      names.push(name)
      values.push(part(start, end))
    }
  }

  /** The place of a field, -1 for none. */
  function find(name: string): number {
    if (names.length <= MANY) return names.indexOf(name)
    places ??= new Map(names.map((each, at) => [each, at]))
    return places.get(name) ?? -1
  }

  return {
    names,
    values,
    find,
    read(from: string): void {
      if (from.length * 3 > scratch.length) scratch = new Uint8Array(from.length * 3)
      const { written } = encoder.encodeInto(from, scratch)
      names.length = 0
      values.length = 0
      places = undefined
      text = from
      ascii = written === from.length
      skipMembers(scratch, 0, written, ANY_DEPTH, add)
    },
  }
}

const old = fieldReader()
const now = fieldReader()

function addChange(json: string, name: string, before: string, after: string): string {
  return `${json}${json === '' ? '{' : ','}${name}:{"old":${before},"new":${after}}`
}

function allFields(data: string, change: (value: string) => [before: string, after: string]): string {
  now.read(data)
  let json = ''
  for (let i = 0; i < now.names.length; i++) json = addChange(json, now.names[i]!, ...change(now.values[i]!))
  return json === '' ? '{}' : `${json}}`
}

/** The changes that making a record brings: `{"field":{"old":null,"new":value},…}`. */
export function createdFields(data: string): string {
  return allFields(data, value => ['null', value])
}

/** The changes that removing a record brings. */
export function deletedFields(data: string): string {
  return allFields(data, value => [value, 'null'])
}

/**
 * The changes between two objects' JSON texts, undefined when they say the same. Spelling is no change: key order,
 * white space, escapes, `1` for `1.0`. Values stand as they were pushed, so no number is rounded.
 */
export function changedFields(before: string, after: string): string | undefined {
  if (before === after) return undefined
  old.read(before)
  now.read(after)
  let json = ''
  let gone = old.names.length
  for (let i = 0; i < now.names.length; i++) {
    const name = now.names[i]!
    const value = now.values[i]!
    // Most records have their fields in the same order each time.
    const at = old.names[i] === name ? i : old.find(name)
    if (at < 0) json = addChange(json, name, 'null', value)
    else {
      gone--
      if (differ(old.values[at]!, value)) json = addChange(json, name, old.values[at]!, value)
    }
  }
  if (gone === 0) return json === '' ? undefined : `${json}}`
  for (let i = 0; i < old.names.length; i++) {
    if (now.find(old.names[i]!) < 0) json = addChange(json, old.names[i]!, old.values[i]!, 'null')
  }
  return `${json}}`
}

/** Fields of an object's JSON text that another one does not have. */
export function removedFields(before: string, after: string): string[] {
  old.read(before)
  now.read(after)
  return old.names.filter(name => now.find(name) < 0).map(name => JSON.parse(name) as string)
}

/** Whether the JSON texts of two values say different things. */
export function differ(was: string, value: string): boolean {
  if (was === value) return false
  return (isPlain(was) && isPlain(value)) || canonicalJson(was) !== canonicalJson(value)
}

/** Whether a value's text is the only one of its kind: a word, an integer as it is written most, a string without escapes. */
function isPlain(text: string): boolean {
  const c = text.charCodeAt(0)
  if (c === QUOTE) return !text.includes('\\')
  if (c === BRACE || c === BRACKET) return false
  if (c !== MINUS && !(c >= ZERO && c <= NINE)) return true
  for (let i = 1; i < text.length; i++) if (!(text.charCodeAt(i) >= ZERO && text.charCodeAt(i) <= NINE)) return false
  return text !== '-0'
}

const QUOTE = 34
const MINUS = 45
const ZERO = 48
const NINE = 57
const BRACKET = 91
const BRACE = 123
