import { DomainError } from '../kernel/errors.ts'
import { offsetIn, type Position } from '../kernel/position.ts'
import type { Logger } from '../telemetry/logger.ts'
import { createCodec, type Decoded } from './codec.ts'
import { type Follower, followStream } from './follow.ts'
import type { Log } from './log.ts'

const LIMITS = { maxEvents: 10_000, maxBytes: 8_388_608 }
const LOOK_AGAIN_MS = 2
const CATCH_UP_MS = 10_000

/** Something small that is folded from a whole topic and kept in memory, because every request asks it. */
export interface FollowedView {
  /** Resolves once the view has everything that was in the log when this was called; rejects with UNAVAILABLE after 10 s. */
  caughtUp(): Promise<void>
  /** Resolves once the view has everything up to a position; rejects with UNAVAILABLE after 10 s. */
  reached(position: Position): Promise<void>
  /** Called after each page of events. */
  onChange(listener: () => void): void
  stop(): Promise<void>
}

/** Folds a topic from its beginning into a view and keeps following it. */
export function followView(log: Log, topic: string, logger: Logger, evolve: (event: Decoded) => void): FollowedView {
  const codec = createCodec(log)
  const listeners: (() => void)[] = []
  const followers = new Map<string, Follower>()
  for (const stream of log.streams(topic)) {
    const follower = followStream({
      log,
      stream,
      after: -1,
      logger,
      ...LIMITS,
      async onPage({ events }) {
        await codec.prepare(events)
        for (const { value } of events) evolve(codec.decode(value))
        for (const listener of listeners) listener()
      },
    })
    followers.set(stream.name, follower)
  }

  async function catchUp(): Promise<void> {
    const ends = await log.ends(topic)
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

  return {
    reached: position =>
      until(() => [...followers].every(([name, { through }]) => through >= offsetIn(position, name))),
    onChange: listener => void listeners.push(listener),
    caughtUp() {
      if (!current) return begin()
      next ??= current.then(begin, begin)
      return next
    },
    async stop() {
      await Promise.all([...followers.values()].map(follower => follower.stop()))
    },
  }
}

/** Waits until `check` holds. Followers have no end to wait for, so it looks again and again; the wait is a short one. */
async function until(check: () => boolean): Promise<void> {
  const end = Date.now() + CATCH_UP_MS
  while (!check()) {
    if (Date.now() > end) throw new DomainError('UNAVAILABLE', `not done after ${CATCH_UP_MS} ms`, { retryAfter: 1 })
    await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}
