import type { Ending } from './link.ts'

/** Something that trying again does not mend. */
export class SyncError extends Error {
  /** A close code, the code of an error message, or one of this client's own: VALIDATION_ERROR, CLOSED. */
  readonly code: number | string
  constructor(code: number | string, message: string) {
    super(message)
    this.name = 'SyncError'
    this.code = code
  }
}

const TOKEN = 4401
const RATE = 4429
/** Bad message, missing scope, too large. */
const FATAL = [4400, 4403, 4413]
/** Limits count in windows of a minute. */
const RATE_MS = 60_000

/** What to do when a connection has ended: an error to give up with, or how long to wait at least. */
export function after({ code, reason }: Ending, fixedToken: boolean): SyncError | number {
  if (FATAL.includes(code)) return new SyncError(code, reason || `the service closed the connection with ${code}`)
  if (code === TOKEN && fixedToken)
    return new SyncError(code, `${reason}; give connect a function that gets a new token`)
  return code === RATE ? RATE_MS : 0
}

/** Codes of `error` messages that mean the same on every try. */
const REFUSALS = ['VALIDATION_ERROR', 'FORBIDDEN', 'NOT_FOUND', 'CONFLICT']

export function isRefusal(code: string): boolean {
  return REFUSALS.includes(code)
}

/** How long to wait before try number `failures`, doubling up to `most`; half of it is chance, so that not all come at once. */
export function backoff(failures: number, { first, most }: Retry): number {
  const whole = Math.min(most, first * 2 ** Math.min(failures - 1, 30))
  return whole / 2 + (Math.random() * whole) / 2
}

export interface Retry {
  readonly first: number
  readonly most: number
}
