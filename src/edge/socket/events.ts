import { DomainError } from '../../kernel/errors.ts'
import type { Principal } from '../auth/authenticate.ts'
import type { Exchange } from '../exchange.ts'
import { problemOf } from '../problem.ts'
import type { Services } from '../services.ts'
import { createEventStream, eventOf } from './event-stream.ts'
import { message, type Text } from './messages.ts'
import { createSubscriptions } from './subscriptions.ts'

/** What a client of Server-Sent Events asks for. */
export interface Asked {
  readonly channel: string | undefined
  readonly filters: object
  readonly since: string | undefined
}

const RESYNC = '{"type":"resync_required",'

/**
 * Answers a request with the messages of one subscription, for as long as the client stays. It cannot speak, so whatever
 * ends the subscription ends the answer: a browser connects again with the id of the last message it got, and that is the
 * position to continue from. Throws, before the answer begins, what is wrong with what was asked.
 */
export async function serveEvents(
  services: Services,
  exchange: Exchange,
  principal: Principal,
  asked: Asked,
): Promise<void> {
  const { live, config, logger, metrics } = services
  live.enter()
  const stream = createEventStream(exchange, config.socketBufferBytes, () => subscriptions.goOn())
  const connection = {
    send(text: string): boolean {
      const taken = stream.write(eventOf(text))
      if (taken && text.startsWith(RESYNC)) stream.end()
      return taken
    },
    sendAll(messages: readonly Text[]): number {
      const refused = messages.findIndex(each => !stream.write(eventOf(each.toString())))
      return refused < 0 ? messages.length : refused
    },
    buffered: stream.buffered,
    listen: (topic: string) => live.listen(topic, listener),
    unlisten: (topic: string) => live.unlisten(topic, listener),
    close: stream.stop,
  }
  const subscriptions = createSubscriptions(services, live.hub, connection, send, sendError)
  const listener = {
    hear(event: Buffer, text: string): void {
      if (stream.write(event)) return
      subscriptions.onDropped(text)
      subscriptions.leave()
    },
    look(now: number): void {
      if (principal.gone()) sendError(new DomainError('UNAUTHORIZED', 'the token has expired or was revoked'))
      else stream.beat(now)
    },
  }

  function send(type: string, payload: object): void {
    connection.send(message(type, payload, subscriptions.standing()))
  }

  /** Nothing comes after an error. */
  function sendError(error: unknown): void {
    const { code, message, details } = problemOf(error, exchange.requestId).body.error
    if (code === 'INTERNAL_ERROR')
      logger.error({ err: error, request_id: exchange.requestId }, 'an event stream failed')
    send('error', { code, message, details })
    stream.stop()
  }

  live.streams.add(listener)
  metrics.streams.set(live.streams.size)
  const leave = () => {
    if (!live.streams.delete(listener)) return
    metrics.streams.set(live.streams.size)
    live.leave()
    subscriptions.end()
  }
  exchange.onDelivered(leave)
  exchange.onStop(stream.stop)
  try {
    await subscriptions.subscribe(asked, '')
  } catch (error) {
    leave()
    throw error
  }
}
