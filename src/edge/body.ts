import { isUtf8 } from 'node:buffer'
import type { z } from 'zod'
import { DomainError, type ErrorDetail } from '../kernel/errors.ts'
import { JsonError, wholeValue } from '../kernel/json.ts'
import type { Exchange } from './exchange.ts'

const FORM = 'application/x-www-form-urlencoded'
/** Levels that are looked at for what is wrong with a text. */
const MAX_DEPTH = 1000

/** The media type of a request, without its parameters. */
export function mediaType(exchange: Exchange): string {
  return (exchange.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
}

export function requireType(exchange: Exchange, ...accepted: string[]): string {
  const type = mediaType(exchange)
  if (accepted.includes(type)) return type
  const message = `Content-Type ${type === '' ? 'is missing' : `${type.slice(0, 100)} is not taken here`}; send ${accepted.join(' or ')}`
  throw new DomainError('UNSUPPORTED_MEDIA_TYPE', message)
}

/** The body; VALIDATION_ERROR when it is empty. */
export async function someBody(exchange: Exchange, limit: number): Promise<Buffer> {
  const bytes = await exchange.body(limit)
  if (bytes.length === 0) throw new DomainError('VALIDATION_ERROR', 'the body is empty')
  return bytes
}

/** The body as UTF-8 text; VALIDATION_ERROR when it is empty or not UTF-8. */
export async function textBody(exchange: Exchange, limit: number): Promise<Buffer> {
  const bytes = await someBody(exchange, limit)
  requireUtf8(bytes)
  return bytes
}

/** Throws VALIDATION_ERROR for a body, or a part of one, that is not UTF-8. */
export function requireUtf8(bytes: Buffer): void {
  if (!isUtf8(bytes)) throw new DomainError('VALIDATION_ERROR', 'the body is not valid UTF-8')
}

/**
 * Reads and checks a JSON body against a schema that knows every field. `form`, where a route takes forms, is the schema
 * for those; it passes over fields it does not know, as RFC 6749 (section 3.2) wants.
 */
export async function readBody<T>(
  exchange: Exchange,
  schema: z.ZodType<T>,
  options: { limit: number; form?: z.ZodType<T> },
): Promise<T> {
  const type = requireType(exchange, 'application/json', ...(options.form ? [FORM] : []))
  const text = (await textBody(exchange, options.limit)).toString()
  if (type === FORM) return check(Object.fromEntries(new URLSearchParams(text)), options.form!)
  return check(parseJson(text), schema)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new DomainError('VALIDATION_ERROR', `the body is not JSON: ${whatIsWrong(text)}`)
  }
}

/** Where a text stops being JSON. JSON.parse says it with some of the text, and that may be a secret. */
function whatIsWrong(text: string): string {
  const bytes = Buffer.from(text)
  try {
    wholeValue(bytes, 0, bytes.length, MAX_DEPTH)
  } catch (error) {
    if (error instanceof JsonError) return error.message
    throw error
  }
  return 'it cannot be read'
}

/** Checks a value against a schema. Throws VALIDATION_ERROR with the path and the complaint for each fault. */
export function check<T>(value: unknown, schema: z.ZodType<T>, within?: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const details = result.error.issues.flatMap((issue): ErrorDetail[] => {
    const path = [...(within ? [within] : []), ...issue.path.map(String)]
    if (issue.code !== 'unrecognized_keys') return [{ field: path.join('.') || 'body', message: issue.message }]
    return issue.keys.map(key => ({ field: [...path, key].join('.'), message: 'this field is not known here' }))
  })
  const first = details[0]!
  throw new DomainError('VALIDATION_ERROR', `${first.field}: ${first.message}`, { details })
}
