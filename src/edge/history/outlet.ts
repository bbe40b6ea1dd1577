import { DomainError } from '../../kernel/errors.ts'
import { problemOf } from '../problem.ts'
import type { Request } from '../router.ts'
import { createEventStream } from '../socket/event-stream.ts'

/** What may wait for a client before no more is read for it. */
const WAITING_BYTES = 262_144

/** A text/event-stream whose writer waits for its reader. */
export interface Outlet {
  /** Aborts when nothing more can be sent. */
  readonly signal: AbortSignal
  /** Sends events, and resolves when there is room for more. */
  send(text: string): Promise<void>
  end(): void
  /** Says that events are missing after `from`, and where to go on, and ends. */
  resync(reason: string, from: string | undefined, position: string | undefined): void
  /** Says what went wrong, and ends. */
  fail(error: unknown): void
}

export interface OutletOptions {
  /** Counts it among those that stay; gives back what ends it. Throws UNAVAILABLE. */
  follow(): () => void
  /** The events that say what went wrong. */
  told(error: unknown, requestId: string): string
}

function problemEvent(error: unknown, requestId: string): string {
  return `event: problem\ndata: ${JSON.stringify(problemOf(error, requestId).body)}\n\n`
}

/**
 * Begins to answer a request, as one of the event streams that may be open. It ends when the credential does, when the
 * service stops, and when its reader takes nothing for long. Throws UNAVAILABLE when as many are open as may be.
 */
export function openOutlet(
  { exchange, services, principal }: Request,
  { follow, told }: OutletOptions = { follow: services.history.follow, told: problemEvent },
): Outlet {
  const { live, logger, metrics } = services
  live.requireRoom()
  const leave = follow()
  const over = new AbortController()
  let onRoom: () => void = () => undefined
  // Nothing is written that is not waited for: what gathers is bounded by the writer.
  const stream = createEventStream(exchange, Number.POSITIVE_INFINITY, () => onRoom())
  const listener = {
    hear: () => undefined,
    look(now: number): void {
      if (principal.gone()) fail(new DomainError('UNAUTHORIZED', 'the token has expired or was revoked'))
      else stream.beat(now)
    },
  }
  live.enter()
  live.streams.add(listener)
  metrics.streams.set(live.streams.size)
  exchange.onDelivered(() => {
    live.streams.delete(listener)
    metrics.streams.set(live.streams.size)
    live.leave()
    leave()
    stop()
  })
  exchange.onStop(stop)

  function write(text: string): void {
    if (!over.signal.aborted) stream.write(Buffer.from(text))
  }

  function stop(): void {
    stream.stop()
    over.abort()
    onRoom()
  }

  function tell(event: string, data: object, id: string): void {
    write(`${id}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    stop()
  }

  function fail(error: unknown): void {
    const { body } = problemOf(error, exchange.requestId)
    if (body.error.code === 'INTERNAL_ERROR')
      logger.error({ err: error, request_id: exchange.requestId }, 'an event stream of the history failed')
    write(told(error, exchange.requestId))
    stop()
  }

  // A client learns at once that it is heard, also where there is nothing to tell.
  write(':\n\n')
  return {
    signal: over.signal,
    async send(text) {
      if (text !== '') write(text)
      while (!over.signal.aborted && stream.buffered() > WAITING_BYTES) {
        await new Promise<void>(resolve => {
          onRoom = resolve
        })
      }
    },
    end: () => stream.end(),
    resync(reason, from, position) {
      const id = position === undefined ? '' : `id: ${position}\n`
      tell('resync_required', { reason, from: from ?? null, position: position ?? null }, id)
    },
    fail,
  }
}
