import { encodePosition } from '../../kernel/position.ts'
import { check } from '../body.ts'
import { configureDataset, settingsBody } from '../dataset-settings.ts'
import { nameOf } from '../datasets.ts'
import { reach } from '../reach.ts'
import { camelName } from './connections.ts'
import type { Context } from './context.ts'
import { JsonText } from './json.ts'
import { renamed } from './moments.ts'

export const datasetMutationTypes = `
  extend type Mutation {
    """Sets what is named for a data set, before its first record or later; null unsets it."""
    configureDataset("Its id, name or title." dataset: String!, "What is set." settings: DatasetSettings!): Dataset
  }
  """What may be set for a data set: what is not named stays as it is."""
  input DatasetSettings {
    """What it is called."""
    name: String
    """What it is put under."""
    category: String
    """The JSON Schema that its rows are held against."""
    schema: JSON
    """What is done with rows that the schema does not fit: evolve, freeze, discard_row or discard_value."""
    schemaContract: String
    """What is done with its rows before they go in."""
    transformations: JSON
    """last_write_wins, source_wins, keep_current, field_merge, manual, or {type: \\"source_priority\\", sources: [names]}."""
    conflictPolicy: JSON
  }`

/** The names that the REST API has for settings, by those here. */
const NAMES = new Map(Object.keys(settingsBody.shape).map(name => [camelName(name), name]))

export const datasetMutations = {
  Mutation: {
    async configureDataset(
      _: unknown,
      { dataset: given, settings }: { dataset: string; settings: Record<string, unknown> },
      { asked: { request } }: Context,
    ) {
      const { services } = request
      const entries = Object.entries(settings).map(([name, value]) => {
        return [NAMES.get(name) ?? name, value instanceof JsonText ? JSON.parse(value.text) : value]
      })
      try {
        const body = check(Object.fromEntries(entries), settingsBody)
        const dataset = await nameOf(services.store, given)
        const position = await configureDataset(request, dataset, body)
        await reach(services, 'sync.datasets', position)
        return { dataset, asOf: undefined, position: encodePosition(position) }
      } catch (error) {
        throw [...NAMES].reduce<unknown>((told, [to, from]) => (to === from ? told : renamed(told, from, to)), error)
      }
    },
  },
}
