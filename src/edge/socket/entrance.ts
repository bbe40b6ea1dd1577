import { DomainError } from '../../kernel/errors.ts'
import { type Principal, principalOfKey, principalOfToken, requireScope } from '../auth/authenticate.ts'
import { check } from '../body.ts'
import { type LimitState, rateLimited } from '../limits.ts'
import { CLOSE } from '../problem.ts'
import type { Services } from '../services.ts'
import type { Connection } from './connection.ts'
import { authSchema, readRequest } from './requests.ts'

/** Most that is kept of what comes while the API key of an `auth` message is looked up. */
const MAX_HELD = 32
const MAX_HELD_LENGTH = 65_536

const FIRST = 'the first message must be auth, with a token or an api_key'

/** Takes a socket's messages, and is asked every second whether the socket may stay. */
export interface Listener {
  /** A text or, as undefined, bytes. */
  onMessage(text: string | undefined): void
  look(): void
  /** The socket has closed. */
  end(): void
}

/**
 * Where a socket waits whose upgrade brought no credential. Its first message must be `auth`; then `enter` lets it in.
 * Each has one try, and counts as a request of its address: `admitted` says whether there was one left.
 */
export function createEntrance(
  services: Services,
  connection: Pick<Connection, 'close'>,
  admitted: Promise<LimitState>,
  enter: (principal: Principal) => Pick<Listener, 'onMessage'>,
): Listener {
  const { config, access, tokens, logger } = services
  const end = Date.now() + config.authTimeoutMs
  const held: (string | undefined)[] = []
  let heldLength = 0
  let tried = false
  let over = false

  function refuse(code: number, reason: string): void {
    if (over) return
    over = true
    connection.close(code, reason)
  }

  function refuseFor(error: unknown): void {
    const code = error instanceof DomainError ? error.code : undefined
    const reason = (error as Error).message
    if (code === 'RATE_LIMITED') return refuse(CLOSE.rate, reason)
    if (code === 'UNAUTHORIZED') return refuse(CLOSE.token, reason)
    if (code === 'FORBIDDEN') return refuse(CLOSE.scope, reason)
    if (code === 'VALIDATION_ERROR') return refuse(CLOSE.token, FIRST)
    logger.error({ err: error }, 'a socket could not be authenticated')
    refuse(CLOSE.failed, 'who this is cannot be found out now; connect again')
  }

  const admission = admitted.then(state => {
    if (!state.allowed) throw rateLimited(state)
  })
  admission.catch(refuseFor)

  async function authenticate(text: string | undefined): Promise<void> {
    await admission
    const { type, payload } = readRequest(text)
    if (type !== 'auth') return refuse(CLOSE.token, FIRST)
    const credential = check(payload, authSchema)
    const principal =
      'token' in credential
        ? principalOfToken(tokens.verify(credential.token), access.view)
        : await principalOfKey(credential.api_key, access)
    requireScope(principal, 'sync:read')
    if (over) return
    over = true
    const session = enter(principal)
    for (const each of held) session.onMessage(each)
  }

  return {
    onMessage(text) {
      if (!tried) {
        tried = true
        return void authenticate(text).catch(refuseFor)
      }
      heldLength += text?.length ?? 0
      if (held.length >= MAX_HELD || heldLength > MAX_HELD_LENGTH)
        return refuse(CLOSE.token, 'too much was sent before authenticated was answered')
      held.push(text)
    },
    look() {
      if (Date.now() > end) refuse(CLOSE.token, `no auth message within ${config.authTimeoutMs} ms`)
    },
    end() {
      over = true
    },
  }
}
