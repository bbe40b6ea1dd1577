import type { DatasetConfigured } from '../events/index.ts'
import type { Projection, Table } from '../kernel/projection.ts'

/** What was set for each data set, by its name; JSON texts as they were set. */
export const settings: Table = {
  name: 'dataset_settings',
  columns: {
    dataset: 'text',
    title: 'text',
    category: 'text',
    schema: 'text',
    schema_contract: 'text',
    transformations: 'text',
    conflict_policy: 'text',
    updated_at: 'integer',
    stream: 'text',
    offset: 'integer',
  },
  key: ['dataset'],
}

export const settingsProjection: Projection<DatasetConfigured, never> = {
  name: 'settings',
  topics: ['sync.datasets'],
  tables: [settings],
  wants: ({ key }, want) => want(settings, key.slice(key.indexOf('/') + 1)),
  evolve(rows, { command_id, by, at, ...set }, { stream, offset }) {
    rows.put(settings, set.dataset, { ...set, updated_at: at, stream, offset })
    return undefined
  },
}
