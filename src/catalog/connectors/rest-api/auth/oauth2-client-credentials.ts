import { z } from 'zod'
import { address } from '../texts.ts'
import { defineAuth } from './auth.ts'
import { bearerOf, createTokens } from './tokens.ts'

export const oauth2ClientCredentials = defineAuth({
  type: 'oauth2_client_credentials',
  summary:
    'Gets tokens for a client of its own (RFC 6749, 4.4), and new ones before they expire or when one is refused.',
  config: z.strictObject({
    type: z.literal('oauth2_client_credentials'),
    token_url: address,
    client_id: z.string().min(1).max(1000),
    client_secret: z.string().min(1).max(10_000),
    scope: z.string().max(10_000).optional(),
  }),
  secrets: ['client_secret'],
  addresses: ['token_url'],
  start({ token_url, scope, ...client }, context) {
    const form = { grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) }
    return bearerOf(createTokens({ token_url, ...client }, () => form, context))
  },
})
