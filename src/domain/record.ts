import type { RecordChanged, RecordPushed } from '../events/index.ts'
import { changedFields, createdFields, deletedFields } from './diff.ts'

/** A record as it stands. A removed one stays as a mark, so that its versions go on from where they were. */
export interface RecordState {
  /** JSON text; null once removed. */
  readonly data: string | null
  readonly version: number
}

/** What a pushed record does to the one that is there. */
export interface RecordEffect {
  readonly state: RecordState
  readonly operation: RecordChanged['operation']
  /** JSON text: old and new value of each field that differs. */
  readonly changes: string
}

/**
 * Merges a pushed record into the one that is there; undefined when nothing changes. The last arrival wins, but
 * `upsert: false` never overwrites.
 */
export function mergeRecord(
  current: RecordState | undefined,
  push: Pick<RecordPushed, 'op' | 'data' | 'upsert'>,
): RecordEffect | undefined {
  const version = (current?.version ?? 0) + 1
  const before = current?.data ?? null
  if (push.op === 'delete') {
    if (before === null) return undefined
    return { state: { data: null, version }, operation: 'delete', changes: deletedFields(before) }
  }
  const state = { data: push.data, version }
  if (before === null) return { state, operation: 'create', changes: createdFields(push.data) }
  if (!push.upsert) return undefined
  const changes = changedFields(before, push.data)
  return changes === undefined ? undefined : { state, operation: 'update', changes }
}
