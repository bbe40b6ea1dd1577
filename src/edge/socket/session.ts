import { z } from 'zod'
import { DomainError, invalid } from '../../kernel/errors.ts'
import type { Principal } from '../auth/authenticate.ts'
import { check } from '../body.ts'
import { CLOSE } from '../problem.ts'
import type { Services } from '../services.ts'
import type { Connection } from './connection.ts'
import type { Hub } from './hub.ts'
import { message } from './messages.ts'
import { createSubscriptions } from './subscriptions.ts'

/** One client: who it is, and what it asks for. */
export interface Session {
  readonly principal: Principal
  onMessage(text: string): Promise<void>
  /** The buffer has become emptier. */
  onDrain(): void
  /** As for subscriptions. */
  onDropped(text: string): void
  leave(): void
  end(): void
}

const messageSchema = z.object({ type: z.string(), payload: z.unknown().optional() })

export function createSession(services: Services, hub: Hub, connection: Connection, principal: Principal): Session {
  const subscriptions = createSubscriptions(services, hub, connection, send, sendError)

  /** Sends an answer. A client that asks on and on but does not read cannot be told anything: it is closed. */
  function send(type: string, payload: object): void {
    const text = message(type, payload, subscriptions.standing())
    if (!connection.send(text)) connection.close(CLOSE.slow, 'answers are not read')
  }

  function sendError(error: unknown): void {
    const known = error instanceof DomainError
    if (!known) services.logger.error({ err: error }, 'a socket message failed')
    const payload = known
      ? { code: error.code, message: error.message, details: error.details }
      : { code: 'INTERNAL_ERROR', message: 'something went wrong on our side' }
    send('error', payload)
  }

  async function handle(text: string): Promise<void> {
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch {
      throw new DomainError('VALIDATION_ERROR', 'the message is not JSON')
    }
    const { type, payload } = check(parsed, messageSchema)
    if (type === 'subscribe') return subscriptions.subscribe(payload ?? {})
    if (type === 'unsubscribe') return subscriptions.unsubscribe(payload ?? {})
    if (type === 'ping') return send('pong', {})
    throw invalid('type', `"${type.slice(0, 60)}" is none of subscribe, unsubscribe, ping`)
  }

  return {
    principal,
    onMessage: text => handle(text).catch(sendError),
    onDrain() {
      subscriptions.leave()
      // Nothing is sent from in here: when uWebSockets.js cannot write all of a large message while it handles a drain,
      // it forgets to wait for the next one, and the client gets nothing ever after.
      setImmediate(subscriptions.goOn)
    },
    onDropped: subscriptions.onDropped,
    leave: subscriptions.leave,
    end: subscriptions.end,
  }
}
