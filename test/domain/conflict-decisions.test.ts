import { describe, expect, it } from 'vitest'
import { type ConflictCommand, conflictDecider } from '../../src/domain/conflict-decisions.ts'
import { findRules } from '../../src/domain/deciders.ts'
import type { ConflictDetected, RecordPushed } from '../../src/events/index.ts'
import { specification } from '../kit/given.ts'
import { property } from '../kit/random.ts'

const given = specification(conflictDecider)

const meta = { command_id: 'cmd_1', actor: 'cli_1', request_id: 'req_1', at: 7 }
const policy = '"field_merge"'
const record: RecordPushed = {
  ...{ dataset: 'orders', id: 'r1', op: 'upsert', data: '{"n":9007199254740993}', version: null, updated_at: null },
  ...{ upsert: true, source: 'till', actor: 'cli_1', request_id: 'req_1', line: 0, received_at: 5, job_id: null },
  conflict: { policy, resolves: null, resolution: null, write: true },
  origin: null,
  keeps_rules: null,
}
const key = 'orders\0r1'
type Born = 'open' | 'resolved'
type Resolution = 'accept_incoming' | 'keep_current' | 'merge'

const resolve = (resolution: Resolution, born: Born = 'open'): ConflictCommand & { meta: typeof meta } => ({
  type: 'ResolveConflict',
  data: { conflict_id: 'conf_1', born, resolution, record, key },
  meta,
})
const reopen = (born: Born = 'open'): ConflictCommand & { meta: typeof meta } => ({
  type: 'ReopenConflict',
  data: { conflict_id: 'conf_1', born },
  meta,
})
const stamp = { command_id: 'cmd_1', conflict_id: 'conf_1', by: 'cli_1', at: 7 }
const resolved = (resolution: Resolution) => ({ type: 'ConflictResolved' as const, data: { ...stamp, resolution } })
const reopened = { type: 'ConflictReopened' as const, data: stamp }
const written = (resolution: Resolution, write = true) => ({
  type: 'RecordPushed' as const,
  data: { ...record, conflict: { policy, resolves: 'conf_1', resolution, write } },
  key,
})
const detected = (resolution: Resolution | null) => ({
  type: 'ConflictDetected' as const,
  data: { conflict_id: 'conf_1', resolution } as ConflictDetected,
})

describe('resolving', () => {
  it.each(['accept_incoming', 'merge'] as const)(
    'with %s writes the record, under its own key, with the decision',
    how => {
      given().when(resolve(how)).then(written(how), resolved(how))
      given(detected(null)).when(resolve(how)).then(written(how), resolved(how))
    },
  )

  it('with keep_current leaves the row as it is, and puts it back as it was once it was decided otherwise', () => {
    given().when(resolve('keep_current')).then(written('keep_current', false), resolved('keep_current'))
    const again = [written('keep_current'), resolved('keep_current')] as const
    given(resolved('accept_incoming'), reopened)
      .when(resolve('keep_current'))
      .then(...again)
    given(detected('accept_incoming'), reopened)
      .when(resolve('keep_current', 'resolved'))
      .then(...again)
    given(reopened, resolved('merge'), reopened)
      .when(resolve('keep_current', 'resolved'))
      .then(...again)
  })

  it('is for open ones', () => {
    for (const how of ['accept_incoming', 'keep_current', 'merge'] as const) {
      given().when(resolve(how, 'resolved')).thenRefused('CONFLICT')
      given(detected('keep_current')).when(resolve(how, 'resolved')).thenRefused('CONFLICT')
      given(resolved('merge')).when(resolve(how)).thenRefused('CONFLICT')
      given(reopened, resolved(how)).when(resolve(how, 'resolved')).thenRefused('CONFLICT')
    }
  })
})

describe('reopening', () => {
  it('opens one that was decided, by its policy or by somebody', () => {
    given().when(reopen('resolved')).then(reopened)
    given(resolved('merge')).when(reopen()).then(reopened)
    given(reopened, resolved('merge')).when(reopen('resolved')).then(reopened)
  })

  it('is for resolved ones', () => {
    given().when(reopen()).thenRefused('CONFLICT')
    given(detected(null)).when(reopen()).thenRefused('CONFLICT')
    given(reopened).when(reopen('resolved')).thenRefused('CONFLICT')
    given(resolved('merge'), reopened).when(reopen()).thenRefused('CONFLICT')
  })
})

it('a refusal names the state and what was asked', () => {
  const { decide, initial } = conflictDecider
  expect(decide(initial, resolve('merge', 'resolved')).refusal?.message).toMatch(
    /conf_1 is resolved.*cannot be resolved/,
  )
  expect(decide(initial, reopen()).refusal?.message).toMatch(/conf_1 is open.*cannot be reopened/)
})

it('whatever is asked in whatever order, a conflict is resolved and opened by turns', () =>
  property(100, random => {
    const born: Born = random.pick(['open', 'resolved'])
    let state = conflictDecider.initial
    let status: Born = born
    for (let n = 0; n < 30; n++) {
      const how = random.pick(['accept_incoming', 'keep_current', 'merge'] as const)
      const command = random.chance(0.6) ? resolve(how, born) : reopen(born)
      const { events, refusal } = conflictDecider.decide(state, command)
      const fits = (command.type === 'ResolveConflict') === (status === 'open')
      expect([events.length > 0, refusal?.code]).toEqual(fits ? [true, undefined] : [false, 'CONFLICT'])
      if (fits) status = status === 'open' ? 'resolved' : 'open'
      for (const event of events) if (event.type !== 'RecordPushed') state = conflictDecider.evolve(state, event)
    }
  }))

it('one that was only found is nothing to remember', () => {
  expect(conflictDecider.evolve(conflictDecider.initial, detected('merge'))).toBe(conflictDecider.initial)
  expect(findRules('conflict/conf_1')?.topic).toBe('sync.conflicts')
})
