import { z } from 'zod'
import type { Validator } from '../../catalog/schemas/compile.ts'
import type { WebhookConfigured } from '../../events/index.ts'
import { HIDDEN } from '../../intake/hidden.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { newId } from '../../log/new-id.ts'
import type { Services } from '../services.ts'
import { checkSecret } from './signatures.ts'

export const SCHEMES = ['none', 'standard', 'github', 'stripe', 'slack'] as const

const secret = z.string().min(1).max(500)
const SECRETS = { error: 'expected a text of 1 to 500 characters, or a list of one or two of them' }

/** What a webhook is made of, as its maker gives it. */
export const webhookBody = z.strictObject({
  name: z.string().min(1).max(200),
  dataset: z.string().min(1).max(200),
  schema: z.record(z.string(), z.unknown()).nullish(),
  record_id: z
    .string()
    .max(500)
    .regex(/^(\/([^/~]|~[01])*)+$/, 'expected a JSON pointer such as /id')
    .nullish(),
  signature: z
    .strictObject({
      scheme: z.enum(SCHEMES),
      secret: z.union([secret, z.array(secret).min(1).max(2)], SECRETS).optional(),
    })
    .optional(),
  enabled: z.boolean().optional(),
})

export type WebhookBody = z.infer<typeof webhookBody>
type Settings = Omit<WebhookConfigured, 'command_id' | 'by' | 'at' | 'created_at'>

/**
 * The settings that a body asks for, its secrets put away: `was` is what there is. The secrets that are no longer wanted
 * are `dropped`, to be removed once the change is decided.
 */
export async function settingsOf(
  services: Services,
  id: string,
  body: WebhookBody,
  was: WebhookConfigured | undefined,
): Promise<{ settings: Settings; made: string[]; dropped: string[] }> {
  const scheme = body.signature?.scheme ?? 'none'
  const given = [body.signature?.secret ?? []].flat()
  if (scheme === 'none' && given.length > 0) throw invalid('signature.secret', 'a webhook without signatures has none')
  // All of them or none: of a pair that is sent back nobody could tell which one is new.
  const kept = was !== undefined && was.secrets.length > 0 && given.length > 0 && given.every(text => text === HIDDEN)
  if (scheme !== 'none' && given.length === 0) throw invalid('signature.secret', `the scheme ${scheme} needs a secret`)
  if (!kept && given.includes(HIDDEN)) {
    throw invalid(
      'signature.secret',
      `"${HIDDEN}" keeps the stored secrets, and cannot stand where there are none or beside a new one`,
    )
  }
  for (const text of kept ? [] : given) checkSecret(scheme, text)
  const made: string[] = []
  for (const text of kept ? [] : given) {
    const reference = newId('sec')
    await services.secrets.put(reference, text)
    made.push(reference)
  }
  const secrets = kept ? was.secrets : made
  const settings = {
    webhook_id: id,
    name: body.name,
    dataset: body.dataset,
    schema: body.schema ? JSON.stringify(body.schema) : null,
    record_id: body.record_id ?? null,
    scheme,
    secrets,
    enabled: body.enabled ?? true,
  }
  return { settings, made, dropped: (was?.secrets ?? []).filter(reference => !secrets.includes(reference)) }
}

/** A webhook as the API shows it: that it has secrets, never which. */
export function shownWebhook(webhook: WebhookConfigured): object {
  const { webhook_id, name, dataset, schema, record_id, scheme, secrets, enabled, created_at } = webhook
  const secret = secrets.length > 1 ? secrets.map(() => HIDDEN) : HIDDEN
  return {
    id: webhook_id,
    name,
    dataset,
    schema: schema === null ? null : JSON.parse(schema),
    record_id,
    signature: scheme === 'none' ? { scheme } : { scheme, secret },
    enabled,
    url: `/v1/sync/push/webhook/${webhook_id}`,
    created_at: new Date(created_at).toISOString(),
  }
}

/** The webhook of this id, also when it was made at another edge a moment ago. Throws NOT_FOUND. */
export async function findWebhook({ webhooks }: Services, id: string): Promise<WebhookConfigured> {
  if (!webhooks.view.has(id)) await webhooks.caughtUp()
  const found = webhooks.view.get(id)
  if (!found) throw new DomainError('NOT_FOUND', `there is no webhook ${id.slice(0, 100)}`)
  return found
}

const validators = new WeakMap<WebhookConfigured, Validator>()

/** What checks a webhook's deliveries, compiled once for each setting of it; undefined for one that takes any object. */
export function validatorOf({ schemas }: Services, webhook: WebhookConfigured): Validator | undefined {
  if (webhook.schema === null) return undefined
  let found = validators.get(webhook)
  if (!found) {
    found = schemas(JSON.parse(webhook.schema), 'schema')
    validators.set(webhook, found)
  }
  return found
}

const opened = new WeakMap<WebhookConfigured, readonly string[]>()

/** The secrets of a webhook, asked for once for each setting of it: every delivery needs them. */
export async function secretsOf({ secrets }: Services, webhook: WebhookConfigured): Promise<readonly string[]> {
  const known = opened.get(webhook)
  if (known) return known
  const asked = await Promise.all(webhook.secrets.map(reference => secrets.get(reference)))
  const found = asked.filter(secret => secret !== undefined)
  if (found.length === asked.length) opened.set(webhook, found)
  return found
}
