import { z } from 'zod'
import { address } from '../texts.ts'
import { defineAuth } from './auth.ts'
import { bearerOf, createTokens } from './tokens.ts'

export const oauth2Refresh = defineAuth({
  type: 'oauth2_refresh',
  summary:
    'Gets tokens for a refresh token (RFC 6749, 6). A server that gives a new refresh token takes the old one back: the ' +
    'new one is kept in its place before the token that came with it is used.',
  config: z.strictObject({
    type: z.literal('oauth2_refresh'),
    token_url: address,
    client_id: z.string().min(1).max(1000),
    client_secret: z.string().min(1).max(10_000).optional(),
    refresh_token: z.string().min(1).max(10_000),
    scope: z.string().max(10_000).optional(),
  }),
  secrets: ['client_secret', 'refresh_token'],
  addresses: ['token_url'],
  start({ token_url, client_id, client_secret, refresh_token, scope }, context) {
    let current = refresh_token
    const form = () => {
      const asked = { grant_type: 'refresh_token', refresh_token: current }
      return scope === undefined ? asked : { ...asked, scope }
    }
    const tokens = createTokens({ token_url, client_id, client_secret }, form, context, async next => {
      if (next === current) return
      context.hide(next)
      current = next
      await context.keepSecret(['auth', 'refresh_token'], next)
    })
    return bearerOf(tokens)
  },
})
