import { DomainError } from '../../kernel/errors.ts'
import { type Principal, principalOfToken, requireScope } from '../auth/authenticate.ts'
import { check } from '../body.ts'
import { CLOSE } from '../problem.ts'
import type { Services } from '../services.ts'
import type { Connection } from './connection.ts'
import { refreshSchema } from './requests.ts'

/** What a client is told of the credential its socket lives by. */
export interface Standing {
  readonly scopes: readonly string[]
  /** Seconds; null: never. */
  readonly expires_in: number | null
}

/** The credential that a socket lives by: the one it came with, and then each that takes its place. */
export interface Credential {
  standing(): Standing
  /**
   * Puts a new token of the same client in the place of the old one. Throws for any other, and the old one stays; undefined
   * for one that may not read, and the socket is closed.
   */
  refresh(payload: unknown): Standing | undefined
  /** Closes the socket of a credential that has ended, and answers false. */
  holds(): boolean
  /** Called every second: as `holds`, and tells once that the credential is about to end. */
  look(): void
}

export function createCredential(
  services: Services,
  connection: Pick<Connection, 'close'>,
  first: Principal,
  /** False when the message was not taken. */
  send: (type: string, payload: object) => boolean,
): Credential {
  const { tokens, access, config } = services
  let principal = first
  let warned = false

  function secondsLeft(): number | null {
    const { expiresAt } = principal
    return expiresAt === null ? null : Math.max(0, Math.round((expiresAt - Date.now()) / 1000))
  }

  function holds(): boolean {
    if (!principal.gone()) return true
    connection.close(CLOSE.token, 'the token has expired or was revoked')
    return false
  }

  const standing = () => ({ scopes: principal.scopes, expires_in: secondsLeft() })

  return {
    standing,
    refresh(payload) {
      const { token } = check(payload, refreshSchema, 'payload')
      const found = principalOfToken(tokens.verify(token), access.view)
      if (found.id !== principal.id)
        throw new DomainError('UNAUTHORIZED', 'the token is not one of the client that this socket belongs to')
      try {
        requireScope(found, 'sync:read')
      } catch (error) {
        connection.close(CLOSE.scope, (error as Error).message)
        return undefined
      }
      principal = found
      warned = false
      return standing()
    },
    holds,
    look() {
      if (!holds() || warned) return
      const left = secondsLeft()
      if (left === null || left > config.tokenExpiringSeconds) return
      // A client too slow to take it is told in the next second.
      warned = send('token_expiring', { expires_in: left })
    },
  }
}
