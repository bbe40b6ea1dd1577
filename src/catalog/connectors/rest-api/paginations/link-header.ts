import { z } from 'zod'
import { type UrlPlace, urlPlace } from './next-url.ts'
import { definePagination, limitFields, limitParams, totalFields } from './pagination.ts'

export const linkHeader = definePagination({
  type: 'link_header',
  summary:
    'Goes to the address that the Link header of the last answer has as rel="next" (RFC 8288). Ends without one.',
  config: z.strictObject({ type: z.literal('link_header'), ...limitFields, ...totalFields }),
  place: urlPlace,
  first: (): UrlPlace => ({}),
  request: (config, { url }) => (url === undefined ? { params: limitParams(config) } : { url }),
  next(_config, _place, { link, resolve }): UrlPlace | undefined {
    const target = nextOf(link)
    return target === undefined ? undefined : { url: resolve(target) }
  },
  token: ({ url }) => url,
})

const LINK = /<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g
const RELATION = /;\s*rel\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))/i

/** The target of the first link whose relations have `next` among them. */
export function nextOf(header: string): string | undefined {
  for (const [, target, parameters = ''] of header.matchAll(LINK)) {
    const [, quoted, bare] = RELATION.exec(parameters) ?? []
    const relations = (quoted ?? bare ?? '').toLowerCase().split(/\s+/)
    if (relations.includes('next')) return target
  }
  return undefined
}
