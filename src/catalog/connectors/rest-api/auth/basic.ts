import { z } from 'zod'
import { defineAuth } from './auth.ts'

export const basic = defineAuth({
  type: 'basic',
  summary: 'Sends a user name and a password in the Authorization header (RFC 7617, UTF-8).',
  config: z.strictObject({
    type: z.literal('basic'),
    username: z
      .string()
      .max(1000)
      .refine(name => !name.includes(':'), 'expected no colon'),
    password: z.string().max(10_000),
  }),
  secrets: ['password'],
  addresses: [],
  start({ username, password }, { hide }) {
    const headers = { authorization: basicHeader(username, password, hide) }
    return { credentials: async () => ({ headers, params: {} }) }
  },
})

/** What the Authorization header says for a name and a password, which is a secret in this spelling too. */
export function basicHeader(username: string, password: string, hide: (secret: string) => void): string {
  const encoded = Buffer.from(`${username}:${password}`).toString('base64')
  hide(encoded)
  return `Basic ${encoded}`
}
