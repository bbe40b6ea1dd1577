import { invalid } from '../kernel/errors.ts'
import type { Exchange } from './exchange.ts'

/** What a caller would like of an answer (RFC 7240). */
export interface Preferences {
  /** Rather an answer at once than one that says how it ended. */
  readonly respondAsync: boolean
  /** Seconds that it will wait, if it says so. */
  readonly wait: number | undefined
}

const WAIT = /^wait\s*=\s*"?(\d{1,9})"?$/i

/** Reads the header Prefer; what it does not know it passes over, as it must. Throws VALIDATION_ERROR for a wait that is none. */
export function readPrefer(exchange: Exchange): Preferences {
  const given = (exchange.header('prefer') ?? '').split(/[,;]/).map(each => each.trim())
  const wait = given.find(each => /^wait\s*=/i.test(each))
  const [, seconds] = wait === undefined ? [] : (WAIT.exec(wait) ?? [])
  if (wait !== undefined && seconds === undefined)
    throw invalid('Prefer', `expected wait=seconds, got ${wait.slice(0, 40)}`)
  return {
    respondAsync: given.some(each => each.toLowerCase() === 'respond-async'),
    wait: seconds === undefined ? undefined : Number(seconds),
  }
}
