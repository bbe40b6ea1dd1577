import { compareInstants } from '../kernel/instant.ts'
import { membersOf } from '../kernel/members.ts'
import { fieldsAt, sourceIn, statedAt } from './basis.ts'
import { changedFields, createdFields, deletedFields } from './diff.ts'
import { type Policy, readPolicy } from './policy.ts'
import type { Push, RecordState } from './record.ts'
import { mergeFields } from './three-way.ts'

export type ConflictType = 'version' | 'concurrent_field' | 'delete_update' | 'insert_insert'
export type Resolution = 'accept_incoming' | 'keep_current' | 'merge'

/** A conflict between a row and a record that was pushed, and what the policy makes of it. */
export interface Conflict {
  readonly type: ConflictType
  readonly policy: Policy['type']
  /** Null: somebody has to decide. */
  readonly resolution: Resolution | null
  /** Those that somebody has to choose for; of whole records those that differ. */
  readonly fields: readonly string[]
  /** What the row holds from now on: JSON text, null when it is removed. */
  readonly data: string | null
}

/**
 * The conflict of a pushed record with the row that is there. None for most: a record that says the same as the row, one
 * that was made from the row as it is, and one that does not say what it was made from.
 */
export function findConflict(current: RecordState, push: Push): Conflict | undefined {
  // One that says nothing, or that came before there were conflicts. And who decides one has seen both sides.
  if (push.conflict === null || push.conflict.resolves !== null) return undefined
  const { data } = current
  if (data === null) {
    const isUpsert = push.op === 'upsert' && push.upsert
    return isUpsert && isStale(current, push)
      ? decide('delete_update', createdFields(push.data), current, push)
      : undefined
  }
  if (push.op === 'delete') {
    return isStale(current, push) ? decide('delete_update', deletedFields(data), current, push) : undefined
  }
  const stale = push.upsert && isStale(current, push)
  if (push.upsert && !stale) return undefined
  const changes = changedFields(data, push.data)
  if (changes === undefined) return undefined
  return decide(stale ? 'version' : 'insert_insert', changes, current, push)
}

/** Whether a record was made from an earlier version than the row's, or before its own system had made that. */
function isStale({ version, basis }: RecordState, push: Push): boolean {
  if (push.version !== null && push.version < version) return true
  if (push.updated_at === null) return false
  const stated = statedAt(basis)
  return stated !== null && compareInstants(push.updated_at, stated) < 0
}

function decide(type: ConflictType, changes: string, current: RecordState, push: Push): Conflict {
  const policy = readPolicy(push.conflict!.policy)
  if (policy.type === 'field_merge' && type === 'version') return merge(current, push, changes)
  const resolution = type === 'insert_insert' ? keepUnlessAsked(policy) : winner(policy, current, push)
  const incoming = push.op === 'delete' ? null : push.data
  const data = resolution === 'accept_incoming' ? incoming : current.data
  return { type, policy: policy.type, resolution, fields: namesIn(changes), data }
}

function namesIn(changes: string): string[] {
  return [...membersOf(changes).keys()]
}

/** What already exists is never overwritten by who meant to make it. */
function keepUnlessAsked({ type }: Policy): Resolution | null {
  return type === 'manual' || type === 'field_merge' ? null : 'keep_current'
}

function winner(policy: Policy, current: RecordState, push: Push): Resolution | null {
  switch (policy.type) {
    case 'source_wins':
      return 'accept_incoming'
    case 'keep_current':
      return 'keep_current'
    case 'last_write_wins':
      return lastWriter(current, push)
    case 'source_priority': {
      const source = sourceIn(current.basis)
      const [theirs, ours] = [rankOf(policy.sources, push.source), rankOf(policy.sources, source)]
      // A row from before the policy may not know its source.
      if (source === null || theirs === ours) return lastWriter(current, push)
      return theirs < ours ? 'accept_incoming' : 'keep_current'
    }
    // Of a whole record there is nothing to merge.
    case 'field_merge':
    case 'manual':
      return null
  }
}

function rankOf(sources: readonly string[], source: string | null): number {
  const rank = source === null ? -1 : sources.indexOf(source)
  return rank < 0 ? sources.length : rank
}

/** Where times do not tell, versions do: the row's is above the one that the pushed record was made from. */
function lastWriter({ basis }: RecordState, { updated_at }: Push): Resolution {
  const stated = statedAt(basis)
  const isLater = updated_at !== null && stated !== null && compareInstants(updated_at, stated) > 0
  return isLater ? 'accept_incoming' : 'keep_current'
}

function merge(current: RecordState, push: Push, changes: string): Conflict {
  const row = { ...current, data: current.data! }
  const base = push.version === null ? undefined : fieldsAt(row, push.version)
  const { data, overlaps } = mergeFields(base, row.data, push.data)
  if (overlaps.length > 0) {
    return { type: 'concurrent_field', policy: 'field_merge', resolution: null, fields: overlaps, data }
  }
  return { type: 'version', policy: 'field_merge', resolution: 'merge', fields: namesIn(changes), data }
}
