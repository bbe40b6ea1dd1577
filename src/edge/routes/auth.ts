import { z } from 'zod'
import {
  authenticateClient,
  clientCredentials,
  grantTokens,
  refreshTokens,
  requestedScopes,
  revokeToken,
} from '../auth/grants.ts'
import { readBody } from '../body.ts'
import { OAuthError, oauthError, problemOf } from '../problem.ts'
import type { Reply, Request, Route } from '../router.ts'

const LIMIT = 65_536
const NO_STORE = { 'Cache-Control': 'no-store' }

/** Adds to a failure in the API's own shape what RFC 6749 (section 5.2) calls it. */
function withOAuthErrors(handle: (request: Request) => Promise<Reply>): Route['handle'] {
  return async request => {
    try {
      return await handle(request)
    } catch (error) {
      const { status, headers, body } = problemOf(error, request.exchange.requestId)
      if (status === 500) throw error
      const description = body.error.message
      const named = { ...body.error, error: oauthError(error), error_description: description }
      return { status, headers: { ...headers, ...NO_STORE }, body: { error: named, error_description: description } }
    }
  }
}

const client = { client_id: z.string().max(200).optional(), client_secret: z.string().max(500).optional() }
const grantFields = {
  grant_type: z.string(),
  scope: z.string().max(1000).optional(),
  refresh_token: z.string().max(500).optional(),
  ...client,
}

/** A route that gives out tokens for some grant types. */
function grantRoute(path: string, ...grantTypes: string[]): Route {
  return {
    method: 'POST',
    path,
    auth: 'none',
    limit: 'api',
    handle: withOAuthErrors(async ({ exchange, services }) => {
      const forms = z.object(grantFields)
      const body = await readBody(exchange, z.strictObject(grantFields), { limit: LIMIT, form: forms })
      if (!grantTypes.includes(body.grant_type)) {
        const message = `grant_type: expected ${grantTypes.join(' or ')}, got ${body.grant_type.slice(0, 60)}`
        throw new OAuthError('VALIDATION_ERROR', 'unsupported_grant_type', message)
      }
      const credentials = clientCredentials(exchange, body)
      const { requestId } = exchange
      if (body.grant_type === 'client_credentials') {
        const known = await authenticateClient(services, credentials)
        const scopes = requestedScopes(body.scope, known)
        return { status: 200, headers: NO_STORE, body: await grantTokens(services, known.id, scopes, requestId) }
      }
      const token = body.refresh_token
      if (!token) throw new OAuthError('VALIDATION_ERROR', 'invalid_request', 'refresh_token: is missing')
      return { status: 200, headers: NO_STORE, body: await refreshTokens(services, token, credentials, requestId) }
    }),
  }
}

const revokeFields = { token: z.string().min(1).max(5000), token_type_hint: z.string().optional(), ...client }

const revoke: Route = {
  method: 'POST',
  path: '/auth/revoke',
  auth: 'none',
  limit: 'api',
  handle: withOAuthErrors(async ({ exchange, services }) => {
    const forms = z.object(revokeFields)
    const body = await readBody(exchange, z.strictObject(revokeFields), { limit: LIMIT, form: forms })
    const credentials = clientCredentials(exchange, body)
    // Whoever has a token may end it; but credentials that are given must be right.
    if (credentials.client_id !== undefined) await authenticateClient(services, credentials)
    await revokeToken(services, body.token, exchange.requestId)
    return { status: 200, headers: NO_STORE, body: {} }
  }),
}

const jwks: Route = {
  method: 'GET',
  path: '/.well-known/jwks.json',
  auth: 'none',
  limit: 'free',
  async handle({ services }) {
    return { status: 200, headers: { 'Cache-Control': 'public, max-age=300' }, body: await services.tokens.jwks() }
  },
}

// Stock clients refresh where they got their token, so that place takes both grants.
const token = grantRoute('/auth/token', 'client_credentials', 'refresh_token')
const refresh = grantRoute('/auth/refresh', 'refresh_token')

export const auth: readonly Route[] = [token, refresh, revoke, jwks]
