import { cursor } from './cursor.ts'
import { keyset } from './keyset.ts'
import { linkHeader } from './link-header.ts'
import { nextUrl } from './next-url.ts'
import { none } from './none.ts'
import { offset } from './offset.ts'
import { page } from './page.ts'
import type { Pagination } from './pagination.ts'

export type { Pagination, SeenPage } from './pagination.ts'

/** What every pagination's configuration may have. */
export interface PaginationConfig {
  readonly [field: string]: unknown
  readonly type: string
  readonly total_path?: string | undefined
  readonly total_header?: string | undefined
}

/** Every pagination there is: one a file, a line here. */
export const paginations: readonly Pagination[] = [none, offset, page, cursor, linkHeader, nextUrl, keyset]

export function paginationOf(type: string): Pagination {
  return paginations.find(pagination => pagination.type === type)!
}
