import { DomainError } from '../../kernel/errors.ts'
import { newId } from '../../log/new-id.ts'
import { readBody } from '../body.ts'
import { named } from '../names.ts'
import { reachMinPosition } from '../reach.ts'
import type { Request, Route } from '../router.ts'
import { findWebhook, settingsOf, shownWebhook, type WebhookBody, webhookBody } from '../webhooks/webhooks.ts'
import { limitOf, pageOfIds } from './pages.ts'

const LIMIT = 262_144

async function readWebhook(request: Request): Promise<WebhookBody> {
  const body = await readBody(request.exchange, webhookBody, { limit: LIMIT })
  // Its deliveries have it as their source.
  named('name', body.name, '')
  named('dataset', body.dataset, '')
  if (body.schema) request.services.schemas(body.schema, 'schema')
  return body
}

/** Sends a command about a webhook and waits until deliveries here go by what was decided. */
async function configure(
  { services, principal, exchange }: Request,
  type: 'CreateWebhook' | 'UpdateWebhook',
  id: string,
  body: WebhookBody,
): Promise<object> {
  const seen = services.webhooks.view.get(id)
  const { settings, made, dropped } = await settingsOf(services, id, body, seen)
  const by = { actor: principal.id, requestId: exchange.requestId }
  const was = seen?.secrets ?? []
  try {
    const command = type === 'CreateWebhook' ? { type, data: settings } : { type, data: { ...settings, was } }
    const position = await services.commands.send(`webhook/${id}`, command, by)
    await services.webhooks.reached(position)
  } catch (error) {
    // One that may have been decided all the same keeps what it was given.
    const refused = error instanceof DomainError && error.code !== 'UNAVAILABLE'
    if (refused) for (const reference of made) await services.secrets.remove(reference)
    throw error
  }
  for (const reference of dropped) await services.secrets.remove(reference)
  return shownWebhook(await findWebhook(services, id))
}

const create: Route = {
  method: 'POST',
  path: '/webhooks',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { services } = request
    const body = await readWebhook(request)
    const most = services.config.webhooks
    if (services.webhooks.view.size >= most) throw new DomainError('CONFLICT', `there are ${most} webhooks, the limit`)
    const id = newId('wh')
    return { status: 201, body: await configure(request, 'CreateWebhook', id, body) }
  },
}

const list: Route = {
  method: 'GET',
  path: '/webhooks',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services } = request
    await reachMinPosition(request, [])
    await services.webhooks.caughtUp()
    const { items, next_cursor } = pageOfIds(services.webhooks.view, exchange, limitOf(exchange))
    return { status: 200, body: { items: items.map(shownWebhook), next_cursor } }
  },
}

const one: Route = {
  method: 'GET',
  path: '/webhooks/:id',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { services, params } = request
    await reachMinPosition(request, [])
    await services.webhooks.caughtUp()
    return { status: 200, body: shownWebhook(await findWebhook(services, params.id!)) }
  },
}

const update: Route = {
  method: 'PUT',
  path: '/webhooks/:id',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const body = await readWebhook(request)
    await request.services.webhooks.caughtUp()
    const { webhook_id } = await findWebhook(request.services, request.params.id!)
    return { status: 200, body: await configure(request, 'UpdateWebhook', webhook_id, body) }
  },
}

const remove: Route = {
  method: 'DELETE',
  path: '/webhooks/:id',
  auth: 'sync:write',
  limit: 'api',
  async handle({ services, params, principal, exchange }) {
    await services.webhooks.caughtUp()
    const { webhook_id, secrets } = await findWebhook(services, params.id!)
    const by = { actor: principal.id, requestId: exchange.requestId }
    const command = { type: 'DeleteWebhook' as const, data: { webhook_id } }
    const position = await services.commands.send(`webhook/${webhook_id}`, command, by)
    await services.webhooks.reached(position)
    for (const reference of secrets) await services.secrets.remove(reference)
    return { status: 204 }
  },
}

export const webhooks: readonly Route[] = [create, list, one, update, remove]
