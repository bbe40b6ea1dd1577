import { randomBytes } from 'node:crypto'
import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql'
import { replaceChangingNumbers } from '../../kernel/decimal.ts'
import { DomainError } from '../../kernel/errors.ts'
import { JsonError, wholeValue } from '../../kernel/json.ts'

/** What no text of a caller holds: nobody is ever sent it. */
const MARK = randomBytes(16).toString('hex')
const MARKED = new RegExp(`"${MARK}:(\\d+)"`, 'g')

/** The texts of the result that is being written now. */
let texts: string[] | undefined

/** A JSON value as its text stands, so that no number in it is rounded. */
export class JsonText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toJSON(): unknown {
    if (!texts) return JSON.parse(this.text)
    return `${MARK}:${texts.push(this.text) - 1}`
  }
}

/** As JSON.stringify, in one line: each JsonText in it stands as it is. */
export function stringifyExact(value: unknown): string {
  const own: string[] = []
  texts = own
  try {
    const text = JSON.stringify(value)
    // Values that were pushed may have line breaks between them, and in no string.
    return own.length === 0 ? text : text.replace(MARKED, (_, index) => own[index]!.replace(/[\r\n]/g, ' '))
  } finally {
    texts = undefined
  }
}

/** Whether there may be a number that JSON.parse would change: it has many digits, or an exponent. */
const PERHAPS_CHANGED = /\d[\d.]{15}|\d[eE]/

const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }

/**
 * As JSON.parse, but a number that would be changed by it becomes what JSON.stringify writes as it stood. Throws
 * VALIDATION_ERROR, which says nothing of the text but where it is wrong.
 */
export function parseExact(bytes: Buffer, maxDepth: number): unknown {
  try {
    wholeValue(bytes, 0, bytes.length, maxDepth)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new DomainError('VALIDATION_ERROR', `the body is not JSON: ${error.message}`)
  }
  const text = bytes.toString()
  if (!PERHAPS_CHANGED.test(text)) return JSON.parse(text)
  let changing = 0
  const marked = replaceChangingNumbers(text, number => {
    changing++
    return `"${MARK}${number}"`
  })
  const value: unknown = JSON.parse(marked)
  return changing === 0 ? value : unmarked(value)
}

/** Puts the numbers in the places of their marks; objects and lists stay the same ones. */
function unmarked(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith(MARK) ? rawJSON(value.slice(MARK.length)) : value
  if (typeof value !== 'object' || value === null) return value
  const members = value as Record<string, unknown>
  for (const name of Object.keys(members)) {
    const was = members[name]
    const is = unmarked(was)
    // As a member of its own, whatever its name.
    if (is !== was)
      Object.defineProperty(members, name, { value: is, enumerable: true, configurable: true, writable: true })
  }
  return value
}

/** A value in a query as JSON text: numbers as they are written there. */
function literalText(node: ValueNode, variables: Readonly<Record<string, unknown>> | null | undefined): string {
  switch (node.kind) {
    case Kind.INT:
    case Kind.FLOAT:
      return node.value
    case Kind.BOOLEAN:
      return String(node.value)
    case Kind.NULL:
      return 'null'
    case Kind.STRING:
      return JSON.stringify(node.value)
    case Kind.LIST:
      return `[${node.values.map(each => literalText(each, variables)).join(',')}]`
    case Kind.OBJECT:
      return `{${node.fields.map(({ name, value }) => `${JSON.stringify(name.value)}:${literalText(value, variables)}`).join(',')}}`
    case Kind.VARIABLE:
      return stringifyExact(variables?.[node.name.value] ?? null)
    default:
      throw new GraphQLError(`${node.value} is no JSON value; a text has quotes`, { nodes: node })
  }
}

/** Goes in and out as its text stands: numbers keep all their digits. */
export const jsonScalar = new GraphQLScalarType<JsonText, unknown>({
  name: 'JSON',
  description:
    'Any JSON value. Numbers keep all of their digits, in and out, whatever their size: read them with a parser that can.',
  serialize: value => value,
  parseValue: value => new JsonText(stringifyExact(value)),
  parseLiteral: (node, variables) => new JsonText(literalText(node, variables)),
})

/** Counts may be beyond the 32 bits of an Int. */
export const longScalar = new GraphQLScalarType({
  name: 'Long',
  description: 'A whole number of up to 53 bits.',
  serialize: value => value,
})

export const timeScalar = new GraphQLScalarType({
  name: 'DateTime',
  description: 'A time as RFC 3339 writes it, in UTC.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  serialize: value => value,
})
