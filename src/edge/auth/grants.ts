import { DomainError } from '../../kernel/errors.ts'
import { newId } from '../../log/new-id.ts'
import type { Exchange } from '../exchange.ts'
import { OAuthError } from '../problem.ts'
import type { Services } from '../services.ts'
import { SCOPES } from './authenticate.ts'
import { sameSecret, sha256 } from './keys.ts'
import type { Claims, Tokens } from './tokens.ts'

export interface TokenAnswer {
  access_token: string
  token_type: 'Bearer'
  expires_in: number
  refresh_token: string
  scope: string
}

export interface ClientCredentials {
  client_id?: string | undefined
  client_secret?: string | undefined
}

/** Client credentials from the body, or from HTTP Basic (RFC 6749, section 2.3.1). Throws for both at once. */
export function clientCredentials(exchange: Exchange, body: ClientCredentials): ClientCredentials {
  const header = exchange.header('authorization')
  const basic = header === undefined ? undefined : /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(header)?.[1]
  if (!basic) return body
  if (body.client_secret !== undefined) {
    throw new OAuthError(
      'VALIDATION_ERROR',
      'invalid_request',
      'client credentials came both in the body and as HTTP Basic',
    )
  }
  const [id, ...secret] = Buffer.from(basic, 'base64').toString().split(':')
  return { client_id: formDecoded(id!), client_secret: formDecoded(secret.join(':')) }
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

/** A client that has shown its secret, and the most its tokens may do. */
export interface KnownClient {
  readonly id: string
  readonly scopes: readonly string[]
}

/** The client that these credentials belong to. Throws UNAUTHORIZED. */
export async function authenticateClient(
  services: Services,
  { client_id = '', client_secret = '' }: ClientCredentials,
): Promise<KnownClient> {
  const { admin, access } = services
  const isAdmin = sameSecret(client_id, admin.id)
  if (isAdmin && sameSecret(client_secret, admin.secret)) return { id: admin.id, scopes: SCOPES }
  // Made or deleted at another edge a moment ago, it may still be on its way.
  if (!isAdmin) await access.caughtUp()
  const client = access.view.clients.get(client_id)
  const good = sameSecret(sha256(client_secret), client?.secretHash ?? '')
  if (!client || !good) throw new OAuthError('UNAUTHORIZED', 'invalid_client', 'the client id or secret is wrong')
  return client
}

/** The scopes asked for, all that the client may have when none is named. Throws VALIDATION_ERROR for any other. */
export function requestedScopes(scope: string | undefined, { scopes }: KnownClient): readonly string[] {
  const asked = [...new Set((scope ?? '').split(' ').filter(Boolean))]
  const beyond = asked.find(name => !scopes.includes(name))
  if (beyond !== undefined) {
    const message = `scope: ${beyond.slice(0, 100)} is none of the client's scopes ${scopes.join(', ')}`
    throw new OAuthError('VALIDATION_ERROR', 'invalid_scope', message)
  }
  return asked.length > 0 ? asked : scopes
}

/** Gives out an access token and the first refresh token of a new family. */
export async function grantTokens(
  services: Services,
  clientId: string,
  scopes: readonly string[],
  requestId: string,
): Promise<TokenAnswer> {
  const { access, commands, config } = services
  const family = newId('fam', 16)
  const scope = scopes.join(' ')
  const expires_at = Date.now() + config.refreshSeconds * 1000
  const data = { family, client_id: clientId, scope, expires_at }
  const command = { type: 'OpenRefreshFamily' as const, data }
  await access.reached(await commands.send(`family/${family}`, command, { actor: clientId, requestId }))
  return tokensOf(services, { clientId, scope, family, generation: 0 })
}

/** Trades a refresh token for new tokens. A spent one that comes back ends its whole family. */
export async function refreshTokens(
  services: Services,
  refreshToken: string,
  client: ClientCredentials,
  requestId: string,
): Promise<TokenAnswer> {
  const { tokens, access, commands, config } = services
  const invalidGrant = (why: string) => new OAuthError('UNAUTHORIZED', 'invalid_grant', why)
  const presented = tokens.readRefreshToken(refreshToken)
  if (!presented) throw invalidGrant('the refresh token is not valid')
  await access.caughtUp()
  const family = access.view.families.get(presented.family)
  if (!family || access.view.deletedClients.has(family.clientId)) {
    throw invalidGrant('the refresh token was revoked or has expired')
  }
  if (client.client_id !== undefined && (await authenticateClient(services, client)).id !== family.clientId) {
    throw invalidGrant('the refresh token belongs to another client')
  }
  const data = { ...presented, expires_at: Date.now() + config.refreshSeconds * 1000 }
  try {
    const by = { actor: family.clientId, requestId }
    const command = { type: 'RotateRefreshToken' as const, data }
    await access.reached(await commands.send(`family/${presented.family}`, command, by))
  } catch (error) {
    if (error instanceof DomainError && error.code === 'UNAUTHORIZED') throw invalidGrant(error.message)
    throw error
  }
  return tokensOf(services, { ...family, family: presented.family, generation: presented.generation + 1 })
}

async function tokensOf(
  { tokens, config }: Services,
  grant: { clientId: string; scope: string; family: string; generation: number },
): Promise<TokenAnswer> {
  return {
    access_token: await tokens.issue(grant.clientId, grant.scope.split(' '), grant.family),
    token_type: 'Bearer',
    expires_in: config.tokenSeconds,
    refresh_token: tokens.refreshToken(grant.family, grant.generation),
    scope: grant.scope,
  }
}

/** Revokes an access or refresh token; one that is unknown, or has ended already, is no matter (RFC 7009). */
export async function revokeToken(services: Services, token: string, requestId: string): Promise<void> {
  const { tokens, commands, access } = services
  const by = { actor: 'token', requestId }
  const refresh = tokens.readRefreshToken(token)
  if (refresh) {
    const { family } = refresh
    const command = { type: 'RevokeRefreshFamily' as const, data: { family } }
    return access.reached(await commands.send(`family/${family}`, command, by))
  }
  const claims = claimsOf(tokens, token)
  if (!claims) return
  const data = { token_id: claims.tokenId, expires_at: claims.expiresAt }
  await access.reached(await commands.send(`token/${claims.tokenId}`, { type: 'RevokeAccessToken', data }, by))
}

function claimsOf(tokens: Tokens, token: string): Claims | undefined {
  try {
    return tokens.verify(token)
  } catch (error) {
    if (error instanceof DomainError && error.code === 'UNAUTHORIZED') return undefined
    throw error
  }
}
