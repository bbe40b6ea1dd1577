import { z } from 'zod'
import { paramName, pointer } from '../texts.ts'
import { definePagination, limitFields, limitParams, tokenOf, totalFields } from './pagination.ts'

/** `token` is JSON text, so that a number keeps its digits. */
interface Place {
  readonly token?: string | undefined
}

export const cursor = definePagination({
  type: 'cursor',
  summary: 'Sends in cursor_param what the last answer has at cursor_path. Ends when that is missing, null or empty.',
  config: z.strictObject({
    type: z.literal('cursor'),
    cursor_param: paramName.default('cursor'),
    cursor_path: pointer,
    ...limitFields,
    ...totalFields,
  }),
  place: z.strictObject({ token: z.string().optional() }) as z.ZodType<Place>,
  first: (): Place => ({}),
  request: (config, { token }) => ({
    params: { ...limitParams(config), ...(token === undefined ? {} : { [config.cursor_param]: token }) },
  }),
  wants: ({ cursor_path }) => cursor_path,
  next({ cursor_path }, _place, { wanted }): Place | undefined {
    const token = tokenOf(wanted, `the cursor at ${cursor_path}`)
    return token === undefined ? undefined : { token }
  },
  token: ({ token }) => token,
})
