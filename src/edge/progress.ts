import { DomainError } from '../kernel/errors.ts'
import { encodePosition, type Position, TOTAL_ORDER, topicOfStream } from '../kernel/position.ts'

const WAIT_MS = 5000

/** How far a work on streams has come: the read model, as its projectors tell it, or the decisions on commands. */
export interface Progress {
  /** All events of `stream` up to `through` are done: for a projection, in the read model. */
  advance(stream: string, through: number): void
  /** Only these streams are worked on here from now on; the others are with other processes. */
  hold(streams: readonly string[]): void
  readonly holding: ReadonlySet<string>
  /** The last `through` of each stream. */
  readonly reached: ReadonlyMap<string, number>
  /**
   * Resolves once the read model includes `position`, as far as it is about these topics; all of them unless said.
   * NOT_YET_PROJECTED after 5 s.
   */
  wait(position: Position, topics?: readonly string[]): Promise<void>
  /** Whether anyone waits. */
  readonly awaited: boolean
}

/** `onWait` is called when somebody begins to wait. */
export function createProgress(onWait: () => void = () => undefined): Progress {
  const reached = new Map<string, number>()
  const waiting = new Set<() => void>()
  let holding: ReadonlySet<string> = new Set()

  function includes({ offsets }: Position, topics: readonly string[] | undefined): boolean {
    // At the very start no projector has told anything yet, and the least of nothing would be beyond every offset.
    if (reached.size === 0) return offsets.size === 0
    const asked = (stream: string) => topics === undefined || topics.includes(topicOfStream(stream))
    for (const [stream, offset] of offsets) {
      if (stream === TOTAL_ORDER) {
        // In a log with one total order every stream must have come that far.
        for (const [name, through] of reached) if (asked(name) && through < offset) return false
      } else if (asked(stream) && (reached.get(stream) ?? offset) < offset) return false // nobody projects some
    }
    return true
  }

  return {
    reached,
    advance(stream, through) {
      reached.set(stream, through)
      for (const look of waiting) look()
    },
    hold(streams) {
      holding = new Set(streams)
      for (const stream of reached.keys()) if (!holding.has(stream)) reached.delete(stream)
    },
    get holding() {
      return holding
    },
    get awaited() {
      return waiting.size > 0
    },
    wait(position, topics) {
      if (includes(position, topics)) return Promise.resolve()
      return new Promise((resolve, reject) => {
        const done = (settle: () => void) => {
          clearTimeout(timer)
          waiting.delete(look)
          settle()
        }
        const look = () => {
          if (includes(position, topics)) done(resolve)
        }
        const timer = setTimeout(() => done(() => reject(notYet(position, reached))), WAIT_MS)
        waiting.add(look)
        onWait()
      })
    },
  }
}

function notYet(position: Position, reached: ReadonlyMap<string, number>): DomainError {
  const far = encodePosition({ log: position.log, offsets: reached })
  const message = `the read model has not reached ${encodePosition(position)} after ${WAIT_MS / 1000} s; it is at ${far}`
  return new DomainError('NOT_YET_PROJECTED', message, { retryAfter: 1 })
}
