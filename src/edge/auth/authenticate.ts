import { DomainError } from '../../kernel/errors.ts'
import type { AccessView, ApiKey } from '../../projections/access.ts'
import type { Exchange } from '../exchange.ts'
import type { Access } from './access.ts'
import { sha256 } from './keys.ts'
import type { Claims, Tokens } from './tokens.ts'

export const SCOPES = ['sync:read', 'sync:write', 'sync:admin'] as const
export type Scope = (typeof SCOPES)[number]

/** Whoever makes a request. */
export interface Principal {
  /** The client's or API key's id. */
  readonly id: string
  /** What its pushes are called when they name no source. */
  readonly name: string
  /** Whether it came with an API key. */
  readonly isKey?: boolean
  readonly scopes: readonly string[]
  /** Requests a minute; null: the default. */
  readonly rateLimit: number | null
  /** When the credential ends, milliseconds since 1970; null: never. */
  readonly expiresAt: number | null
  /** Whether it was revoked or has expired since. */
  readonly gone: () => boolean
}

export interface Credentials {
  authorization: string | undefined
  apiKey: string | undefined
}

export function credentialsOf({ header }: Pick<Exchange, 'header'>): Credentials {
  return { authorization: header('authorization'), apiKey: header('x-api-key') }
}

/**
 * Credentials of a client that may have no headers of its own, as a browser's WebSocket and EventSource: its token may come
 * in the query. Undefined when it brings none. Throws VALIDATION_ERROR for a token in two places.
 */
export function credentialsAnywhere({ header, query }: Pick<Exchange, 'header' | 'query'>): Credentials | undefined {
  const tokens = query.getAll('token')
  const authorization = header('authorization')
  if (tokens.length > 1 || (tokens.length === 1 && authorization !== undefined)) {
    throw new DomainError('VALIDATION_ERROR', 'send one token, either in the query or as Authorization')
  }
  const apiKey = header('x-api-key')
  if (tokens.length === 1) return { authorization: `Bearer ${tokens[0]}`, apiKey }
  return authorization === undefined && apiKey === undefined ? undefined : { authorization, apiKey }
}

/**
 * Finds out who presents these credentials: at once, but for an API key that is not known here yet. Throws UNAUTHORIZED,
 * or VALIDATION_ERROR for two at once.
 */
export function authenticate(credentials: Credentials, access: Access, tokens: Tokens): Principal | Promise<Principal> {
  const { authorization, apiKey } = credentials
  if (authorization !== undefined && apiKey !== undefined) {
    throw new DomainError('VALIDATION_ERROR', 'send either Authorization or X-API-Key, not both')
  }
  if (apiKey !== undefined) return principalOfKey(apiKey, access)
  if (authorization === undefined) {
    throw new DomainError('UNAUTHORIZED', 'send Authorization: Bearer <token> or X-API-Key: <key>')
  }
  const token = /^Bearer +([^ ]+) *$/i.exec(authorization)?.[1]
  if (!token) throw new DomainError('UNAUTHORIZED', 'Authorization: expected "Bearer <token>"')
  return principalOfToken(tokens.verify(token), access.view)
}

/** Throws UNAUTHORIZED for a token that was revoked. */
export function principalOfToken(claims: Claims, view: AccessView): Principal {
  const { tokenId, family, clientId } = claims
  const revoked = () =>
    view.revokedTokens.has(tokenId) || view.revokedFamilies.has(family) || view.deletedClients.has(clientId)
  if (revoked()) throw new DomainError('UNAUTHORIZED', 'the token was revoked')
  return {
    id: claims.clientId,
    name: claims.clientId,
    scopes: claims.scopes,
    rateLimit: null,
    expiresAt: claims.expiresAt,
    gone: () => revoked() || claims.expiresAt <= Date.now(),
  }
}

/** Whose API key this is: at once, but for one that is not known here yet. */
export function principalOfKey(apiKey: string, { view, caughtUp }: Access): Principal | Promise<Principal> {
  // The key is looked up by its hash: how long that takes says nothing about any key.
  const hash = sha256(apiKey)
  const key = view.keysByHash.get(hash)
  if (key) return principalOf(hash, key, view)
  // Made at another edge a moment ago, it may still be on its way.
  return caughtUp().then(() => {
    const arrived = view.keysByHash.get(hash)
    if (!arrived) throw new DomainError('UNAUTHORIZED', 'the API key is not valid')
    return principalOf(hash, arrived, view)
  })
}

function principalOf(hash: string, key: ApiKey, view: AccessView): Principal {
  const expiresAt = key.expiresAt === null ? null : Date.parse(key.expiresAt)
  if (expiresAt !== null && expiresAt <= Date.now()) throw new DomainError('UNAUTHORIZED', 'the API key has expired')
  return {
    id: key.id,
    isKey: true,
    name: key.name,
    scopes: key.permissions,
    rateLimit: key.rateLimit,
    expiresAt,
    gone: () => !view.keysByHash.has(hash) || (expiresAt !== null && expiresAt <= Date.now()),
  }
}

/** Throws FORBIDDEN naming the scope that is missing. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.scopes.includes(scope)) return
  throw new DomainError(
    'FORBIDDEN',
    `this needs the scope ${scope}; the credential has ${principal.scopes.join(' ') || 'none'}`,
  )
}
