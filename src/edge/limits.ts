import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Config } from '../config.ts'
import { DomainError } from '../kernel/errors.ts'
import type { Principal } from './auth/authenticate.ts'
import type { SharedRedis } from './redis.ts'

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

type Caller = Pick<Principal, 'id' | 'rateLimit'>

/** How many calls of a kind a caller has in a minute. */
export function limitOf(config: Config, kind: string, { rateLimit }: Caller): number {
  const fallback = kind === 'push' ? config.rateLimitPush : config.rateLimitApi
  return rateLimit === null ? fallback : Math.min(rateLimit, fallback || rateLimit)
}

/** Counts a call of somebody, who is known by his address when by nothing else. */
export function countCall(
  { limits, config }: { limits: Limits; config: Config },
  kind: 'api' | 'push',
  caller: Caller,
  ip: string,
): Promise<LimitState> {
  return limits.consume(`${kind} ${caller.id || ip}`, limitOf(config, kind, caller))
}

/** Counts what one caller does who is known to this process alone; false past the limit. 0 counts nothing. */
export function countInWindows(limit: number): () => boolean {
  let used = 0
  let end = 0
  return () => {
    if (limit === 0) return true
    const now = Date.now()
    if (now >= end) {
      end = now + WINDOW_SECONDS * 1000
      used = 0
    }
    used++
    return used <= limit
  }
}

/** Limits of this process alone or, given a Redis, shared by all edges; while that is lost each edge counts for itself. */
export function createLimits(redis?: SharedRedis): Limits {
  const own = limiters(points => new RateLimiterMemory({ points, duration: WINDOW_SECONDS }))
  const shared = redis && sharedLimiters(redis)
  return {
    async consume(caller, limit) {
      if (limit === 0) return { limit: 0, remaining: 0, reset: secondsFromNow(WINDOW_SECONDS * 1000), allowed: true }
      return (await shared?.(caller, limit)) ?? consumeOf(own(limit), caller, limit)
    },
  }
}

function sharedLimiters(redis: SharedRedis): (caller: string, limit: number) => Promise<LimitState | undefined> {
  const byClient = new WeakMap<object, (limit: number) => RateLimiterAbstract>()
  return (caller, limit) =>
    redis.attempt(client => {
      let limiterOf = byClient.get(client)
      if (!limiterOf) {
        const keyPrefix = 'superinsight:limit'
        const options = { storeClient: client, useRedisPackage: true, keyPrefix, duration: WINDOW_SECONDS }
        limiterOf = limiters(points => new RateLimiterRedis({ ...options, points }))
        byClient.set(client, limiterOf)
      }
      return consumeOf(limiterOf(limit), caller, limit)
    })
}

/** A limiter for each limit that is asked for. */
function limiters(make: (limit: number) => RateLimiterAbstract): (limit: number) => RateLimiterAbstract {
  const known = new Map<number, RateLimiterAbstract>()
  return limit => {
    let found = known.get(limit)
    if (!found) {
      found = make(limit)
      known.set(limit, found)
    }
    return found
  }
}

async function consumeOf(limiter: RateLimiterAbstract, caller: string, limit: number): Promise<LimitState> {
  try {
    return stateOf(limit, await limiter.consume(caller), true)
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused
    return stateOf(limit, refused, false)
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
