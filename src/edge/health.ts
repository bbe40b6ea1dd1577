import type { Log } from '../log/log.ts'
import type { Progress } from './progress.ts'

const FRESH_MS = 1000
/** A log that takes longer to say how far it is counts as one that cannot be reached. */
const ANSWER_MS = 2000

export interface Health {
  /** Events of each projected stream that are not yet in the read model; at most a second old. */
  lag(): Promise<ReadonlyMap<string, number>>
  /** Whether the log can be reached, and whether every projection is near enough to it. */
  check(): Promise<{ log: boolean; projections: boolean }>
  /** A stop has begun: not ready any more. */
  stopping: boolean
}

export function createHealth(log: Log, progress: Progress, topics: readonly string[], maxLag: number): Health {
  let cached: { goodUntil: number; lag: Promise<ReadonlyMap<string, number>> } | undefined
  let measuring: Promise<ReadonlyMap<string, number>> | undefined

  async function measure(): Promise<ReadonlyMap<string, number>> {
    const lag = new Map<string, number>()
    for (const stream of topics.flatMap(topic => log.streams(topic))) {
      lag.set(stream.name, await log.lag(stream, progress.reached.get(stream.name) ?? -1))
    }
    return lag
  }

  /** A probe must be told soon, and probes that come meanwhile must not each ask a log that does not answer. */
  async function measureSoon(): Promise<ReadonlyMap<string, number>> {
    measuring ??= measure().finally(() => {
      measuring = undefined
    })
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error(`the log has not answered for ${ANSWER_MS} ms`)), ANSWER_MS)
    return Promise.race([measuring, late]).finally(() => clearTimeout(timer))
  }

  const health: Health = {
    stopping: false,
    lag() {
      if (cached && Date.now() < cached.goodUntil) return cached.lag
      const latest = { goodUntil: Number.POSITIVE_INFINITY, lag: measureSoon() }
      const settled = () => {
        latest.goodUntil = Date.now() + FRESH_MS
      }
      latest.lag.then(settled, settled)
      cached = latest
      return latest.lag
    },
    async check() {
      try {
        const lag = [...(await health.lag()).values()].reduce((sum, events) => sum + events, 0)
        return { log: true, projections: lag <= maxLag }
      } catch {
        return { log: false, projections: false }
      }
    },
  }
  return health
}
