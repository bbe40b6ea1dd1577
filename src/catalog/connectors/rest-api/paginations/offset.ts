import { z } from 'zod'
import { paramName } from '../texts.ts'
import { countedFields, countOn, isPastEnd, NOTHING_YET } from './counted.ts'
import { countingPages, type PagePlace } from './page.ts'
import { definePagination, limitFields, limitParams, totalFields } from './pagination.ts'

const pages = countingPages()

/** A place of either kind. `got` is the offset. */
type Place = Omit<PagePlace, 'page'> & { readonly page?: number | undefined }

export const offset = definePagination({
  type: 'offset',
  summary:
    'Counts the rows up to now in offset_param (offset), or pages in page_param, from start_page (1). Ends with a page ' +
    'that is empty, or shorter than limit.',
  config: z
    .strictObject({
      type: z.literal('offset'),
      offset_param: paramName.optional(),
      page_param: paramName.optional(),
      start_page: z.int().min(0).default(1),
      ...limitFields,
      ...totalFields,
    })
    .refine(({ offset_param, page_param }) => offset_param === undefined || page_param === undefined, {
      path: ['page_param'],
      message: 'expected offset_param, which counts rows, or page_param, which counts pages, not both',
    }),
  place: z.strictObject({ page: z.int().min(0).optional(), ...countedFields }) as z.ZodType<Place>,
  first: (config): Place =>
    config.page_param === undefined ? NOTHING_YET : { page: config.start_page, ...NOTHING_YET },
  request(config, place) {
    const { page_param, offset_param = 'offset' } = config
    if (page_param !== undefined) return pages.request({ ...config, page_param }, atPage(place, config))
    return { params: { ...limitParams(config), [offset_param]: String(place.got) } }
  },
  next(config, place, seen): Place | undefined {
    const { page_param } = config
    if (page_param !== undefined) return pages.next({ ...config, page_param }, atPage(place, config), seen)
    return countOn(place, config.limit, seen)
  },
  isProbe: place => place.probe === true,
  isPast: isPastEnd,
})

function atPage(place: Place, { start_page }: { start_page: number }): PagePlace {
  return { ...place, page: place.page ?? start_page }
}
