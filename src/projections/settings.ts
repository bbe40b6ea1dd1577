import type { DatasetConfigured, Events } from '../events/index.ts'
import { hasHad, type Projection, storable, versioned } from '../kernel/projection.ts'

/** What was set for each data set, by its name; JSON texts as they were set. */
export const settings = versioned({
  name: 'dataset_settings',
  columns: {
    dataset: 'text',
    title: 'text',
    category: 'text',
    schema: 'text',
    schema_contract: 'text',
    transformations: 'text',
    conflict_policy: 'text',
    /** The job that makes the data set out of others, if one does. */
    made_by: 'text',
    updated_at: 'integer',
    stream: 'text',
    offset: 'integer',
  },
  key: ['dataset'],
})

export const settingsProjection: Projection<DatasetConfigured> = {
  name: 'settings',
  version: 2,
  topics: ['sync.datasets'],
  tables: [settings, settings.versions],
  wants: ({ key }, want) => want(settings, key.slice(key.indexOf('/') + 1)),
  evolve(rows, { command_id, by, at, ...set }, { stream, offset }) {
    if (hasHad(rows.get(settings, set.dataset), { stream, offset })) return
    const [title, category] = [storable(set.title), storable(set.category)]
    rows.put(settings, set.dataset, { ...set, title, category, updated_at: at, stream, offset })
  },
}

/** What was set for data sets, by name, folded from `sync.datasets`: every push asks it. */
export type SettingsView = Map<string, DatasetConfigured>

/** Takes an event into the view; events of other nouns change nothing. */
export function evolveSettings(view: SettingsView, type: keyof Events, event: Events[keyof Events]): void {
  if (type === 'DatasetConfigured') view.set((event as DatasetConfigured).dataset, event as DatasetConfigured)
}
