import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { DomainError } from '../../kernel/errors.ts'
import { newId } from '../../log/new-id.ts'
import type { Client } from '../../projections/access.ts'
import { SCOPES } from '../auth/authenticate.ts'
import { sha256 } from '../auth/keys.ts'
import { readBody } from '../body.ts'
import { named } from '../names.ts'
import { reachMinPosition } from '../reach.ts'
import type { Request, Route } from '../router.ts'
import { limitOf, pageOfIds } from './pages.ts'

const LIMIT = 65_536

const clientBody = z.strictObject({
  name: z.string().min(1).max(200),
  scopes: z.array(z.enum(SCOPES)).min(1).optional(),
})

const create: Route = {
  method: 'POST',
  path: '/clients',
  auth: 'sync:admin',
  limit: 'api',
  async handle({ exchange, services, principal }) {
    const body = await readBody(exchange, clientBody, { limit: LIMIT })
    const name = named('name', body.name, '')
    const scopes = [...new Set(body.scopes ?? ['sync:read', 'sync:write'])]
    const beyond = scopes.find(scope => !principal.scopes.includes(scope))
    if (beyond) throw new DomainError('FORBIDDEN', `scopes: ${beyond} is not one of your own scopes`)
    const client_id = newId('cli')
    const client_secret = randomBytes(32).toString('base64url')
    const data = { client_id, name, secret_hash: sha256(client_secret), scopes }
    const by = { actor: principal.id, requestId: exchange.requestId }
    const position = await services.commands.send(`client/${client_id}`, { type: 'CreateClient', data }, by)
    await services.access.reached(position)
    const made = services.access.view.clients.get(client_id)
    if (!made) throw new DomainError('CONFLICT', `client ${client_id} has been deleted meanwhile`)
    return { status: 201, headers: { 'Cache-Control': 'no-store' }, body: { ...shown(made), client_secret } }
  },
}

const list: Route = {
  method: 'GET',
  path: '/clients',
  auth: 'sync:admin',
  limit: 'api',
  async handle(request) {
    const { exchange, services } = request
    await reachMinPosition(request, [])
    await services.access.caughtUp()
    const { items, next_cursor } = pageOfIds(services.access.view.clients, exchange, limitOf(exchange))
    return { status: 200, body: { items: items.map(shown), next_cursor } }
  },
}

const one: Route = {
  method: 'GET',
  path: '/clients/:id',
  auth: 'sync:admin',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, [])
    return { status: 200, body: shown(await require(request)) }
  },
}

const remove: Route = {
  method: 'DELETE',
  path: '/clients/:id',
  auth: 'sync:admin',
  limit: 'api',
  async handle(request) {
    const { exchange, services, principal } = request
    const { id } = await require(request)
    const by = { actor: principal.id, requestId: exchange.requestId }
    const command = { type: 'DeleteClient' as const, data: { client_id: id } }
    await services.access.reached(await services.commands.send(`client/${id}`, command, by))
    return { status: 204 }
  },
}

async function require({ services, params }: Request): Promise<Client> {
  const id = params.id!
  if (id === services.admin.id) {
    throw new DomainError('CONFLICT', `client ${id} is the first one: ADMIN_CLIENT_ID and its secret say what it is`)
  }
  await services.access.caughtUp()
  const client = services.access.view.clients.get(id)
  if (!client) throw new DomainError('NOT_FOUND', `there is no client ${id}`)
  return client
}

function shown({ id, name, scopes, createdAt }: Client): object {
  return { id, client_id: id, name, scopes, created_at: new Date(createdAt).toISOString() }
}

/** OAuth clients: whoever has sync:admin makes and deletes them. */
export const clients: readonly Route[] = [create, list, one, remove]
