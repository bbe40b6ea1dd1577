import { z } from 'zod'
import { headerName, headerText } from '../texts.ts'
import { defineAuth } from './auth.ts'

export const apiKey = defineAuth({
  type: 'api_key',
  summary: 'Sends a key under a name of its own, in a header or in the query.',
  config: z
    .strictObject({
      type: z.literal('api_key'),
      in: z.enum(['header', 'query']).default('header'),
      name: z.string().min(1).max(200).default('X-API-Key'),
      value: headerText.min(1),
    })
    .refine(auth => auth.in === 'query' || headerName.safeParse(auth.name).success, {
      path: ['name'],
      message: 'expected the name of a header that may be set',
    }),
  secrets: ['value'],
  addresses: [],
  start({ in: place, name, value }) {
    const pair = { [place === 'header' ? name.toLowerCase() : name]: value }
    const credentials = place === 'header' ? { headers: pair, params: {} } : { headers: {}, params: pair }
    return { credentials: async () => credentials }
  },
})
