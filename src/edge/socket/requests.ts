import { z } from 'zod'
import { DomainError } from '../../kernel/errors.ts'

const messageSchema = z.object({ type: z.string(), payload: z.unknown().optional() })

export const authSchema = z.union([
  z.strictObject({ token: z.string().min(1) }),
  z.strictObject({ api_key: z.string().min(1) }),
])

export const refreshSchema = z.strictObject({ token: z.string().min(1) })

export interface Request {
  readonly type: string
  readonly payload: unknown
}

/**
 * What a client sent, a text or, as undefined, bytes. Throws VALIDATION_ERROR for what is not a message at all: not a JSON
 * object with a `type`. It says nothing of the text, which may hold a token.
 */
export function readRequest(text: string | undefined): Request {
  if (text === undefined) throw new DomainError('VALIDATION_ERROR', 'the message is binary; send JSON as text')
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new DomainError('VALIDATION_ERROR', 'the message is not JSON')
  }
  const { success, data } = messageSchema.safeParse(parsed)
  if (!success) throw new DomainError('VALIDATION_ERROR', 'the message is not an object with a type, which is a string')
  return { type: data.type, payload: data.payload ?? {} }
}
