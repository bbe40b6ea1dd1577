import type { Events } from '../events/index.ts'

export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly permissions: readonly string[]
  readonly expiresAt: string | null
  readonly rateLimit: number | null
  readonly createdBy: string
  readonly createdAt: number
}

export interface Client {
  readonly id: string
  readonly name: string
  readonly secretHash: string
  readonly scopes: readonly string[]
  readonly createdAt: number
}

/**
 * Who may come in, folded from `sync.access`. Every edge keeps it in memory: each request asks it, so it can wait for
 * no store. What has expired is forgotten, so its size follows what is alive.
 */
export interface AccessView {
  readonly keysByHash: Map<string, ApiKey>
  readonly hashById: Map<string, string>
  /** Live families of refresh tokens, with the client and scopes each may give. */
  readonly families: Map<string, { clientId: string; scope: string; expiresAt: number }>
  /** Families that were revoked, and when, milliseconds since 1970. */
  readonly revokedFamilies: Map<string, number>
  /** Access tokens that were revoked, and when they would have ended, milliseconds since 1970. */
  readonly revokedTokens: Map<string, number>
  readonly clients: Map<string, Client>
  /** Clients that were deleted, and when, milliseconds since 1970. */
  readonly deletedClients: Map<string, number>
}

export function emptyAccessView(): AccessView {
  return {
    keysByHash: new Map(),
    hashById: new Map(),
    families: new Map(),
    revokedFamilies: new Map(),
    revokedTokens: new Map(),
    clients: new Map(),
    deletedClients: new Map(),
  }
}

type Handlers = { [Name in keyof Events]?: (view: AccessView, event: Events[Name]) => void }

const handlers: Handlers = {
  ApiKeyCreated(view, event) {
    view.hashById.set(event.key_id, event.key_hash)
    view.keysByHash.set(event.key_hash, {
      id: event.key_id,
      name: event.name,
      permissions: event.permissions,
      expiresAt: event.expires_at,
      rateLimit: event.rate_limit,
      createdBy: event.created_by,
      createdAt: event.at,
    })
  },
  ApiKeyRevoked(view, { key_id }) {
    view.keysByHash.delete(view.hashById.get(key_id) ?? '')
    view.hashById.delete(key_id)
  },
  RefreshFamilyOpened(view, event) {
    view.families.set(event.family, { clientId: event.client_id, scope: event.scope, expiresAt: event.expires_at })
  },
  RefreshTokenRotated(view, { family, expires_at }) {
    const known = view.families.get(family)
    if (known) view.families.set(family, { ...known, expiresAt: expires_at })
  },
  RefreshFamilyRevoked(view, { family, at }) {
    view.families.delete(family)
    view.revokedFamilies.set(family, at)
  },
  AccessTokenRevoked(view, { token_id, expires_at }) {
    view.revokedTokens.set(token_id, expires_at)
  },
  ClientCreated(view, { client_id, name, secret_hash, scopes, at }) {
    view.clients.set(client_id, { id: client_id, name, secretHash: secret_hash, scopes, createdAt: at })
  },
  ClientDeleted(view, { client_id, at }) {
    view.clients.delete(client_id)
    view.deletedClients.set(client_id, at)
  },
}

/** Takes an event into the view; events of other nouns change nothing. */
export function evolveAccess<Name extends keyof Events>(view: AccessView, type: Name, event: Events[Name]): void {
  handlers[type]?.(view, event)
}

/** Forgets what no longer matters at `now` when an access token lives for `tokenMs`; both in milliseconds. */
export function forgetExpired(view: AccessView, now: number, tokenMs: number): void {
  for (const [family, at] of view.revokedFamilies) if (at + tokenMs < now) view.revokedFamilies.delete(family)
  for (const [client, at] of view.deletedClients) if (at + tokenMs < now) view.deletedClients.delete(client)
  for (const [token, expiresAt] of view.revokedTokens) if (expiresAt < now) view.revokedTokens.delete(token)
  for (const [family, { expiresAt }] of view.families) if (expiresAt < now) view.families.delete(family)
}
