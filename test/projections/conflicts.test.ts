import { describe, expect, it } from 'vitest'
import { conflicts, conflictsProjection } from '../../src/projections/conflicts.ts'
import { foldedTables, type Sourced } from '../kit/fold.ts'
import { randomConflicts } from '../kit/made-conflicts.ts'
import { property } from '../kit/random.ts'

const FOUND = {
  ...{ conflict_id: 'conf_1', dataset: 'orders', record_id: 'r', conflict_type: 'version', policy: 'source_wins' },
  ...{ resolution: 'accept_incoming', current: '{"a":1}', current_version: 2, current_updated_at: null },
  ...{ current_source: null, incoming: null, incoming_version: 1, incoming_updated_at: null, fields: ['a'] },
  ...{ source: 'till', request_id: 'req_1', job_id: null, source_stream: 'sync.records-1', source_offset: 9 },
  detected_at: 5,
}
const place = { stream: 'sync.conflicts-0', key: 'conflict/conf_1' }
const found: Sourced = { type: 'ConflictDetected', event: FOUND, source: { ...place, offset: 10 } }
const stamp = { command_id: 'cmd_1', conflict_id: 'conf_1', by: 'cli_1' }
const reopened = (offset: number): Sourced => {
  return { type: 'ConflictReopened', event: { ...stamp, at: offset }, source: { ...place, offset } }
}
const resolved = (resolution: string, offset: number): Sourced => {
  const event = { ...stamp, resolution, at: offset }
  return { type: 'ConflictResolved', event, source: { ...place, offset } }
}

function rowAfter(...events: Sourced[]) {
  const tables = foldedTables(conflictsProjection)
  tables.fold(events)
  expect(tables.rows(conflicts)).toHaveLength(1)
  return tables.rows(conflicts)[0]!
}

describe('a conflict’s row', () => {
  it('has both sides, and how the policy decided', () => {
    expect(rowAfter(found)).toMatchObject({
      ...{ id: 'conf_1', type: 'version', status: 'resolved', resolution: 'accept_incoming' },
      ...{ policy_resolution: 'accept_incoming', current: '{"a":1}', incoming: null, fields: '["a"]' },
      ...{ record_stream: 'sync.records-1', record_offset: 9, resolved_by: null, resolved_at: 5 },
      ...{ stream: 'sync.conflicts-0', offset: 10 },
    })
    const open = { ...found, event: { ...FOUND, resolution: null } }
    expect(rowAfter(open)).toMatchObject({ status: 'open', resolution: null, resolved_at: null })
  })

  it('follows what people decide, and keeps what the policy did', () => {
    const undecided = { status: 'open', resolution: null, resolved_by: null, resolved_at: null }
    expect(rowAfter(found, reopened(11))).toMatchObject({ ...undecided, reopened_by: 'cli_1', reopened_at: 11 })
    expect(rowAfter(found, reopened(11), resolved('merge', 12))).toMatchObject({
      ...{ status: 'resolved', resolution: 'merge', policy_resolution: 'accept_incoming' },
      ...{ resolved_by: 'cli_1', resolved_at: 12, current: '{"a":1}' },
    })
  })

  it('does not go back when an event comes again, nor appear by a decision alone', () => {
    const now = rowAfter(found, reopened(11), resolved('merge', 12))
    expect(rowAfter(found, reopened(11), resolved('merge', 12), found, reopened(11))).toEqual(now)
    const tables = foldedTables(conflictsProjection)
    tables.fold([resolved('merge', 12)])
    expect(tables.rows(conflicts)).toEqual([])
  })

  it('is open or resolved, as its last event says', () =>
    property(100, random => {
      const events = randomConflicts(random, 60)
      const tables = foldedTables(conflictsProjection)
      tables.fold(events)
      const last = new Map(events.map(each => [each.source.key, each]))
      for (const row of tables.rows(conflicts)) {
        const { type, event } = last.get(`conflict/${row.id}`)!
        const { resolution = null } = type === 'ConflictReopened' ? {} : (event as { resolution: string | null })
        expect([row.status, row.resolution]).toEqual([resolution === null ? 'open' : 'resolved', resolution])
      }
    }))
})
