import { canonicalJson } from '../kernel/canonical.ts'
import { skipMembers } from '../kernel/json.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const ANY_DEPTH = 1000
let scratch = new Uint8Array(64 * 1024)

/** The fields of an object's JSON text: each name as JSON text, with its value's text as it stands. */
function fieldsOf(text: string): Map<string, string> {
  if (text.length * 3 > scratch.length) scratch = new Uint8Array(text.length * 3)
  const { written } = encoder.encodeInto(text, scratch)
  const ascii = written === text.length
  const part = (start: number, end: number) =>
    ascii ? text.slice(start, end) : decoder.decode(scratch.subarray(start, end))
  const fields = new Map<string, string>()
  skipMembers(scratch, 0, written, ANY_DEPTH, (keyStart, keyEnd, start, end) => {
    const name = part(keyStart, keyEnd)
    fields.set(name.includes('\\') ? JSON.stringify(JSON.parse(name)) : name, part(start, end))
  })
  return fields
}

function addChange(json: string, name: string, before: string, after: string): string {
  return `${json}${json === '' ? '{' : ','}${name}:{"old":${before},"new":${after}}`
}

function allFields(data: string, change: (value: string) => [before: string, after: string]): string {
  let json = ''
  for (const [name, value] of fieldsOf(data)) json = addChange(json, name, ...change(value))
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
  const old = fieldsOf(before)
  let json = ''
  for (const [name, value] of fieldsOf(after)) {
    const was = old.get(name)
    old.delete(name)
    if (was === undefined) json = addChange(json, name, 'null', value)
    else if (was !== value && canonicalJson(was) !== canonicalJson(value)) json = addChange(json, name, was, value)
  }
  for (const [name, was] of old) json = addChange(json, name, was, 'null')
  return json === '' ? undefined : `${json}}`
}
