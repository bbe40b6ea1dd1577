import { isUtf8 } from 'node:buffer'
import type { Violation } from '../../catalog/schemas/compile.ts'
import type { WebhookConfigured } from '../../events/index.ts'
import { createIntake, type Intake } from '../../intake/intake.ts'
import type { RowError } from '../../intake/parse.ts'
import { shownAt } from '../../intake/refusals.ts'
import { DomainError } from '../../kernel/errors.ts'
import { JsonError, wholeValue } from '../../kernel/json.ts'
import { encodePosition } from '../../kernel/position.ts'
import { newId } from '../../log/new-id.ts'
import { authenticate, credentialsOf, type Principal } from '../auth/authenticate.ts'
import { requireType } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import { fingerprintOf } from '../idempotency/fingerprint.ts'
import { once, onceUnder } from '../idempotency/once.ts'
import { problemOf } from '../problem.ts'
import type { Reply, Request, Route } from '../router.ts'
import type { Services } from '../services.ts'
import { idAt } from '../webhooks/pointer.ts'
import { checkSignature, deliveryId } from '../webhooks/signatures.ts'
import { findWebhook, secretsOf, validatorOf } from '../webhooks/webhooks.ts'
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
  checkSignature(scheme, await secretsOf(services, webhook), exchange.header, body, Date.now())
  const gone = () => !services.webhooks.view.has(webhook_id)
  return { id: webhook_id, name, scopes: ['sync:write'], rateLimit: null, expiresAt: null, gone }
}

interface Delivery {
  readonly webhook: WebhookConfigured
  readonly exchange: Exchange
  readonly body: Buffer
  readonly intake: Intake
  readonly eventId: string
  readonly maxDepth: number
}

/** Keeps a delivery that is refused with its bytes, and tells why. */
async function refuse(
  { body, intake }: Delivery,
  error: RowError,
  recordId: string | null,
  details: readonly Violation[] = [],
): Promise<never> {
  intake.refuse(error, 0, body, body.length, recordId)
  await intake.flush()
  const shown = details.map(({ pointer, message }) => ({ field: pointer, message }))
  const fields = error.field === null ? [] : [{ field: error.field, message: error.message }]
  throw new DomainError('VALIDATION_ERROR', error.message, { details: shown.length > 0 ? shown : fields })
}

/** The text of the object that was delivered. */
async function readDelivery(delivery: Delivery): Promise<string> {
  const { webhook, exchange, body, eventId, maxDepth } = delivery
  // What cannot be read has the id that it would have had where that is not in it.
  const id =
    webhook.record_id === null ? (deliveryId(webhook.scheme, exchange.header, () => undefined) ?? eventId) : null
  const failed = (code: string, message: string) => refuse(delivery, { code, field: null, message }, id)
  if (!isUtf8(body)) return failed('INVALID_UTF8', 'the body is not valid UTF-8')
  try {
    const { start, end } = wholeValue(body, 0, body.length, maxDepth)
    if (body[start] !== 123) return failed('INVALID_FIELD', 'the body is not a JSON object')
    return body.toString('utf8', start, end)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    return failed('INVALID_JSON', `the body is not JSON: ${error.message}`)
  }
}

/** The record's id: what the webhook's pointer leads to, else the provider's own id of the delivery, else the event's. */
function recordId({ webhook, exchange, body, eventId, maxDepth }: Delivery): string | undefined {
  const field = (pointer: string) => idAt(body, pointer, maxDepth)
  if (webhook.record_id !== null) return field(webhook.record_id)
  return deliveryId(webhook.scheme, exchange.header, field) ?? eventId
}

async function take(request: Request, webhook: WebhookConfigured, body: Buffer): Promise<Reply> {
  const { exchange, services } = request
  const eventId = newId('evt')
  const { dataset, name: source } = webhook
  const intake = createIntake({
    ...intakeOptions(
      request,
      { source, dataset, upsert: true, validate: true, transform: true },
      { numbering: 'index', expectedBytes: body.length, dataOnly: { idAt: webhook.record_id } },
    ),
    webhookId: webhook.webhook_id,
  })
  const delivery = { webhook, exchange, body, intake, eventId, maxDepth: services.config.jsonDepth }
  try {
    return await takeIn(request, delivery)
  } catch (error) {
    const { position } = intake.tally
    if (!(error instanceof DomainError) || error.code !== 'VALIDATION_ERROR' || !position) throw error
    // It is kept among the refused rows, and there is its place.
    const { status, headers, body: problem } = problemOf(error, exchange.requestId)
    return { status, headers, body: { ...problem, position: encodePosition(position) } }
  }
}

async function takeIn({ services }: Request, delivery: Delivery): Promise<Reply> {
  const { webhook, body, intake, eventId } = delivery
  const data = await readDelivery(delivery)
  const id = recordId(delivery)
  const violations = validatorOf(services, webhook)?.(data)
  if (violations) {
    const [first] = violations
    const { pointer, message } = first!
    const error = { code: 'SCHEMA_VIOLATION', field: pointer, message: `${pointer || 'the body'}: ${message}` }
    const why = { ...error, stage: 'validate', value: shownAt(data, pointer) } as const
    return refuse(delivery, why, id ?? null, violations)
  }
  if (id === undefined) {
    const message = `${webhook.record_id}: expected the record's id, text or a whole number`
    return refuse(delivery, { code: 'MISSING_FIELD', field: webhook.record_id, message }, null)
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
function nameOf({ scheme }: WebhookConfigured, exchange: Exchange, body: Buffer, maxDepth: number): string | undefined {
  try {
    return deliveryId(scheme, exchange.header, pointer => idAt(body, pointer, maxDepth))
  } catch (error) {
    if (error instanceof JsonError) return undefined // what is not JSON is refused below, with its reason
    throw error
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
    const key = nameOf(webhook, exchange, body, services.config.jsonDepth)
    const scope = `webhook ${webhook.webhook_id}`
    const delivery = () => take(request, webhook, body)
    // Of several deliveries with one id the first one's body is the one that counts.
    const push = key === undefined ? delivery : () => onceUnder(request, { scope, key, header: 'delivery' }, delivery)
    return once(request, fingerprintOf(exchange, [], body), push)
  },
}

export const deliveries: readonly Route[] = [deliver]
