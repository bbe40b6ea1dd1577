import type { Events } from '../events/index.ts'
import { accept, type CommandMeta, type Decider, type Decision, refuse } from '../kernel/decider.ts'

type AccessEventName =
  | 'ApiKeyCreated'
  | 'ApiKeyRevoked'
  | 'RefreshFamilyOpened'
  | 'RefreshTokenRotated'
  | 'RefreshFamilyRevoked'
  | 'AccessTokenRevoked'
  | 'ClientCreated'
  | 'ClientDeleted'

export type AccessEvent = { [Name in AccessEventName]: { type: Name; data: Events[Name] } }[AccessEventName]

/** What is asked about one client, key, token family or token. Hashes and ids only: no secret reaches a decider. */
export type AccessCommand =
  | { type: 'CreateApiKey'; data: Omit<Events['ApiKeyCreated'], 'command_id' | 'at' | 'created_by'> }
  | { type: 'RevokeApiKey'; data: { key_id: string } }
  | { type: 'OpenRefreshFamily'; data: Omit<Events['RefreshFamilyOpened'], 'command_id' | 'at'> }
  | { type: 'RotateRefreshToken'; data: { family: string; generation: number; expires_at: number } }
  | { type: 'RevokeRefreshFamily'; data: { family: string } }
  | { type: 'RevokeAccessToken'; data: { token_id: string; expires_at: number } }
  | { type: 'CreateClient'; data: Omit<Events['ClientCreated'], 'command_id' | 'at' | 'created_by'> }
  | { type: 'DeleteClient'; data: { client_id: string } }

/** One client, key, token family or token; `absent` until its first event. */
export type AccessState =
  | { readonly is: 'absent' }
  | { readonly is: 'key'; readonly revoked: boolean }
  | { readonly is: 'client'; readonly deleted: boolean }
  | { readonly is: 'family'; readonly generation: number; readonly expiresAt: number; readonly revoked: boolean }
  | { readonly is: 'revoked token'; readonly expiresAt: number }

function rotate(
  state: AccessState,
  { family, generation, expires_at }: { family: string; generation: number; expires_at: number },
  { command_id, at }: CommandMeta,
): Decision<AccessEvent> {
  if (state.is !== 'family' || state.revoked) return refuse('UNAUTHORIZED', 'the refresh token was revoked')
  if (generation > state.generation) return refuse('UNAUTHORIZED', 'the refresh token was never given out')
  if (generation < state.generation) {
    // A spent token came back: whoever has it stole it, or was stolen from. Nobody of the family is trusted any more.
    const event = { type: 'RefreshFamilyRevoked' as const, data: { command_id, family, reason: 'reused', at } }
    return refuse(
      'UNAUTHORIZED',
      'the refresh token was used before; all tokens that follow from it are revoked',
      event,
    )
  }
  if (at >= state.expiresAt) return refuse('UNAUTHORIZED', 'the refresh token has expired')
  return accept({
    type: 'RefreshTokenRotated',
    data: { command_id, family, generation: generation + 1, expires_at, at },
  })
}

/** Whether a state says no more at `now`, milliseconds since 1970, than its absence would. */
export function isOver(state: AccessState, now: number): boolean {
  return 'expiresAt' in state && state.expiresAt < now
}

/** Clients, API keys, refresh tokens and revocations. The aggregate is one client, one key, one token family or one token. */
export const accessDecider: Decider<AccessState, AccessCommand & { meta: CommandMeta }, AccessEvent> = {
  initial: { is: 'absent' },

  evolve(state, { type, data }) {
    switch (type) {
      case 'ApiKeyCreated':
        return { is: 'key', revoked: false }
      case 'ApiKeyRevoked':
        return { is: 'key', revoked: true }
      case 'RefreshFamilyOpened':
        return { is: 'family', generation: 0, expiresAt: data.expires_at, revoked: false }
      case 'RefreshTokenRotated':
        return state.is === 'family' ? { ...state, generation: data.generation, expiresAt: data.expires_at } : state
      case 'RefreshFamilyRevoked':
        return state.is === 'family' ? { ...state, revoked: true } : state
      case 'AccessTokenRevoked':
        return { is: 'revoked token', expiresAt: data.expires_at }
      case 'ClientCreated':
        return { is: 'client', deleted: false }
      case 'ClientDeleted':
        return { is: 'client', deleted: true }
    }
  },

  decide(state, { type, data, meta }) {
    const { command_id, actor, at } = meta
    switch (type) {
      case 'CreateApiKey':
        if (state.is !== 'absent') return refuse('CONFLICT', `API key ${data.key_id} exists already`)
        return accept({ type: 'ApiKeyCreated', data: { ...data, command_id, at, created_by: actor } })
      case 'RevokeApiKey':
        if (state.is !== 'key') return refuse('NOT_FOUND', `there is no API key ${data.key_id}`)
        // Whoever asks saw the key alive: somebody else was faster.
        if (state.revoked) return refuse('CONFLICT', `API key ${data.key_id} has been revoked meanwhile`)
        return accept({ type: 'ApiKeyRevoked', data: { ...data, command_id, revoked_by: actor, at } })
      case 'OpenRefreshFamily':
        if (state.is !== 'absent') return refuse('CONFLICT', `token family ${data.family} exists already`)
        return accept({ type: 'RefreshFamilyOpened', data: { ...data, command_id, at } })
      case 'RotateRefreshToken':
        return rotate(state, data, meta)
      case 'RevokeRefreshFamily':
        if (state.is !== 'family' || state.revoked) return accept()
        return accept({ type: 'RefreshFamilyRevoked', data: { ...data, command_id, reason: 'revoked', at } })
      case 'RevokeAccessToken':
        if (state.is !== 'absent') return accept()
        return accept({ type: 'AccessTokenRevoked', data: { ...data, command_id, at } })
      case 'CreateClient':
        if (state.is !== 'absent') return refuse('CONFLICT', `client ${data.client_id} exists already`)
        return accept({ type: 'ClientCreated', data: { ...data, command_id, at, created_by: actor } })
      case 'DeleteClient':
        if (state.is !== 'client') return refuse('NOT_FOUND', `there is no client ${data.client_id}`)
        if (state.deleted) return refuse('CONFLICT', `client ${data.client_id} has been deleted meanwhile`)
        return accept({ type: 'ClientDeleted', data: { ...data, command_id, deleted_by: actor, at } })
    }
  },
}
