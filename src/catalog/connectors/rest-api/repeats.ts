import { hash } from 'node:crypto'
import { DomainError } from '../../../kernel/errors.ts'

/** Notices pages that were there before, so that a source that goes round in a circle is not followed for ever. */
export interface Repeats {
  /** Throws a DomainError when a place that is named by `token` was gone to before. */
  goTo(token: string | undefined, page: number): void
  /** Throws a DomainError when pages come again. */
  see(fingerprint: string, page: number, rows: number): void
  /** Whether a page is the same as the one before. */
  isLast(fingerprint: string): boolean
  readonly last: string | undefined
}

const MAX_REMEMBERED = 100_000
/**
 * Pages in a row that came before, in the same order, are a circle; fewer may be rows that happen to be the same. A page
 * that is the one before is one at once, when it has more than a row.
 */
const CIRCLE = 3
/** Pages without rows, with something after each. */
const MAX_EMPTY = 1000

export function createRepeats(last: string | undefined): Repeats {
  const tokens = new Map<string, number>()
  const pages = new Map<string, number>()
  let before = last
  let [distance, streak, empty] = [0, 0, 0]

  return {
    goTo(token, page) {
      if (token === undefined) return
      const mark = fingerprintOf(token)
      const earlier = tokens.get(mark)
      if (earlier !== undefined) throw loop(`the source goes round in a circle: page ${page} is page ${earlier} again`)
      remember(tokens, mark, page)
    },
    see(fingerprint, page, rows) {
      empty = rows === 0 ? empty + 1 : 0
      if (empty > MAX_EMPTY)
        throw loop(`the last ${MAX_EMPTY} pages up to page ${page} had no rows, and there are more`)
      if (rows === 0) return
      const earlier = pages.get(fingerprint) ?? (fingerprint === before ? page - 1 : undefined)
      before = fingerprint
      remember(pages, fingerprint, page)
      if (earlier === undefined) {
        streak = 0
        return
      }
      streak = page - earlier === distance ? streak + 1 : 1
      distance = page - earlier
      if (distance === 1 && (rows > 1 || streak >= CIRCLE))
        throw loop(`no progress: page ${page} is the same as the one before`)
      if (streak >= CIRCLE) throw loop(`the source goes round in a circle: page ${page} is page ${earlier} again`)
    },
    isLast: fingerprint => fingerprint === before,
    get last() {
      return before
    },
  }
}

/** A short name for bytes or a text; two are never the same by chance. */
export function fingerprintOf(what: string | Uint8Array): string {
  return hash('sha256', what, 'base64url').slice(0, 22)
}

function remember(map: Map<string, number>, key: string, page: number): void {
  if (map.size >= MAX_REMEMBERED) map.delete(map.keys().next().value!)
  map.set(key, page)
}

function loop(message: string): DomainError {
  return new DomainError('VALIDATION_ERROR', message)
}
