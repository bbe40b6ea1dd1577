import { z } from 'zod'
import { definePagination, totalFields } from './pagination.ts'

export const none = definePagination({
  type: 'none',
  summary: 'Asks once.',
  config: z.strictObject({ type: z.literal('none'), ...totalFields }),
  place: z.strictObject({}),
  first: () => ({}),
  request: () => ({}),
  next: () => undefined,
})
