import { offsetIn, type Position } from '../../kernel/position.ts'
import { createCodec } from '../../log/codec.ts'
import { type Follower, followStream } from '../../log/follow.ts'
import type { Log } from '../../log/log.ts'
import { type AccessView, emptyAccessView, evolveAccess, forgetExpired } from '../../projections/access.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { until } from '../until.ts'

const TOPIC = 'sync.access'
const LIMITS = { maxEvents: 10_000, maxBytes: 8_388_608 }
const FORGET_MS = 60_000

export interface Access {
  readonly view: AccessView
  /** Resolves once the view has everything that was in the log when this was called. */
  caughtUp(): Promise<void>
  /** Resolves once the view has everything up to a position; UNAVAILABLE after 10 s. */
  reached(position: Position): Promise<void>
  /** Called after each page of events. */
  onChange(listener: () => void): void
  stop(): Promise<void>
}

/** Folds `sync.access` from its beginning and keeps following it. */
export function startAccess(log: Log, logger: Logger, tokenSeconds: number): Access {
  const view = emptyAccessView()
  const codec = createCodec(log)
  const listeners: (() => void)[] = []
  const followers = new Map<string, Follower>()
  for (const stream of log.streams(TOPIC)) {
    const follower = followStream({
      log,
      stream,
      after: -1,
      logger,
      ...LIMITS,
      async onPage({ events }) {
        await codec.prepare(events)
        for (const { value } of events) {
          const { type, data } = codec.decode(value)
          evolveAccess(view, type, data)
        }
        for (const listener of listeners) listener()
      },
    })
    followers.set(stream.name, follower)
  }
  async function catchUp(): Promise<void> {
    const ends = await log.ends(TOPIC)
    await until(() => [...ends].every(([stream, end]) => followers.get(stream)!.through >= end))
  }

  // Whoever asks while one is under way shares the one after it: many callers cost the log no more than one.
  let current: Promise<void> | undefined
  let next: Promise<void> | undefined
  function begin(): Promise<void> {
    next = undefined
    current = catchUp().finally(() => {
      current = undefined
    })
    return current
  }

  const forgetting = setInterval(() => forgetExpired(view, Date.now(), tokenSeconds * 1000), FORGET_MS).unref()
  return {
    view,
    onChange: listener => void listeners.push(listener),
    caughtUp() {
      if (!current) return begin()
      next ??= current.then(begin, begin)
      return next
    },
    reached: position =>
      until(() => [...followers].every(([name, { through }]) => through >= offsetIn(position, name))),
    async stop() {
      clearInterval(forgetting)
      await Promise.all([...followers.values()].map(follower => follower.stop()))
    },
  }
}
