import { z } from 'zod'
import { compileTransformations, secretsOf } from '../catalog/transformations/index.ts'
import type { DatasetConfigured } from '../events/index.ts'
import { hideSecrets, keepHidden, referencesIn, requireSecrets, revealSecrets, showHidden } from '../intake/hidden.ts'
import { DomainError } from '../kernel/errors.ts'
import type { Position } from '../kernel/position.ts'
import { newId } from '../log/new-id.ts'
import { named } from './names.ts'
import type { Request } from './router.ts'

/** Each record brings its data set's policy along. */
const MOST_SOURCES = 20

const CONTRACTS = ['evolve', 'freeze', 'discard_row', 'discard_value'] as const
const POLICIES = ['last_write_wins', 'source_wins', 'keep_current', 'field_merge', 'manual'] as const

const POLICY = `expected one of ${POLICIES.join(', ')}, or {"type": "source_priority", "sources": [names, the highest first]}`
const policy = z.union(
  [
    z.enum(POLICIES),
    z.strictObject({ type: z.enum(POLICIES) }),
    z.strictObject({
      type: z.literal('source_priority'),
      sources: z.array(z.string().min(1).max(200)).min(1).max(MOST_SOURCES),
    }),
  ],
  { error: POLICY },
)

/** What may be set for a data set. A field that is not named stays as it is; null unsets it. */
export const settingsBody = z.strictObject({
  name: z.string().min(1).max(200).nullish(),
  category: z
    .string()
    .min(1)
    .max(200)
    // PostgreSQL would keep another one.
    .refine(text => !text.includes('\0'), 'it has a NUL character')
    .nullish(),
  schema: z.record(z.string(), z.unknown()).nullish(),
  schema_contract: z.enum(CONTRACTS).optional(),
  transformations: z.array(z.unknown()).nullish(),
  conflict_policy: policy.nullish(),
})

/** A data set's category. */
export const category = settingsBody.shape.category

type Body = z.infer<typeof settingsBody>
type Settings = Partial<Omit<DatasetConfigured, 'command_id' | 'by' | 'at' | 'dataset' | 'made_by'>>

function jsonOrNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value)
}

function stepsOf(set: Pick<DatasetConfigured, 'transformations'> | undefined): unknown[] {
  return set?.transformations ? JSON.parse(set.transformations) : []
}

/** A stored secret stands for itself while a list is checked. */
const ANY_SECRET = { get: () => 'a stored secret' } as unknown as ReadonlyMap<string, string>

/** Sets what a body asks for, and waits until pushes at this edge go by it. Throws VALIDATION_ERROR naming the field. */
export async function configureDataset(request: Request, dataset: string, body: Body): Promise<Position> {
  const { services, principal, exchange } = request
  const was = services.settings.view.get(dataset)
  if (body.schema) services.schemas(body.schema, 'schema')
  const set: Settings = {}
  if (body.name !== undefined)
    set.title = body.name === null || body.name === dataset ? null : named('name', body.name, '')
  if (body.category !== undefined) set.category = body.category
  if (body.schema !== undefined) set.schema = jsonOrNull(body.schema)
  if (body.schema_contract !== undefined) set.schema_contract = body.schema_contract
  if (body.conflict_policy !== undefined) set.conflict_policy = jsonOrNull(body.conflict_policy)
  const made: string[] = []
  if (body.transformations !== undefined) {
    const list = keepHidden(body.transformations ?? [], stepsOf(was), 'transformations')
    compileTransformations(revealSecrets(list, ANY_SECRET), 'transformations', services.rowLimits)
    requireSecrets(list, secretsOf(list), 'transformations')
    const hidden = await hideSecrets(list, secretsOf(list), async secret => {
      const reference = newId('sec')
      await services.secrets.put(reference, secret)
      made.push(reference)
      return reference
    })
    set.transformations = hidden.length === 0 ? null : JSON.stringify(hidden)
  }
  const by = { actor: principal.id, requestId: exchange.requestId }
  try {
    const command = { type: 'ConfigureDataset' as const, data: { dataset, set } }
    const position = await services.commands.send(`dataset/${dataset}`, command, by)
    await services.settings.reached(position)
    await services.rules.prepare()
    await removeUnused(request, was, services.settings.view.get(dataset))
    return position
  } catch (error) {
    const refused = error instanceof DomainError && error.code !== 'UNAVAILABLE'
    if (refused) for (const reference of made) await services.secrets.remove(reference)
    throw error
  }
}

async function removeUnused({ services }: Request, was?: DatasetConfigured, now?: DatasetConfigured): Promise<void> {
  const used = new Set(referencesIn(stepsOf(now)))
  for (const reference of referencesIn(stepsOf(was))) if (!used.has(reference)) await services.secrets.remove(reference)
}

type Shown = Pick<DatasetConfigured, 'schema' | 'schema_contract' | 'transformations' | 'conflict_policy'>

/** What is set for a data set, as the API shows it: secrets as "***". */
export function shownSettings(set: Shown | undefined) {
  return {
    schema: set?.schema ? JSON.parse(set.schema) : null,
    schema_contract: set?.schema_contract ?? 'discard_row',
    transformations: showHidden(stepsOf(set)),
    conflict_policy: set?.conflict_policy ? JSON.parse(set.conflict_policy) : 'last_write_wins',
  }
}
