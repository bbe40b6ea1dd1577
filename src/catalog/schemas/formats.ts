import formats from 'ajv-formats'
import { work } from './work.ts'

/** The formats of JSON Schema 2020-12 that are checked; others are notes, as the standard has it. */
const NAMES = [
  'date',
  'date-time',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'json-pointer',
  'regex',
  'relative-json-pointer',
  'time',
  'uri',
  'uri-reference',
  'uri-template',
  'uuid',
] as const

/** Longer text has none of these formats: their patterns take time that grows with its square. */
const MAX_LENGTH = 2048
const COST = 20

/** The formats as ajv wants them. */
export function createFormats(): Record<string, (text: string) => boolean> {
  return Object.fromEntries(NAMES.map(name => [name, bounded(checkOf(name))]))
}

function checkOf(name: (typeof NAMES)[number]): (text: string) => boolean {
  const format = formats.default.get(name)
  const check = typeof format === 'object' && 'validate' in format ? format.validate : format
  if (check instanceof RegExp) return text => check.test(text)
  if (typeof check === 'function') return check as (text: string) => boolean
  throw new Error(`ajv-formats has no check for ${name}`)
}

function bounded(check: (text: string) => boolean): (text: string) => boolean {
  return text => {
    if (text.length > MAX_LENGTH) return false
    work(text.length * COST)
    return check(text)
  }
}
