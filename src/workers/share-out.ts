import { DomainError } from '../kernel/errors.ts'
import { pause } from '../kernel/pause.ts'
import type { Log, Stream } from '../log/log.ts'
import type { Logger } from '../telemetry/logger.ts'

const RETRY_MS = [100, 500, 1000, 2000, 5000]
/** A run that lasted as long as this was well: the next failure is a first one again. */
const SETTLED_MS = 10_000
/**
 * How long one who was fenced waits before it takes the stream again: long enough for a process that slept through
 * being expelled from the group to hear of it, which takes one heartbeat.
 */
const FENCED_MS = 5000

/**
 * Runs `run` for each stream that this process holds of a topic, again after a failure, a little later each time, until
 * the stream is with another process or `stop` is called. `run` ends when its signal aborts. Whenever membership
 * changes every run begins anew: the stream may have been with somebody else in between.
 */
export async function shareOut(options: {
  log: Log
  group: string
  topic: string
  logger: Logger
  /** Told which streams are held from now on. */
  onHolding: (streams: readonly Stream[]) => void
  run: (stream: Stream, signal: AbortSignal) => Promise<void>
}): Promise<{ stop(): Promise<void> }> {
  const { log, group, topic, logger, onHolding, run } = options
  let holding = new AbortController()
  let ended: Promise<unknown> = Promise.resolve()

  async function keepRunning(stream: Stream, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      const began = Date.now()
      try {
        await run(stream, signal)
      } catch (error) {
        if (signal.aborted) return
        if (Date.now() - began > SETTLED_MS) failures = 0
        const fenced = error instanceof DomainError && error.code === 'CONFLICT'
        const delay = fenced ? FENCED_MS : RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]!
        logger.error(
          { err: error, group, stream: stream.name, failures, delay },
          'work on a stream failed, beginning again',
        )
        await pause(delay, signal)
      }
    }
  }

  const membership = await log.share(group, topic, streams => {
    holding.abort()
    holding = new AbortController()
    const { signal } = holding
    const before = ended
    ended = before.then(() => {
      if (signal.aborted) return undefined
      onHolding(streams)
      return Promise.all(streams.map(stream => keepRunning(stream, signal)))
    })
  })
  return {
    async stop() {
      holding.abort()
      // Work under way first: whoever takes over would only wait for it.
      await ended
      await membership.stop()
    },
  }
}
