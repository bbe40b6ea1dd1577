import type { Log } from '../log/log.ts'
import type { Progress } from './progress.ts'

const FRESH_MS = 1000
/** A log that takes longer to say how far it is counts as one that cannot be reached. */
const ANSWER_MS = 2000
/** Where a stream is that is held and not yet worked on. */
const BEGINNING = -2

/** A work on the streams of some topics, in this process or, for an edge, wherever its read model is made. */
export interface Work {
  readonly topics: readonly string[]
  readonly progress: Progress
  /** Whether this process does it: it is then not well when it has lag and makes no progress. */
  readonly ours: boolean
  /** Before the names of its streams, where another work has the same streams. */
  readonly label?: string
}

export interface Health {
  /** Events of each stream that are not done yet; at most a second old. */
  lag(): Promise<ReadonlyMap<string, number>>
  /** Whether the log can be reached, every work is near enough to its end, and what is done here moves. */
  check(): Promise<{ log: boolean; works: boolean; stalled: readonly string[] }>
  /** A stop has begun: not ready any more. */
  stopping: boolean
}

export interface HealthOptions {
  log: Log
  works: readonly Work[]
  /** Events that all works together may be behind. */
  maxLag: number
  /** How long a stream may have lag and not move. */
  stallMs: number
}

export function createHealth({ log, works, maxLag, stallMs }: HealthOptions): Health {
  let cached: { goodUntil: number; lag: Promise<ReadonlyMap<string, number>> } | undefined
  let measuring: Promise<ReadonlyMap<string, number>> | undefined
  /** Where each stream of ours stood when it was first seen behind without having moved since. */
  const behind = new Map<string, { through: number; since: number }>()

  async function measure(): Promise<ReadonlyMap<string, number>> {
    const lag = new Map<string, number>()
    for (const { topics, progress, ours, label = '' } of works) {
      for (const stream of topics.flatMap(topic => log.streams(topic))) {
        if (ours && !progress.holding.has(stream.name)) {
          behind.delete(label + stream.name)
          continue
        }
        const through = progress.reached.get(stream.name)
        // Held, but it has not begun: how far it is nobody here knows, and it should not stay so.
        if (ours && through === undefined) {
          watch(label + stream.name, BEGINNING, 1)
          continue
        }
        const events = await log.lag(stream, through ?? -1)
        lag.set(label + stream.name, events)
        if (ours) watch(label + stream.name, through!, events)
      }
    }
    return lag
  }

  function watch(name: string, through: number, events: number): void {
    const known = behind.get(name)
    if (events === 0) behind.delete(name)
    else if (known?.through !== through) behind.set(name, { through, since: Date.now() })
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
        const now = Date.now()
        const stalled = [...behind].filter(([, { since }]) => now - since > stallMs).map(([stream]) => stream)
        return { log: true, works: lag <= maxLag && stalled.length === 0, stalled }
      } catch {
        return { log: false, works: false, stalled: [] }
      }
    },
  }
  return health
}
