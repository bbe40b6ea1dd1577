import type { RecordChanged, RecordPushed } from '../events/index.ts'
import { laterOf } from '../kernel/instant.ts'
import { basisText, deltasAfter, statedAt } from './basis.ts'
import { type Conflict, findConflict } from './conflict.ts'
import { changedFields, createdFields, deletedFields, removedFields } from './diff.ts'
import { readPolicy } from './policy.ts'

/** A record as it stands. A removed one stays as a mark, so that its versions go on from where they were. */
export interface RecordState {
  /** JSON text; null once removed. */
  readonly data: string | null
  readonly version: number
  /** What it has to know about itself for conflicts to come: a Basis as text. */
  readonly basis: string | null
}

export type Push = Pick<RecordPushed, 'op' | 'data' | 'upsert' | 'version' | 'updated_at' | 'source' | 'conflict'>

/** What a pushed record does to the one that is there. */
export interface RecordEffect {
  readonly state: RecordState
  readonly operation: RecordChanged['operation']
  /** Works out, as JSON text, the old and new value of each field that differs. */
  readonly changes: () => string
  /** Of an update: fields that the record does not have any more. */
  readonly removed: readonly string[]
  /** Found on the way, and decided as far as its policy could. */
  readonly conflict: Conflict | undefined
}

const NOTHING: readonly string[] = []

/** A conflict that leaves the record as it is. */
export interface RecordKept {
  readonly state: undefined
  readonly conflict: Conflict
}

/**
 * Merges a pushed record into the one that is there; undefined when nothing changes. The last arrival wins, unless it
 * says that it was made from something earlier than what is there, or must not overwrite: then the policy that it
 * brings decides, and both sides are in the conflict.
 */
export function mergeRecord(current: RecordState | undefined, push: Push): RecordEffect | RecordKept | undefined {
  if (push.conflict?.write === false) return undefined
  const conflict = current && findConflict(current, push)
  if (conflict) return become(current, push, conflict.data, conflict) ?? { state: undefined, conflict }
  if (push.op === 'delete') return become(current, push, null, undefined)
  return become(current, push, push.data, undefined)
}

/** What it takes for a record to hold `data` from now on; undefined when it does already. */
function become(
  current: RecordState | undefined,
  push: Push,
  data: string | null,
  conflict: Conflict | undefined,
): RecordEffect | undefined {
  const before = current?.data ?? null
  let operation: RecordChanged['operation'] = 'update'
  let changes: () => string
  let updated: string | undefined
  if (data === null) {
    if (before === null) return undefined
    operation = 'delete'
    changes = () => deletedFields(before)
  } else if (before === null) {
    operation = 'create'
    changes = () => createdFields(data)
  } else {
    const found = changedFields(before, data)
    if (found === undefined) return undefined
    updated = found
    changes = () => found
  }
  const version = (current?.version ?? 0) + 1
  const basis = push.conflict === null ? null : basisOf(current, push, push.conflict.policy, updated, conflict)
  // A field that is gone has the new value null, as one may that is there.
  const mayLack = updated?.includes('"new":null}')
  const removed = mayLack ? removedFields(before!, data!) : NOTHING
  return { state: { data, version, basis }, operation, changes, removed, conflict }
}

/** The basis of a row that a push has written; `changes` those of an update. */
function basisOf(
  current: RecordState | undefined,
  push: Push,
  policyText: string | null,
  changes: string | undefined,
  conflict: Conflict | undefined,
): string | null {
  const policy = readPolicy(policyText)
  const mixed = conflict !== undefined && conflict.policy === 'field_merge'
  const updatedAt = mixed ? laterOf(statedAt(current!.basis), push.updated_at) : push.updated_at
  // Who says when or what it was made from may conflict, and the policy may be set later than the row is written.
  const says = push.updated_at !== null || push.version !== null
  const source = says || policy.type === 'source_priority' ? push.source : null
  const remembers = policy.type === 'field_merge' && changes !== undefined
  const deltas = remembers ? deltasAfter(current!.basis, current!.version + 1, current!.data!, changes) : []
  return basisText({ updatedAt, source, deltas })
}
