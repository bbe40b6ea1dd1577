import { invalid } from '../../kernel/errors.ts'
import type { Row } from '../../kernel/projection.ts'
import { PAGE_BYTES, rowBytes } from '../../store/store.ts'
import type { Exchange } from '../exchange.ts'

export const MAX_PAGE = 1000
export const DEFAULT_PAGE = 20

/** How many items a request wants at most. Throws VALIDATION_ERROR. */
export function limitOf(exchange: Exchange, fallback = DEFAULT_PAGE): number {
  return wholeParameter(exchange, 'limit', fallback, MAX_PAGE)
}

/** A query parameter that is a whole number from 1. Throws VALIDATION_ERROR. */
export function wholeParameter({ query }: Exchange, name: string, fallback: number, max: number): number {
  const text = query.get(name)
  if (text === null) return fallback
  const value = Number(text)
  if (/^\d{1,15}$/.test(text) && value >= 1 && value <= max) return value
  throw invalid(name, `expected a whole number from 1 to ${max}, got ${text.slice(0, 40)}`)
}

/** A cursor is the last key of the page before, in base64url. */
export function cursorOf(exchange: Exchange): string | undefined {
  const text = exchange.query.get('cursor')
  return text === null ? undefined : readCursor(text, 'cursor')
}

/** The key that a cursor stands for. Throws VALIDATION_ERROR naming `field`. */
export function readCursor(text: string, field: string): string {
  const key = Buffer.from(text, 'base64url').toString()
  if (text !== '' && Buffer.from(key).toString('base64url') === text) return key
  throw invalid(field, `"${text.slice(0, 60)}" is not a cursor that this API gave out`)
}

export function cursorAfter(key: string): string {
  return Buffer.from(key).toString('base64url')
}

/** The cursor of the page after these rows; null when there is none. `column` is the one that orders them. */
export function nextCursor(rows: readonly Row[], limit: number, column: string): string | null {
  const full = rows.length === limit || rows.reduce((sum, row) => sum + rowBytes(row), 0) >= PAGE_BYTES
  return full ? cursorAfter(rows.at(-1)![column] as string) : null
}

/** A page of what is kept in memory by id, in the order of ids. */
export function pageOfIds<T>(
  all: ReadonlyMap<string, T>,
  exchange: Exchange,
  limit: number,
): { items: T[]; next_cursor: string | null } {
  const after = cursorOf(exchange) ?? ''
  const ids = [...all.keys()].filter(id => id > after).sort()
  const page = ids.slice(0, limit)
  return { items: page.map(id => all.get(id)!), next_cursor: ids.length > limit ? cursorAfter(page.at(-1)!) : null }
}
