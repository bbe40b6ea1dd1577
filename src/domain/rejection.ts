import type { RecordPushed, RejectionReplayed } from '../events/index.ts'
import { accept, type CommandMeta, type Decider, refuse } from '../kernel/decider.ts'

export type RejectionEvent =
  | { readonly type: 'RejectionReplayed'; readonly data: RejectionReplayed }
  | { readonly type: 'RecordPushed'; readonly data: RecordPushed; readonly key: string }

/** `record` is the row as it is to go in, checked already; `key` is its key on its topic. */
export interface RejectionCommand {
  readonly type: 'ReplayRejection'
  readonly data: {
    readonly rejection_id: string
    readonly mended: boolean
    readonly record: RecordPushed
    readonly key: string
  }
}

/** Whether a refused row has gone in after all: once, whoever asks how often. */
export interface RejectionState {
  readonly replayed: boolean
}

/**
 * The record and the note that its row was replayed are decided together: neither is ever there without the other. The
 * record comes first, so that the place of the note includes it.
 */
export const rejectionDecider: Decider<RejectionState, RejectionCommand & { meta: CommandMeta }, RejectionEvent> = {
  initial: { replayed: false },

  evolve: (state, { type }) => (type === 'RejectionReplayed' ? { replayed: true } : state),

  decide(state, { data: { rejection_id, mended, record, key }, meta }) {
    if (state.replayed) return refuse('CONFLICT', `${rejection_id} was replayed already`)
    const { command_id, actor: by, at } = meta
    const { dataset, id: record_id } = record
    return accept<RejectionEvent>(
      { type: 'RecordPushed', data: record, key },
      { type: 'RejectionReplayed', data: { command_id, rejection_id, dataset, record_id, mended, by, at } },
    )
  },
}
