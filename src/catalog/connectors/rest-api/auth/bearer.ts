import { z } from 'zod'
import { headerText } from '../texts.ts'
import { defineAuth } from './auth.ts'

export const bearer = defineAuth({
  type: 'bearer',
  summary: 'Sends a token that does not change: `Authorization: Bearer <token>`.',
  config: z.strictObject({ type: z.literal('bearer'), token: headerText.min(1) }),
  secrets: ['token'],
  addresses: [],
  start: ({ token }) => ({ credentials: async () => ({ headers: { authorization: `Bearer ${token}` }, params: {} }) }),
})
