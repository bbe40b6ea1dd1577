import type { ConflictDetected, ConflictReopened, ConflictResolved, RecordPushed } from '../events/index.ts'
import { accept, type CommandMeta, type Decider, refuse } from '../kernel/decider.ts'
import type { Resolution } from './conflict.ts'

export type ConflictEvent =
  | { readonly type: 'ConflictDetected'; readonly data: ConflictDetected }
  | { readonly type: 'ConflictResolved'; readonly data: ConflictResolved }
  | { readonly type: 'ConflictReopened'; readonly data: ConflictReopened }
  | { readonly type: 'RecordPushed'; readonly data: RecordPushed; readonly key: string }

type Status = 'open' | 'resolved'

/** A conflict as whoever asks has read it: `born` is how its policy left it, which never changes. */
interface Asked {
  readonly conflict_id: string
  readonly born: Status
}

export type ConflictCommand =
  | {
      readonly type: 'ResolveConflict'
      readonly data: Asked & {
        readonly resolution: Resolution
        /** The record as it is to be then, where it is to be written; keeping the current side, as that was when it was found. */
        readonly record: RecordPushed
        /** Its key on its topic. */
        readonly key: string
      }
    }
  | { readonly type: 'ReopenConflict'; readonly data: Asked }

/** What people made of a conflict; undefined while it is as its policy left it. */
export type ConflictState = { readonly status: Status; readonly reopened: boolean } | undefined

type Command = ConflictCommand & { meta: CommandMeta }

function refused({ conflict_id }: Asked, status: Status, verb: 'resolved' | 'reopened') {
  return refuse<ConflictEvent>('CONFLICT', `conflict ${conflict_id} is ${status}, so it cannot be ${verb}`)
}

/**
 * The decision and the record that carries it out are decided together: neither is ever there without the other. The
 * record comes first, so that the place of the decision includes it.
 */
export const conflictDecider: Decider<ConflictState, Command, ConflictEvent> = {
  initial: undefined,

  evolve(state, { type }) {
    if (type === 'ConflictResolved') return { status: 'resolved', reopened: state?.reopened ?? false }
    return type === 'ConflictReopened' ? { status: 'open', reopened: true } : state
  },

  decide(state, { type, data, meta: { command_id, actor: by, at } }) {
    const status = state?.status ?? data.born
    const decision = { command_id, conflict_id: data.conflict_id, by, at }
    switch (type) {
      case 'ReopenConflict':
        if (status === 'open') return refused(data, status, 'reopened')
        return accept({ type: 'ConflictReopened', data: decision })
      case 'ResolveConflict': {
        if (status === 'resolved') return refused(data, status, 'resolved')
        const { resolution, record, key } = data
        // The current side is there still, unless it was decided against before.
        const write = resolution !== 'keep_current' || (state?.reopened ?? false)
        const policy = record.conflict?.policy ?? null
        const conflict = { policy, resolves: data.conflict_id, resolution, write }
        return accept<ConflictEvent>(
          { type: 'RecordPushed', data: { ...record, conflict }, key },
          { type: 'ConflictResolved', data: { ...decision, resolution } },
        )
      }
    }
  },
}
