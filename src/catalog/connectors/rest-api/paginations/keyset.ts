import { z } from 'zod'
import { DomainError } from '../../../../kernel/errors.ts'
import { compareValues, isText } from '../incremental/values.ts'
import { paramName } from '../texts.ts'
import { type Counted, countedFields, countOn, isPastEnd, NOTHING_YET } from './counted.ts'
import { definePagination, limitFields, limitParams, plainText, tokenOf, totalFields } from './pagination.ts'

/** `key`: JSON text of the last row's key. `way`: whether keys grow or fall, once two are known. */
interface Place extends Counted {
  readonly key?: string | undefined
  readonly way?: 1 | -1 | undefined
}

export const keyset = definePagination({
  type: 'keyset',
  summary:
    'Sends in key_param the key_field of the last row, whose page is what comes after it. Keys must go on in one way: up, ' +
    'or down; texts must differ. Ends with a page that is empty, or shorter than limit.',
  config: z.strictObject({
    type: z.literal('keyset'),
    key_param: paramName,
    key_field: z.string().min(1).max(500),
    ...limitFields,
    ...totalFields,
  }),
  place: z.strictObject({
    key: z.string().optional(),
    way: z.union([z.literal(1), z.literal(-1)]).optional(),
    ...countedFields,
  }) as z.ZodType<Place>,
  first: (): Place => NOTHING_YET,
  request: (config, { key }: Place) => ({
    params: { ...limitParams(config), ...(key === undefined ? {} : { [config.key_param]: key }) },
  }),
  wantsOfRow: ({ key_field }) => key_field,
  next({ key_field, limit }, before: Place, seen): Place | undefined {
    const counted = countOn(before, limit, seen)
    if (!counted) return undefined
    const key = tokenOf(seen.ofLastRow, key_field)
    if (key === undefined) throw new DomainError('VALIDATION_ERROR', `the last row has no ${key_field}, the key_field`)
    if (before.key === undefined) return { ...counted, key }
    const order = Math.sign(compareValues(plainText(key), plainText(before.key)))
    // A source whose key_param includes the key gives the last row again.
    if (order === 0 && before.probe) return undefined
    // Only the source knows the order of its texts.
    const way = isText(plainText(key)) ? (before.way ?? 1) : (order as 1 | -1 | 0)
    if (order === 0 || way === 0 || (before.way !== undefined && way !== before.way)) {
      const message = `${key_field} does not go on: after ${shown(before.key)} came ${shown(key)}; key_param may be wrong`
      throw new DomainError('VALIDATION_ERROR', message)
    }
    return { ...counted, key, way }
  },
  token: ({ key }: Place) => key,
  isProbe: place => place.probe === true,
  isPast: isPastEnd,
})

function shown(key: string): string {
  return key.slice(0, 100)
}
