import { joinSchemas } from '../domain/schema.ts'
import type { DatasetConfigured } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import type { Commands } from '../log/commands.ts'
import type { FollowedView } from '../log/view.ts'
import type { Growth } from './rules.ts'

/** Keeps the schema that rows have made of a data set's; durable when it resolves. */
export type Grow = (dataset: string, growth: Growth, by: By) => Promise<void>
type By = Parameters<Commands['send']>[2]

const TRIES = 10

/**
 * A schema is only ever replaced by what grew from it: when another push was faster, both growths are joined and tried
 * again.
 */
export function createGrow(
  settings: FollowedView & { readonly view: ReadonlyMap<string, DatasetConfigured> },
  commands: Commands,
): Grow {
  return async (dataset, { schema, was }, by) => {
    let [next, before] = [schema, was]
    for (let tries = 1; ; tries++) {
      const set = { schema: JSON.stringify(next) }
      const command = { type: 'ConfigureDataset' as const, data: { dataset, set, was: before } }
      try {
        await settings.reached(await commands.send(`dataset/${dataset}`, command, by))
        return
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'CONFLICT' || tries === TRIES) throw error
      }
      await settings.caughtUp()
      const now = settings.view.get(dataset)
      // Somebody has taken its growing away meanwhile: then nothing is to be kept.
      if (now?.schema_contract !== 'evolve') return
      before = now.schema
      next = before === null ? schema : joinSchemas(JSON.parse(before), schema)
    }
  }
}
