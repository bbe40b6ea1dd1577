import { describe, expect, it } from 'vitest'
import { type AccessCommand, type AccessEvent, accessDecider, isOver } from '../../src/domain/access.ts'
import type { CommandMeta } from '../../src/kernel/decider.ts'
import type { ErrorCode } from '../../src/kernel/errors.ts'
import { specification } from '../kit/given.ts'

const given = specification(accessDecider)

const NOW = 1_750_000_000_000
const LATER = NOW + 60_000
const past = { command_id: 'cmd_past', at: NOW - 1000 }
const meta: CommandMeta = { command_id: 'cmd_now', actor: 'admin', request_id: 'req_now', at: NOW }
/** What every event that follows from the command carries. */
const stamp = { command_id: 'cmd_now', at: NOW }

const KEY = {
  key_id: 'key_1',
  name: 'till',
  key_hash: 'ab12',
  permissions: ['sync:write'],
  expires_at: null,
  rate_limit: 50,
}
const CLIENT = { client_id: 'cli_2', name: 'shop', secret_hash: 'cd34', scopes: ['sync:write'] }
const FAMILY = { family: 'fam_1', client_id: 'cli_1', scope: 'sync:read', expires_at: LATER }

const keyCreated: AccessEvent = { type: 'ApiKeyCreated', data: { ...KEY, ...past, created_by: 'admin' } }
const keyRevoked: AccessEvent = { type: 'ApiKeyRevoked', data: { key_id: 'key_1', revoked_by: 'admin', ...past } }
const opened: AccessEvent = { type: 'RefreshFamilyOpened', data: { ...FAMILY, ...past } }
const rotated: AccessEvent = {
  type: 'RefreshTokenRotated',
  data: { family: 'fam_1', generation: 1, expires_at: LATER + 1, ...past },
}
const familyRevoked: AccessEvent = {
  type: 'RefreshFamilyRevoked',
  data: { family: 'fam_1', reason: 'revoked', ...past },
}
const tokenRevoked: AccessEvent = {
  type: 'AccessTokenRevoked',
  data: { token_id: 'tok_1', expires_at: LATER, ...past },
}
const clientCreated: AccessEvent = { type: 'ClientCreated', data: { ...CLIENT, ...past, created_by: 'admin' } }
const clientDeleted: AccessEvent = {
  type: 'ClientDeleted',
  data: { client_id: 'cli_2', deleted_by: 'admin', ...past },
}

const STATES = {
  absent: [],
  'a live key': [keyCreated],
  'a revoked key': [keyCreated, keyRevoked],
  'a new family': [opened],
  'a rotated family': [opened, rotated],
  'a revoked family': [opened, rotated, familyRevoked],
  'a revoked token': [tokenRevoked],
  'a client': [clientCreated],
  'a deleted client': [clientCreated, clientDeleted],
} as const satisfies Record<string, readonly AccessEvent[]>

const COMMANDS = {
  CreateApiKey: { type: 'CreateApiKey', data: KEY },
  RevokeApiKey: { type: 'RevokeApiKey', data: { key_id: 'key_1' } },
  OpenRefreshFamily: { type: 'OpenRefreshFamily', data: FAMILY },
  'RotateRefreshToken 0': {
    type: 'RotateRefreshToken',
    data: { family: 'fam_1', generation: 0, expires_at: LATER + 9 },
  },
  'RotateRefreshToken 1': {
    type: 'RotateRefreshToken',
    data: { family: 'fam_1', generation: 1, expires_at: LATER + 9 },
  },
  RevokeRefreshFamily: { type: 'RevokeRefreshFamily', data: { family: 'fam_1' } },
  RevokeAccessToken: { type: 'RevokeAccessToken', data: { token_id: 'tok_1', expires_at: LATER } },
  CreateClient: { type: 'CreateClient', data: CLIENT },
  DeleteClient: { type: 'DeleteClient', data: { client_id: 'cli_2' } },
} as const satisfies Record<string, AccessCommand>

type Outcome = AccessEvent[] | [ErrorCode, ...AccessEvent[]]

const created: Outcome = [{ type: 'ApiKeyCreated', data: { ...KEY, ...stamp, created_by: 'admin' } }]
const gone: Outcome = [{ type: 'ApiKeyRevoked', data: { key_id: 'key_1', revoked_by: 'admin', ...stamp } }]
const open: Outcome = [{ type: 'RefreshFamilyOpened', data: { ...FAMILY, ...stamp } }]
const turned = (generation: number): Outcome => [
  { type: 'RefreshTokenRotated', data: { family: 'fam_1', generation, expires_at: LATER + 9, ...stamp } },
]
const ended = (reason: string): AccessEvent => ({
  type: 'RefreshFamilyRevoked',
  data: { family: 'fam_1', reason, ...stamp },
})
const dropped: Outcome = [{ type: 'AccessTokenRevoked', data: { token_id: 'tok_1', expires_at: LATER, ...stamp } }]
const nothing: Outcome = []
const newClient: Outcome = [{ type: 'ClientCreated', data: { ...CLIENT, ...stamp, created_by: 'admin' } }]
const noClient: Outcome = [{ type: 'ClientDeleted', data: { client_id: 'cli_2', deleted_by: 'admin', ...stamp } }]
const other: readonly Outcome[] = [['CONFLICT'], ['NOT_FOUND']]

