import { pause } from '../kernel/pause.ts'
import type { Projection } from '../kernel/projection.ts'
import type { Slots } from '../kernel/slots.ts'
import type { Log, Stream } from '../log/log.ts'
import type { Store } from '../store/store.ts'

/** Versions that one transaction forgets: so many that others hardly wait for it. */
const ROWS = 1000
/** How often it is looked for what is too old; more often when nothing is kept for long. */
const EVERY_MS = 60_000
const LEAST_MS = 1000

/**
 * Forgets what rows were that were followed longer ago than `keep.ms`, for as long as a stream is held under a claim. One
 * stream of a projection at a time, and it rests as long as each step took: whoever commits has the store at least half of
 * the time.
 */
export async function forgetVersions(
  work: {
    log: Pick<Log, 'reachedBy'>
    projection: Pick<Projection<never>, 'name' | 'tables'>
    forgetting: Slots
  },
  held: { stream: Stream; epoch: number },
  keep: { ms: number; forget: Store['forget'] },
  signal: AbortSignal,
): Promise<void> {
  const { log, projection, forgetting } = work
  const { stream, epoch } = held
  const claimed = { projection: projection.name, stream: stream.name, epoch }
  const tables = projection.tables.filter(({ versions }) => versions)
  while (!signal.aborted) {
    const through = (await log.reachedBy(stream.topic, Date.now() - keep.ms)).get(stream.name)!
    for (const table of tables) {
      for (let forgotten = ROWS; forgotten >= ROWS && !signal.aborted; ) {
        forgotten = await forgetting.take(signal, async () => {
          const began = performance.now()
          const some = await keep.forget(table, claimed, through, ROWS)
          await pause(performance.now() - began, signal)
          return some
        })
      }
    }
    await pause(Math.max(LEAST_MS, Math.min(EVERY_MS, keep.ms / 10)), signal)
  }
}
