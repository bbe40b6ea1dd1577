import { DomainError, invalid } from '../../kernel/errors.ts'
import type { Principal } from '../auth/authenticate.ts'
import { CLOSE } from '../problem.ts'
import type { Services } from '../services.ts'
import type { Connection } from './connection.ts'
import { createCredential } from './credential.ts'
import type { Listener } from './entrance.ts'
import type { Hub } from './hub.ts'
import { message } from './messages.ts'
import { type Request, readRequest } from './requests.ts'
import { createSubscriptions } from './subscriptions.ts'

/** So many in a row are no slip any more: whoever sends them speaks another protocol. */
const MAX_UNREADABLE = 10

/** An answer says no more of what is wrong, however much is: it would be many times as long as the message. */
const MAX_DETAILS = 20
const MAX_TEXT = 500
const MASKED = { code: 'INTERNAL_ERROR', message: 'something went wrong on our side', details: [] }

/** One client: who it is, and what it asks for. */
export interface Session extends Listener {
  /** Answers the `auth` message that it came in with. */
  welcome(): void
  /** The buffer has become emptier. */
  onDrain(): void
  /** As for subscriptions. */
  onDropped(text: string): void
  leave(): void
}

export function createSession(services: Services, hub: Hub, connection: Connection, principal: Principal): Session {
  const subscriptions = createSubscriptions(services, hub, connection, send, sendError)
  const credential = createCredential(services, connection, principal, attempt)
  let unreadable = 0

  function attempt(type: string, payload: object): boolean {
    return connection.send(message(type, payload, subscriptions.standing()))
  }

  /** Sends an answer. A client that asks on and on but does not read cannot be told anything: it is closed. */
  function send(type: string, payload: object): void {
    if (!attempt(type, payload)) connection.close(CLOSE.slow, 'answers are not read')
  }

  function sendError(error: unknown): void {
    const known = error instanceof DomainError
    if (!known) services.logger.error({ err: error }, 'a socket message failed')
    send('error', known ? shown(error) : MASKED)
  }

  function refresh(payload: unknown): void {
    const standing = credential.refresh(payload)
    if (standing) send('refreshed', standing)
  }

  async function handle({ type, payload }: Request): Promise<void> {
    if (type === 'subscribe') return credential.holds() ? subscriptions.subscribe(payload) : undefined
    if (type === 'unsubscribe') return subscriptions.unsubscribe(payload)
    if (type === 'refresh') return refresh(payload)
    if (type === 'ping') return send('pong', {})
    if (type === 'auth')
      throw new DomainError('CONFLICT', 'this socket has a credential; refresh puts a new token in its place')
    throw invalid('type', `"${type.slice(0, 60)}" is none of subscribe, unsubscribe, refresh, ping`)
  }

  return {
    welcome: () => send('authenticated', credential.standing()),
    onMessage(text) {
      let request: Request
      try {
        request = readRequest(text)
      } catch (error) {
        sendError(error)
        if (++unreadable >= MAX_UNREADABLE)
          connection.close(CLOSE.badMessage, `${MAX_UNREADABLE} messages in a row were not JSON objects with a type`)
        return
      }
      unreadable = 0
      handle(request).catch(sendError)
    },
    look: credential.look,
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

function shown({ code, message, details }: DomainError): object {
  const some = details.slice(0, MAX_DETAILS)
  return {
    code,
    message: cut(message),
    details: some.map(each => ({ field: cut(each.field), message: cut(each.message) })),
  }
}

const cut = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text)
