import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import { DomainError } from '../kernel/errors.ts'

const WINDOW_SECONDS = 60

export interface LimitState {
  readonly limit: number
  readonly remaining: number
  /** When the window ends, seconds since 1970. */
  readonly reset: number
  readonly allowed: boolean
}

/** Counts calls in windows of a minute. A limit of 0 counts nothing and allows all. */
export interface Limits {
  consume(caller: string, limit: number): Promise<LimitState>
}

export function createLimits(): Limits {
  const limiters = new Map<number, RateLimiterMemory>()

  function limiterOf(limit: number): RateLimiterMemory {
    let found = limiters.get(limit)
    if (!found) {
      found = new RateLimiterMemory({ points: limit, duration: WINDOW_SECONDS })
      limiters.set(limit, found)
    }
    return found
  }

  return {
    async consume(caller, limit) {
      if (limit === 0) return { limit: 0, remaining: 0, reset: secondsFromNow(WINDOW_SECONDS * 1000), allowed: true }
      try {
        return stateOf(limit, await limiterOf(limit).consume(caller), true)
      } catch (refused) {
        if (refused instanceof Error) throw refused
        return stateOf(limit, refused as RateLimiterRes, false)
      }
    },
  }
}

function stateOf(limit: number, { remainingPoints, msBeforeNext }: RateLimiterRes, allowed: boolean): LimitState {
  return { limit, remaining: Math.max(0, remainingPoints), reset: secondsFromNow(msBeforeNext), allowed }
}

function secondsFromNow(ms: number): number {
  return Math.ceil((Date.now() + ms) / 1000)
}

export function limitHeaders({ limit, remaining, reset }: LimitState): Record<string, string> {
  return {
    'X-RateLimit-Limit': String(limit),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': String(reset),
  }
}

export function rateLimited({ limit, reset }: LimitState): DomainError {
  const retryAfter = Math.max(1, reset - Math.floor(Date.now() / 1000))
  const message = `more than ${limit} requests in a minute; try again in ${retryAfter} s`
  return new DomainError('RATE_LIMITED', message, { retryAfter })
}
