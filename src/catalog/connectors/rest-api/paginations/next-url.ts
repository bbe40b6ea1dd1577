import { z } from 'zod'
import { pointer } from '../texts.ts'
import { definePagination, limitFields, limitParams, plainText, tokenOf, totalFields } from './pagination.ts'

/** The address of a page; of the first one the endpoint's own. */
export interface UrlPlace {
  readonly url?: string | undefined
}

export const urlPlace = z.strictObject({ url: z.string().optional() }) as z.ZodType<UrlPlace>

export const nextUrl = definePagination({
  type: 'next_url',
  summary: 'Goes to the address, whole or relative, that the last answer has at next_path. Ends when there is none.',
  config: z.strictObject({ type: z.literal('next_url'), next_path: pointer, ...limitFields, ...totalFields }),
  place: urlPlace,
  first: (): UrlPlace => ({}),
  request: (config, { url }) => (url === undefined ? { params: limitParams(config) } : { url }),
  wants: ({ next_path }) => next_path,
  next({ next_path }, _place, { wanted, resolve }): UrlPlace | undefined {
    const text = tokenOf(wanted, `the next address at ${next_path}`)
    return text === undefined ? undefined : { url: resolve(plainText(text)) }
  },
  token: ({ url }) => url,
})
