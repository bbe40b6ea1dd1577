import type { Events } from '../events/index.ts'
import { accept, type CommandMeta, type Decider, refuse } from '../kernel/decider.ts'

type RebuildEventName = 'RebuildRequested' | 'RebuildCompleted' | 'RebuildFailed'
export type RebuildEvent = { [Name in RebuildEventName]: { type: Name; data: Events[Name] } }[RebuildEventName]

type Given<Name extends RebuildEventName> = Omit<Events[Name], 'command_id' | 'by' | 'at'>

export type RebuildCommand =
  | { readonly type: 'RequestRebuild'; readonly data: Given<'RebuildRequested'> }
  | { readonly type: 'CompleteRebuild'; readonly data: Given<'RebuildCompleted'> }
  | { readonly type: 'FailRebuild'; readonly data: Given<'RebuildFailed'> }

/** The rebuild of one projection that is under way. */
export type RebuildState = { readonly id: string; readonly at: number } | undefined

/** One rebuild of a projection at a time: it ends once, whoever says so. */
export const rebuildDecider: Decider<RebuildState, RebuildCommand & { meta: CommandMeta }, RebuildEvent> = {
  initial: undefined,

  evolve: (_state, { type, data }) => (type === 'RebuildRequested' ? { id: data.rebuild_id, at: data.at } : undefined),

  decide(state, { type, data, meta: { command_id, actor: by, at } }) {
    const stamp = { command_id, by, at }
    const { projection, rebuild_id } = data
    if (type === 'RequestRebuild') {
      if (!state) return accept({ type: 'RebuildRequested', data: { ...data, ...stamp } })
      const since = new Date(state.at).toISOString()
      return refuse('CONFLICT', `a rebuild of ${projection} is under way already: ${state.id}, asked for at ${since}`)
    }
    if (state?.id !== rebuild_id)
      return refuse('CONFLICT', `the rebuild ${rebuild_id} of ${projection} is not under way`)
    if (type === 'CompleteRebuild') return accept({ type: 'RebuildCompleted', data: { ...data, ...stamp } })
    return accept({ type: 'RebuildFailed', data: { ...data, ...stamp } })
  },
}
