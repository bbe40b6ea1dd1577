import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { DomainError } from '../../kernel/errors.ts'
import { newId } from '../../log/new-id.ts'
import type { ApiKey } from '../../projections/access.ts'
import { type Principal, SCOPES } from '../auth/authenticate.ts'
import { sha256 } from '../auth/keys.ts'
import { readBody } from '../body.ts'
import { named } from '../names.ts'
import { reachMinPosition } from '../reach.ts'
import type { Route } from '../router.ts'
import { limitOf, pageOfIds } from './pages.ts'

const LIMIT = 65_536
/** Nobody can see them in a list, and in a terminal or a log they are more than text. */
const CONTROL = /\p{Cc}/u

const keyBody = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(200)
    .refine(name => !CONTROL.test(name), 'it has a control character'),
  permissions: z.array(z.enum(SCOPES)).min(1),
  expires_at: z.iso.datetime({ offset: true }).nullish(),
  rate_limit: z.int().min(1).max(1_000_000).nullish(),
})

function withinCreator(body: z.infer<typeof keyBody>, creator: Principal, defaultLimit: number): void {
  const beyond = body.permissions.find(scope => !creator.scopes.includes(scope))
  if (beyond) throw new DomainError('FORBIDDEN', `permissions: ${beyond} is not one of your own scopes`)
  const own = creator.rateLimit ?? defaultLimit
  if (own > 0 && (body.rate_limit ?? 0) > own) {
    throw new DomainError('FORBIDDEN', `rate_limit: ${body.rate_limit} is more than your own limit of ${own} a minute`)
  }
  const end = endOf(creator)
  if (end !== undefined && body.expires_at && Date.parse(body.expires_at) > Date.parse(end)) {
    throw new DomainError('FORBIDDEN', `expires_at: ${body.expires_at} is after ${end}, when your own key expires`)
  }
}

/** When an API key ends, if it does; a token's end says nothing about the client it was given to. */
function endOf({ isKey, expiresAt }: Principal): string | undefined {
  return isKey && expiresAt !== null ? new Date(expiresAt).toISOString() : undefined
}

const create: Route = {
  method: 'POST',
  path: '/api-keys',
  auth: 'sync:write',
  limit: 'api',
  async handle({ exchange, services, principal }) {
    const body = await readBody(exchange, keyBody, { limit: LIMIT })
    // Its pushes have it as their source.
    named('name', body.name, '')
    withinCreator(body, principal, services.config.rateLimitApi)
    const id = newId('key')
    const key = `sk_live_${randomBytes(32).toString('base64url')}`
    const fields = {
      name: body.name,
      permissions: [...new Set(body.permissions)],
      // A key never outlives or outruns the key it was made with, also when it names no end or limit of its own.
      expires_at: body.expires_at ?? endOf(principal) ?? null,
      rate_limit: body.rate_limit ?? principal.rateLimit,
    }
    const data = { key_id: id, key_hash: sha256(key), ...fields }
    const command = { type: 'CreateApiKey' as const, data }
    const position = await services.commands.send(`api_key/${id}`, command, by(principal, exchange.requestId))
    await services.access.reached(position)
    const made = services.access.view.keysByHash.get(data.key_hash)
    if (!made) throw new DomainError('CONFLICT', `API key ${id} has been revoked meanwhile`)
    return { status: 201, headers: { 'Cache-Control': 'no-store' }, body: { ...shown(made), key } }
  },
}

const list: Route = {
  method: 'GET',
  path: '/api-keys',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, principal } = request
    await reachMinPosition(request, [])
    await services.access.caughtUp()
    const keys = [...services.access.view.keysByHash.values()].filter(key => mayManage(principal, key))
    const { items, next_cursor } = pageOfIds(new Map(keys.map(key => [key.id, key])), exchange, limitOf(exchange))
    return { status: 200, body: { items: items.map(shown), next_cursor } }
  },
}

const revoke: Route = {
  method: 'DELETE',
  path: '/api-keys/:id',
  auth: 'sync:write',
  limit: 'api',
  async handle({ exchange, services, principal, params }) {
    const { view } = services.access
    await services.access.caughtUp()
    const key = view.keysByHash.get(view.hashById.get(params.id!) ?? '')
    if (!key || !mayManage(principal, key)) throw new DomainError('NOT_FOUND', `there is no API key ${params.id}`)
    const command = { type: 'RevokeApiKey' as const, data: { key_id: key.id } }
    const position = await services.commands.send(`api_key/${key.id}`, command, by(principal, exchange.requestId))
    await services.access.reached(position)
    return { status: 204 }
  },
}

/** One's own keys, oneself included; an admin's reach is everyone's. */
function mayManage(principal: Principal, key: ApiKey): boolean {
  return principal.scopes.includes('sync:admin') || key.createdBy === principal.id || key.id === principal.id
}

function by(principal: Principal, requestId: string): { actor: string; requestId: string } {
  return { actor: principal.id, requestId }
}

function shown(key: ApiKey): object {
  return {
    id: key.id,
    name: key.name,
    permissions: key.permissions,
    expires_at: key.expiresAt,
    rate_limit: key.rateLimit,
    created_at: new Date(key.createdAt).toISOString(),
  }
}

export const apiKeys: readonly Route[] = [create, list, revoke]
