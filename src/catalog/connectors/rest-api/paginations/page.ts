import { z } from 'zod'
import { paramName } from '../texts.ts'
import { type Counted, countedFields, countOn, isPastEnd, NOTHING_YET } from './counted.ts'
import { definePagination, limitFields, limitParams, type SeenPage, totalFields } from './pagination.ts'

export interface PagePlace extends Counted {
  readonly page: number
}

interface PageConfig {
  readonly page_param: string
  readonly limit_param: string
  readonly limit?: number | undefined
  readonly start_page: number
}

export const page = definePagination({
  type: 'page',
  summary: 'Counts pages, from start_page (1). Ends with a page that is empty, or shorter than limit.',
  config: z.strictObject({
    type: z.literal('page'),
    page_param: paramName.default('page'),
    start_page: z.int().min(0).default(1),
    ...limitFields,
    ...totalFields,
  }),
  ...countingPages(),
})

/** Pages by number, which pagination by offset can do too. */
export function countingPages() {
  return {
    place: z.strictObject({ page: z.int().min(0), ...countedFields }),
    first: (config: PageConfig): PagePlace => ({ page: config.start_page, ...NOTHING_YET }),
    request: (config: PageConfig, place: PagePlace) => ({
      params: { ...limitParams(config), [config.page_param]: String(place.page) },
    }),
    next(config: PageConfig, place: PagePlace, seen: SeenPage): PagePlace | undefined {
      const counted = countOn(place, config.limit, seen)
      return counted && { page: place.page + 1, ...counted }
    },
    isProbe: (place: PagePlace) => place.probe === true,
    isPast: isPastEnd,
  }
}
