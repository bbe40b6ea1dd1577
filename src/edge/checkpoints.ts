import type { Store } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { createProgress, type Progress } from './progress.ts'

const IDLE_MS = 500
/** While a request waits for a position. */
const AWAITED_MS = 10

export interface Checkpoints {
  readonly progress: Progress
  /** Whether the store answered when it was last asked. */
  readonly reachable: boolean
  stop(): Promise<void>
}

/** Follows how far read models have come that other processes write, by asking their store. */
export function followCheckpoints(
  store: Pick<Store, 'checkpoints'>,
  projections: readonly string[],
  logger: Logger,
): Checkpoints {
  let wake: () => void = () => undefined
  let stopped = false
  let reachable = true
  const progress = createProgress(() => wake())

  async function ask(): Promise<void> {
    try {
      for (const [stream, through] of await store.checkpoints(projections)) progress.advance(stream, through)
      reachable = true
    } catch (error) {
      if (reachable) logger.error({ err: error }, 'the read store does not say how far it is, asking again')
      reachable = false
    }
  }

  async function loop(): Promise<void> {
    while (!stopped) {
      await ask()
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, progress.awaited && reachable ? AWAITED_MS : IDLE_MS)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        if (stopped) wake()
      })
    }
  }

  const running = loop()
  return {
    progress,
    get reachable() {
      return reachable
    },
    stop() {
      stopped = true
      wake()
      return running
    },
  }
}
