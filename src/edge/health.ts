import type { Log } from '../log/log.ts'
import type { Progress } from './progress.ts'

const FRESH_MS = 1000

export interface Health {
  /** Events of each projected stream that are not yet in the read model; at most a second old. */
  lag(): Promise<ReadonlyMap<string, number>>
  /** Whether the log can be reached, and whether every projection is near enough to it. */
  check(): Promise<{ log: boolean; projections: boolean }>
  /** A stop has begun: not ready any more. */
  stopping: boolean
}

export function createHealth(log: Log, progress: Progress, topics: readonly string[], maxLag: number): Health {
  let cached: { at: number; lag: Promise<ReadonlyMap<string, number>> } | undefined

  async function measure(): Promise<ReadonlyMap<string, number>> {
    const lag = new Map<string, number>()
    for (const stream of topics.flatMap(topic => log.streams(topic))) {
      lag.set(stream.name, await log.lag(stream, progress.reached.get(stream.name) ?? -1))
    }
    return lag
  }

  const health: Health = {
    stopping: false,
    lag() {
      if (!cached || Date.now() - cached.at > FRESH_MS) cached = { at: Date.now(), lag: measure() }
      return cached.lag
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