/** What is no live key, family or token refuses what is asked of those; `client` is what becomes of the last two commands. */
const neither = (...client: readonly Outcome[]): readonly Outcome[] => [
  ...([['CONFLICT'], ['NOT_FOUND'], ['CONFLICT'], ['UNAUTHORIZED'], ['UNAUTHORIZED']] satisfies Outcome[]),
  ...[nothing, nothing],
  ...client,
]

/** What each command makes of each state; the columns are those of COMMANDS. */
const TABLE: Record<keyof typeof STATES, readonly Outcome[]> = {
  absent: [
    created,
    ['NOT_FOUND'],
    open,
    ['UNAUTHORIZED'],
    ['UNAUTHORIZED'],
    nothing,
    dropped,
    newClient,
    ['NOT_FOUND'],
  ],
  'a live key': [['CONFLICT'], gone, ['CONFLICT'], ['UNAUTHORIZED'], ['UNAUTHORIZED'], nothing, nothing, ...other],
  'a revoked key': [
    ['CONFLICT'],
    ['CONFLICT'],
    ['CONFLICT'],
    ['UNAUTHORIZED'],
    ['UNAUTHORIZED'],
    nothing,
    nothing,
    ...other,
  ],
  'a new family': [
    ['CONFLICT'],
    ['NOT_FOUND'],
    ['CONFLICT'],
    turned(1),
    ['UNAUTHORIZED'],
    [ended('revoked')],
    nothing,
    ...other,
  ],
  'a rotated family': [
    ['CONFLICT'],
    ['NOT_FOUND'],
    ['CONFLICT'],
    ['UNAUTHORIZED', ended('reused')],
    turned(2),
    [ended('revoked')],
    nothing,
    ...other,
  ],
  'a revoked family': neither(...other),
  'a revoked token': neither(...other),
  'a client': neither(['CONFLICT'], noClient),
  'a deleted client': neither(['CONFLICT'], ['CONFLICT']),
}

for (const [state, events] of Object.entries(STATES)) {
  describe(`given ${state}`, () => {
    for (const [n, [name, command]] of Object.entries(COMMANDS).entries()) {
      const outcome = TABLE[state as keyof typeof STATES][n]!
      const [code, ...rest] = outcome
      if (typeof code === 'string') {
        it(`${name} is refused: ${code}`, () => {
          given(...events)
            .when({ ...command, meta })
            .thenRefused(code, ...(rest as AccessEvent[]))
        })
      } else {
        it(`${name} gives ${(outcome as AccessEvent[]).map(event => event.type).join(', ') || 'nothing new'}`, () => {
          given(...events)
            .when({ ...command, meta })
            .then(...(outcome as AccessEvent[]))
        })
      }
    }
  })
}

describe('a refresh token', () => {
  const rotate = (generation: number, at: number) => ({
    type: 'RotateRefreshToken' as const,
    data: { family: 'fam_1', generation, expires_at: LATER + 9 },
    meta: { ...meta, at },
  })

  it('is good until the moment it ends', () => {
    given(opened)
      .when(rotate(0, LATER - 1))
      .then({
        type: 'RefreshTokenRotated',
        data: { family: 'fam_1', generation: 1, expires_at: LATER + 9, command_id: 'cmd_now', at: LATER - 1 },
      })
    given(opened).when(rotate(0, LATER)).thenRefused('UNAUTHORIZED')
  })

  it('ends when its last rotation says, not when the family was to end at first', () => {
    given(opened, rotated)
      .when(rotate(1, LATER))
      .then({
        type: 'RefreshTokenRotated',
        data: { family: 'fam_1', generation: 2, expires_at: LATER + 9, command_id: 'cmd_now', at: LATER },
      })
    given(opened, rotated)
      .when(rotate(1, LATER + 1))
      .thenRefused('UNAUTHORIZED')
  })

  it('that was spent ends its family even when it has expired', () => {
    given(opened, rotated)
      .when(rotate(0, LATER + 100))
      .thenRefused('UNAUTHORIZED', {
        type: 'RefreshFamilyRevoked',
        data: { family: 'fam_1', reason: 'reused', command_id: 'cmd_now', at: LATER + 100 },
      })
  })
})

describe('the past', () => {
  it('that belongs to another kind of aggregate changes nothing', () => {
    const { evolve } = accessDecider
    const key = { is: 'key', revoked: false } as const
    expect(evolve(key, rotated)).toBe(key)
    expect(evolve(key, familyRevoked)).toBe(key)
    expect(evolve({ is: 'absent' }, rotated)).toEqual({ is: 'absent' })
  })
})

describe('a state', () => {
  it('is over once what it guards has ended, and not before', () => {
    const family = accessDecider.evolve(accessDecider.initial, opened)
    const token = accessDecider.evolve(accessDecider.initial, tokenRevoked)
    for (const state of [family, token]) {
      expect(isOver(state, LATER)).toBe(false)
      expect(isOver(state, LATER + 1)).toBe(true)
    }
    expect(isOver(accessDecider.evolve(accessDecider.initial, keyCreated), Number.MAX_SAFE_INTEGER)).toBe(false)
  })
})
