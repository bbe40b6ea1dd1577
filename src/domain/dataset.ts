import type { DatasetConfigured } from '../events/index.ts'
import { accept, type CommandMeta, type Decider, refuse } from '../kernel/decider.ts'

export interface DatasetEvent {
  readonly type: 'DatasetConfigured'
  readonly data: DatasetConfigured
}

type Settings = Omit<DatasetConfigured, 'command_id' | 'by' | 'at'>

/**
 * Changes only the settings that are named. `was`: only while the schema is this one, for a schema made from data. `fresh`:
 * only when nothing was ever set, so that of two jobs that want to make a data set of one name one gets it; or, with
 * `instead`, when it was that job's, which is gone and has made nothing.
 */
export interface DatasetCommand {
  readonly type: 'ConfigureDataset'
  readonly data: {
    readonly dataset: string
    readonly set: Partial<Omit<Settings, 'dataset'>>
    readonly was?: string | null
    readonly fresh?: boolean
    readonly instead?: string
  }
}

/** The settings of one data set; undefined until something was set. */
export type DatasetState = Settings | undefined

function unset(dataset: string): Settings {
  const nothing = { title: null, category: null, schema: null, transformations: null, conflict_policy: null }
  return { dataset, ...nothing, made_by: null, schema_contract: 'discard_row' }
}

export const datasetDecider: Decider<DatasetState, DatasetCommand & { meta: CommandMeta }, DatasetEvent> = {
  initial: undefined,

  evolve: (_state, { data: { command_id, by, at, ...settings } }) => settings,

  decide(state, { data: { dataset, set, was, fresh, instead }, meta }) {
    const isFree = !state || (instead !== undefined && state.made_by === instead)
    if (fresh && !isFree) return refuse('CONFLICT', `there is a data set ${dataset} already`)
    const now = state ?? unset(dataset)
    if (was !== undefined && was !== now.schema) {
      return refuse('CONFLICT', `the schema of data set ${dataset} has been changed meanwhile`)
    }
    const stamp = { command_id: meta.command_id, by: meta.actor, at: meta.at }
    return accept({ type: 'DatasetConfigured', data: { ...now, ...set, dataset, ...stamp } })
  },
}
