import type { Logger } from '../telemetry/logger.ts'
import type { Log, Page, Stream } from './log.ts'

export interface Follower {
  /** All events of the stream up to here have been handed on. */
  readonly through: number
  stop(): Promise<void>
}

const RETRY_MS = 500

/** Hands every event of a stream after `after` to `onPage`, in order, for ever; when reading fails it tries again. */
export function followStream(options: {
  log: Log
  stream: Stream
  after: number
  logger: Logger
  maxEvents: number
  maxBytes: number
  onPage: (page: Page) => void | Promise<void>
}): Follower {
  const { log, stream, logger, maxEvents, maxBytes } = options
  const stopping = new AbortController()
  let through = options.after

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const page = await log.read(stream, through, { maxEvents, maxBytes, waitMs: 1000, signal: stopping.signal })
        if (stopping.signal.aborted) return
        if (page.events.length > 0) await options.onPage(page)
        through = page.through
      } catch (error) {
        if (stopping.signal.aborted) return
        logger.error({ err: error, stream: stream.name }, 'following failed, trying again')
        await new Promise(resolve => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  const running = loop()
  return {
    get through() {
      return through
    },
    stop() {
      stopping.abort()
      return running
    },
  }
}
