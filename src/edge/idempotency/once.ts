import { createHash } from 'node:crypto'
import { DomainError, invalid } from '../../kernel/errors.ts'
import type { Exchange } from '../exchange.ts'
import { problemOf } from '../problem.ts'
import type { Reply, Request } from '../router.ts'
import { decodeReply, encodeReply } from './answer.ts'
import type { Fingerprint } from './fingerprint.ts'
import type { Claim } from './keys.ts'

const HEADER = 'Idempotency-Key'
const KEY = /^[\x21-\x7e]{1,255}$/

/** What is to be done once. */
export interface Once {
  /** Who asks for what: the same key elsewhere, or of another caller, is another one. */
  readonly scope: string
  readonly key: string
  /** The header it comes in, for messages. */
  readonly header: string
  /** Tells a body from another under the same key; without it the first body wins. */
  readonly fingerprint?: Fingerprint | undefined
}

/**
 * Makes a push, or answers as it was answered when it was made under the same `Idempotency-Key`. Throws VALIDATION_ERROR
 * for a key that is none, UNPROCESSABLE when it was another body's, CONFLICT while it is running, UNAVAILABLE when the
 * answer cannot be kept. Without the header it is just made.
 */
export async function once(request: Request, fingerprint: Fingerprint, push: () => Promise<Reply>): Promise<Reply> {
  const { exchange, principal } = request
  const key = keyOf(exchange)
  if (key === undefined) return push()
  const scope = `${principal.id} ${exchange.method} ${exchange.path}`
  return onceUnder(request, { scope, key, header: HEADER, fingerprint }, push)
}

/** The key that a request bears; undefined when it bears none. */
export function keyOf(exchange: Exchange): string | undefined {
  const key = exchange.header(HEADER.toLowerCase())
  return key === undefined ? undefined : checkKey(HEADER, key)
}

/** Throws VALIDATION_ERROR for a key that is none. */
export function checkKey(field: string, key: string): string {
  if (KEY.test(key)) return key
  throw invalid(field, `expected 1 to 255 visible ASCII characters, got ${key.length} characters`)
}

/** `once` for a key that comes another way, as a delivery's id does. */
export async function onceUnder(
  request: Request,
  { scope, key, header, fingerprint }: Once,
  push: () => Promise<Reply>,
): Promise<Reply> {
  const { keys, metrics } = request.services
  const begun = await keys.begin(createHash('sha256').update(`${scope}\0${key}`).digest('base64url'))
  if (begun.state === 'fresh') return makeAndKeep(request, begun.claim, fingerprint, push)
  if (begun.state === 'running') {
    metrics.idempotency.inc({ result: 'conflict' })
    throw new DomainError('CONFLICT', `${header}: the push under this key is still running`, { retryAfter: 1 })
  }
  if (fingerprint && (await fingerprint.skipped()) !== begun.kept.fingerprint) {
    metrics.idempotency.inc({ result: 'mismatch' })
    const message = `${header}: this key was given to a push with another body or other query parameters`
    throw new DomainError('UNPROCESSABLE', message)
  }
  metrics.idempotency.inc({ result: 'replayed' })
  const { headers, ...reply } = decodeReply(begun.kept.answer)
  return { ...reply, headers: { ...headers, 'Idempotency-Replayed': 'true' } }
}

/**
 * Kept is what the same body would be answered again: success, and the refusal of all of it. Anything else may turn out
 * otherwise when it is tried again.
 */
async function makeAndKeep(
  { exchange }: Request,
  claim: Claim,
  fingerprint: Fingerprint | undefined,
  push: () => Promise<Reply>,
): Promise<Reply> {
  let reply: Reply
  try {
    reply = await push()
  } catch (error) {
    reply = problemOf(error, exchange.requestId)
    if (reply.status !== 400) {
      await claim.release()
      throw error
    }
  }
  const whole = fingerprint ? fingerprint.taken() : ''
  if (whole === undefined || (reply.status !== 400 && !(reply.status >= 200 && reply.status < 300))) {
    await claim.release()
    return reply
  }
  const { text, answer } = encodeReply(reply)
  await claim.finish({ fingerprint: whole, answer })
  return text
}
