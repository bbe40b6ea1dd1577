import { createHmac, timingSafeEqual } from 'node:crypto'
import type { WebhookConfigured } from '../../events/index.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'

export type Scheme = WebhookConfigured['scheme']

/** Seconds that a signed time may differ from ours, either way: what Standard Webhooks, Stripe and Slack all say. */
const TOLERANCE_SECONDS = 300
/** Signatures of one delivery that are looked at: providers send two while a secret is being rotated. */
const MOST_SIGNATURES = 10

type Header = (name: string) => string | undefined

/** How a provider signs: what it signs of a delivery, with what key, and the signatures it sent. */
interface Signed {
  /** When it was signed, seconds since 1970; undefined for schemes without a time. */
  readonly time: string | undefined
  readonly content: readonly (string | Buffer)[]
  readonly encoding: 'hex' | 'base64'
  readonly given: readonly string[]
}

function required(header: Header, name: string): string {
  const value = header(name)
  if (value) return value
  throw new DomainError('UNAUTHORIZED', `the header ${name} is missing`)
}

/** Standard Webhooks, specification 1.0.0, section "Webhook metadata"; Svix sends the same under names of its own. */
function standard(header: Header, body: Buffer): Signed {
  const prefix = header('webhook-id') === undefined && header('svix-id') !== undefined ? 'svix' : 'webhook'
  const id = required(header, `${prefix}-id`)
  const time = required(header, `${prefix}-timestamp`)
  const parts = required(header, `${prefix}-signature`).split(' ')
  const given = parts.filter(part => part.startsWith('v1,')).map(part => part.slice(3))
  return { time, content: [`${id}.${time}.`, body], encoding: 'base64', given }
}

/** GitHub, "Validating webhook deliveries": HMAC-SHA256 of the body, without a time. */
function github(header: Header, body: Buffer): Signed {
  const given = required(header, 'x-hub-signature-256')
  return { time: undefined, content: [body], encoding: 'hex', given: [given.replace(/^sha256=/, '')] }
}

/** Stripe, "Verify webhook signatures manually": `t=…,v1=…`, several v1 while a secret is being rotated. */
function stripe(header: Header, body: Buffer): Signed {
  const pairs = required(header, 'stripe-signature').split(',')
  const values = (name: string) =>
    pairs.filter(pair => pair.trim().startsWith(`${name}=`)).map(pair => pair.trim().slice(name.length + 1))
  const [time] = values('t')
  if (!time) throw new DomainError('UNAUTHORIZED', 'the header stripe-signature has no t=')
  return { time, content: [`${time}.`, body], encoding: 'hex', given: values('v1') }
}

/** Slack, "Verifying requests from Slack": version 0. */
function slack(header: Header, body: Buffer): Signed {
  const time = required(header, 'x-slack-request-timestamp')
  const given = required(header, 'x-slack-signature')
  return { time, content: [`v0:${time}:`, body], encoding: 'hex', given: [given.replace(/^v0=/, '')] }
}

const SCHEMES: Record<Exclude<Scheme, 'none'>, (header: Header, body: Buffer) => Signed> = {
  standard,
  github,
  stripe,
  slack,
}

const PREFIX = 'whsec_'
const BASE64 = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}(==)?|[A-Za-z0-9+/]{3}=?)?$/

/**
 * A Standard Webhooks secret is base64 after `whsec_`; others are text. Without the prefix it may be either. Only what is
 * base64 to its end is read as such: of other text some characters would be left, or none, and anyone knows that key.
 */
function keysOf(scheme: Scheme, secret: string): Buffer[] {
  if (scheme !== 'standard') return [Buffer.from(secret)]
  if (secret.startsWith(PREFIX)) return [Buffer.from(secret.slice(PREFIX.length), 'base64')]
  return BASE64.test(secret) ? [Buffer.from(secret, 'base64'), Buffer.from(secret)] : [Buffer.from(secret)]
}

/** Throws a VALIDATION_ERROR when a secret cannot be one of a scheme's. */
export function checkSecret(scheme: Scheme, secret: string): void {
  if (scheme !== 'standard' || !secret.startsWith(PREFIX)) return
  const coded = secret.slice(PREFIX.length)
  if (coded === '' || !BASE64.test(coded)) throw invalid('signature.secret', `expected base64 after ${PREFIX}`)
}

const SIGNATURE = { hex: /^[0-9a-f]{64}$/i, base64: /^[A-Za-z0-9+/]{43}=$/ }

/**
 * Checks a delivery's signature over its raw bytes, against each live secret, in constant time. `now`: milliseconds
 * since 1970. Throws UNAUTHORIZED, which says what is missing or stale and nothing about the secret.
 */
export function checkSignature(
  scheme: Exclude<Scheme, 'none'>,
  secrets: readonly string[],
  header: Header,
  body: Buffer,
  now: number,
): void {
  const { time, content, encoding, given } = SCHEMES[scheme](header, body)
  if (time !== undefined) {
    const age = Math.abs(now / 1000 - Number(time))
    if (!/^\d{1,12}$/.test(time) || age > TOLERANCE_SECONDS) {
      const message = `the signed time ${time.slice(0, 40)} is not within ${TOLERANCE_SECONDS} s of ours`
      throw new DomainError('UNAUTHORIZED', message)
    }
  }
  const signatures = given.filter(each => SIGNATURE[encoding].test(each)).map(each => Buffer.from(each, encoding))
  let good = false
  // No early end: how long it takes says nothing about which secret or signature came near.
  for (const key of secrets.flatMap(secret => keysOf(scheme, secret))) {
    const hmac = createHmac('sha256', key)
    for (const part of content) hmac.update(part)
    const expected = hmac.digest()
    for (const each of signatures.slice(0, MOST_SIGNATURES)) if (timingSafeEqual(each, expected)) good = true
  }
  if (!good) throw new DomainError('UNAUTHORIZED', 'the signature does not match the body')
}

/**
 * What a provider calls this delivery in every attempt; undefined when it does not say. `field` gives the text at a JSON
 * pointer of the body.
 */
export function deliveryId(
  scheme: Scheme,
  header: Header,
  field: (pointer: string) => string | undefined,
): string | undefined {
  switch (scheme) {
    case 'github':
      return header('x-github-delivery') || undefined
    case 'stripe':
      return field('/id') || undefined
    case 'slack':
      return field('/event_id') || undefined
    default:
      return header('webhook-id') || header('svix-id') || undefined
  }
}
