import { DomainError } from '../kernel/errors.ts'
import { encodePosition, type Position, TOTAL_ORDER } from '../kernel/position.ts'

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
  /** Resolves once the read model includes `position`; NOT_YET_PROJECTED after 5 s. */
  wait(position: Position): Promise<void>
  /** Whether anyone waits. */
  readonly awaited: boolean
}

/** `onWait` is called when somebody begins to wait. */
export function createProgress(onWait: () => void = () => undefined): Progress {
  const reached = new Map<string, number>()
  const waiting = new Set<() => void>()
  let holding: ReadonlySet<string> = new Set()

  function includes({ offsets }: Position): boolean {
    // At the very start no projector has told anything yet, and the least of nothing would be beyond every offset.
    if (reached.size === 0) return offsets.size === 0
    for (const [stream, offset] of offsets) {
      // In a log with one total order every stream must have come that far; streams nobody projects are no matter.
      const through = stream === TOTAL_ORDER ? Math.min(...reached.values()) : reached.get(stream)
      if (through !== undefined && through < offset) return false
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
    wait(position) {
      if (includes(position)) return Promise.resolve()
      return new Promise((resolve, reject) => {
        const done = (settle: () => void) => {
          clearTimeout(timer)
          waiting.delete(look)
          settle()
        }
        const look = () => {
          if (includes(position)) done(resolve)
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
