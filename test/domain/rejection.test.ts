import { expect, it } from 'vitest'
import { findRules } from '../../src/domain/deciders.ts'
import { rejectionDecider } from '../../src/domain/rejection.ts'
import type { RecordPushed } from '../../src/events/index.ts'
import { specification } from '../kit/given.ts'

const given = specification(rejectionDecider)

const record: RecordPushed = {
  ...{ dataset: 'orders', id: 'r1', op: 'upsert', data: '{"n":9007199254740993}', version: null, updated_at: null },
  ...{
    upsert: true,
    source: 'till',
    actor: 'cli_1',
    request_id: 'req_1',
    line: 3,
    received_at: 5,
    job_id: null,
    conflict: null,
    origin: null,
    keeps_rules: null,
  },
}
const replay = {
  type: 'ReplayRejection' as const,
  data: { rejection_id: 'rej_1', mended: true, record, key: 'orders\0r1' },
  meta: { command_id: 'cmd_1', actor: 'cli_2', request_id: 'req_2', at: 7 },
}
const replayed = {
  type: 'RejectionReplayed' as const,
  data: {
    ...{ command_id: 'cmd_1', rejection_id: 'rej_1', dataset: 'orders', record_id: 'r1' },
    ...{ mended: true, by: 'cli_2', at: 7 },
  },
}
const pushed = { type: 'RecordPushed' as const, data: record, key: 'orders\0r1' }

it('a refused row that is sent again goes in, under its own key, together with the note that it was', () => {
  given().when(replay).then(pushed, replayed)
})

it('goes in once, mended or not, whoever asks', () => {
  const again = { ...replay, data: { ...replay.data, mended: false }, meta: { ...replay.meta, actor: 'cli_3' } }
  given(replayed).when(again).thenRefused('CONFLICT')
  given(replayed, replayed).when(again).thenRefused('CONFLICT')
})

it('is decided by the rules of its noun; a noun that nobody decides has none', () => {
  expect(findRules('rejection/rej_1')?.topic).toBe('sync.replays')
  expect(findRules('job/job_1')?.topic).toBe('sync.jobs')
  for (const unknown of ['', '/', 'rejection', 'toString/x', '__proto__/x', 'Job/x', 'thing/x']) {
    expect(findRules(unknown)).toBeUndefined()
  }
})
