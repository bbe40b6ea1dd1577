import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { WebhookConfigured } from '../../events/index.ts'
import { createIntake, type Intake } from '../../intake/intake.ts'
import type { RowError } from '../../intake/parse.ts'
import { DomainError } from '../../kernel/errors.ts'
import { timeOrderedId } from '../../kernel/id.ts'
import { JsonError, wholeValue } from '../../kernel/json.ts'
import { encodePosition } from '../../kernel/position.ts'
import { authenticate, credentialsOf, type Principal } from '../auth/authenticate.ts'
import { requireType } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import { keyOf as idempotencyKey, onceUnder } from '../idempotency/once.ts'
import type { Reply, Request, Route } from '../router.ts'
import type { Services } from '../services.ts'
import { refusalOf, violationsOf } from '../webhooks/delivered.ts'
import { checkSignature, deliveryId } from '../webhooks/signatures.ts'
import { findWebhook } from '../webhooks/webhooks.ts'
import { intakeOptions } from './push.ts'

/** One that is disabled is answered like one that does not exist. */
async function liveWebhook(services: Services, id: string): Promise<WebhookConfigured> {
  const webhook = await findWebhook(services, id)
  if (webhook.enabled) return webhook
  throw new DomainError('NOT_FOUND', `there is no webhook ${id.slice(0, 100)}`)
}

function bodyOf(exchange: Exchange, { config }: Services): Promise<Buffer> {
  return exchange.body(Math.min(config.bodyBytes, config.lineBytes))
}

/** Whoever has signed the delivery is the webhook itself; without signatures it is whoever has a token for it. */
async function identify({ exchange, params, services }: Omit<Request, 'principal'>): Promise<Principal> {
  const webhook = await liveWebhook(services, params.id!)
  const { webhook_id, name, scheme } = webhook
  if (scheme === 'none') {
    return authenticate(credentialsOf(exchange), services.access, services.tokens)
  }
  const body = await bodyOf(exchange, services)
  const secrets = await Promise.all(webhook.secrets.map(reference => services.secrets.get(reference)))
  const known = secrets.filter(secret => secret !== undefined)
  checkSignature(scheme, known, exchange.header, body, Date.now())
  const gone = () => !services.webhooks.view.has(webhook_id)
  return { id: webhook_id, name, scopes: ['sync:write'], rateLimit: null, expiresAt: null, gone }
}

/** The value that a JSON pointer (RFC 6901) leads to; undefined when there is none. */
function valueAt(value: unknown, pointer: string): unknown {
  let at = value
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = (at as Record<string, unknown>)[name]
  }
  return at
}

interface Delivery {
  readonly webhook: WebhookConfigured
  readonly body: Buffer
  readonly intake: Intake
  /** The record's, when it is known. */
  readonly id?: string | undefined
}

/** Keeps a delivery that is refused with its bytes, and tells why. */
async function refuse({ body, intake, id }: Delivery, error: RowError, told?: DomainError): Promise<never> {
  intake.refuse(error, 0, body, body.length, id ?? null)
  await intake.flush()
  const { field, message } = error
  const details = field === null ? [] : [{ field, message }]
  throw told ?? new DomainError('VALIDATION_ERROR', message, { details })
}

async function readDelivery(delivery: Delivery, maxDepth: number): Promise<{ value: unknown; data: string }> {
  const { body } = delivery
  const failed = (code: string, message: string) => refuse(delivery, { code, field: null, message })
  if (!isUtf8(body)) return failed('INVALID_UTF8', 'the body is not valid UTF-8')
  try {
    const { start, end } = wholeValue(body, 0, body.length, maxDepth)
    if (body[start] !== 123) return failed('INVALID_FIELD', 'the body is not a JSON object')
    const data = body.toString('utf8', start, end)
    return { value: JSON.parse(data), data }
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    return failed('INVALID_JSON', `the body is not JSON: ${error.message}`)
  }
}

/** The record's id: what the webhook's pointer leads to, else the provider's own id of the delivery, else the event's. */
function recordId({ record_id, scheme }: WebhookConfigured, exchange: Exchange, value: unknown, eventId: string) {
  if (record_id === null) return deliveryId(scheme, exchange.header, value) ?? eventId
  const found = valueAt(value, record_id)
  return typeof found === 'string' || Number.isSafeInteger(found) ? String(found) : undefined
}

async function take(request: Request, webhook: WebhookConfigured, body: Buffer): Promise<Reply> {
  const { exchange, services } = request
  const eventId = timeOrderedId('evt', Date.now(), randomBytes(12))
  const { dataset, name: source } = webhook
  const intake = createIntake(
    intakeOptions(
      request,
      { source, dataset, upsert: true, validate: true, transform: true },
      {
        numbering: 'index',
        expectedBytes: body.length,
        dataOnly: { idAt: webhook.record_id, webhookId: webhook.webhook_id },
      },
    ),
  )
  // What cannot be read has the id that it would have had where that is not in it.
  const own = webhook.record_id === null ? recordId(webhook, exchange, undefined, eventId) : undefined
  const delivery = { webhook, body, intake, id: own }
  const { value, data } = await readDelivery(delivery, services.config.jsonDepth)
  const id = recordId(webhook, exchange, value, eventId)
  const violations = violationsOf(services, webhook, data)
  if (violations) {
    const told = refusalOf(violations)
    const error = { code: 'SCHEMA', field: violations[0]!.pointer, message: told.message, stage: 'validate' as const }
    return refuse({ ...delivery, id }, error, told)
  }
  if (id === undefined) {
    const message = `${webhook.record_id}: expected the record's id, text or a whole number`
    return refuse(delivery, { code: 'MISSING_FIELD', field: webhook.record_id, message })
  }
  intake.add({ id, data }, 0, () => body)
  await intake.flush()
  const { rejected, errors, position } = intake.tally
  if (rejected > 0) {
    const { field, message } = errors[0]!
    throw new DomainError('VALIDATION_ERROR', message, { details: [{ field: field ?? 'body', message }] })
  }
  const place = position ? { position: encodePosition(position) } : {}
  return { status: 200, body: { received: true, webhook_id: webhook.webhook_id, event_id: eventId, ...place } }
}

/** What a delivery calls itself before it is read: only then can it be known again when its body has changed. */
function keyOf({ scheme }: WebhookConfigured, exchange: Exchange, body: Buffer): string | undefined {
  if (scheme !== 'stripe' && scheme !== 'slack') return deliveryId(scheme, exchange.header, undefined)
  try {
    return deliveryId(scheme, exchange.header, JSON.parse(body.toString()))
  } catch {
    return undefined // what is not JSON is refused below, with its reason
  }
}

const deliver: Route = {
  method: 'POST',
  path: '/push/webhook/:id',
  auth: 'sync:write',
  limit: 'push',
  identify,
  async handle(request) {
    const { exchange, services, params } = request
    requireType(exchange, 'application/json')
    const webhook = await liveWebhook(services, params.id!)
    const body = await bodyOf(exchange, services)
    const own = keyOf(webhook, exchange, body)
    const key = own ?? idempotencyKey(exchange)
    if (key === undefined) return take(request, webhook, body)
    const header = own === undefined ? 'Idempotency-Key' : 'delivery'
    // Of several deliveries with one id the first one's body is the one that counts.
    return onceUnder(request, { scope: `webhook ${webhook.webhook_id}`, key: key.slice(0, 500), header }, () =>
      take(request, webhook, body),
    )
  },
}

export const deliveries: readonly Route[] = [deliver]
