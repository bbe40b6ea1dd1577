import { z } from 'zod'
import type { SeenPage } from './pagination.ts'

/*
 * When pages that are asked for by number, offset or key come to an end. A page without rows is the end. A page shorter
 * than the limit is one too, unless the source's total says that there is more. But a source may have a limit of its own
 * that is below the one it was asked for; so when already the first page is shorter, and there is no total, the limit
 * says nothing, and only a page without rows is the end: that costs one request more, and no row is lost. The same
 * without a limit. A total never ends a full page: some sources stop counting at 10,000.
 */

export interface Counted {
  /** Rows up to here. */
  readonly got: number
  /** The limit says nothing about the end. */
  readonly loose?: boolean | undefined
  /** Asked for only because the first page was short. */
  readonly probe?: boolean | undefined
  /** All rows that the total speaks of have come. */
  readonly all?: boolean | undefined
}

export const countedFields = {
  got: z.int().min(0),
  loose: z.boolean().optional(),
  probe: z.boolean().optional(),
  all: z.boolean().optional(),
}

export const NOTHING_YET: Counted = { got: 0 }

/** What is known after a page, undefined at the end. */
export function countOn(before: Counted, limit: number | undefined, { rows, total }: SeenPage): Counted | undefined {
  if (rows === 0) return undefined
  const got = before.got + rows
  const isFirst = before.got === 0
  const isShort = limit !== undefined && rows < limit
  if (total !== undefined) {
    const all = got >= total
    if (all && (isShort || limit === undefined)) return undefined
    return { got, loose: true, all }
  }
  if (isShort && !isFirst && !before.loose) return undefined
  const loose = before.loose || limit === undefined || isShort
  return { got, loose, probe: isFirst && isShort }
}

/** See Pagination.isPast: the page is not found, or all rows have come and whatever is behind them is refused. */
export function isPastEnd(place: Counted, status: number): boolean {
  return [404, 416].includes(status) || (place.all === true && [400, 422].includes(status))
}
