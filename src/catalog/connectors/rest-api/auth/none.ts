import { z } from 'zod'
import { defineAuth } from './auth.ts'

export const none = defineAuth({
  type: 'none',
  summary: 'Sends no credentials.',
  config: z.strictObject({ type: z.literal('none') }),
  secrets: [],
  addresses: [],
  start: () => ({ credentials: async () => ({ headers: {}, params: {} }) }),
})
