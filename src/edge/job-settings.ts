import { z } from 'zod'
import type { Connector } from '../catalog/connectors/connector.ts'
import { connectors } from '../catalog/connectors/index.ts'
import { datasetDestination } from '../catalog/destinations/dataset.ts'
import type { Destination } from '../catalog/destinations/destination.ts'
import { destinations, isOutside } from '../catalog/destinations/index.ts'
import { checkSchedule } from '../catalog/schedules/index.ts'
import type { SecretPath } from '../catalog/secrets.ts'
import { compileTransformations, secretsOf } from '../catalog/transformations/index.ts'
import { keepHidden, referencesIn, requireSecrets, revealSecrets } from '../intake/hidden.ts'
import { withoutPassword } from '../kernel/address.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import type { JobConfig } from '../workers/jobs-held.ts'
import { check } from './body.ts'
import { named } from './names.ts'
import type { Services } from './services.ts'

/** A job as its maker gives it; what is inside its parts each of them checks for itself. */
export const jobBody = z.strictObject({
  name: z.string().min(1).max(200),
  connector: z.strictObject({ type: z.string(), config: z.record(z.string(), z.unknown()).default({}) }),
  schedule: z.record(z.string(), z.unknown()).default({ type: 'manual' }),
  transformations: z.array(z.unknown()).default([]),
  destination: z.looseObject({ type: z.string() }).optional(),
})

export type JobBody = z.infer<typeof jobBody>

/** A job's settings that have been checked: as they are kept but for their secrets, which are still in them. */
export interface CheckedJob {
  readonly connector: Connector
  /** The settings as `hideSecrets` takes them, with the references that "***" kept. */
  readonly kept: Omit<JobConfig, 'target'>
  readonly target: JobConfig['target']
  readonly secretPaths: readonly SecretPath[]
  /** With every secret in its place. */
  readonly revealed: Omit<JobConfig, 'target'>
  /** As the connector's schema gives it. */
  readonly config: unknown
  /** Whether rows land elsewhere than before: what is written there later is not what was written elsewhere. */
  readonly elsewhere: boolean
  /** Where rows land outside, with its configuration as its schema gives it. */
  readonly sink: { readonly destination: Destination; readonly config: unknown } | undefined
}

/**
 * Checks all that a job is made of. `was` is the configuration that it replaces. Throws a VALIDATION_ERROR with a detail
 * for each fault of the first part that is wrong.
 */
export async function checkJob(services: Services, body: JobBody, was: JobConfig | undefined): Promise<CheckedJob> {
  const name = named('name', body.name, '')
  const connector = connectorFor(body.connector.type)
  if (was && was.connector.type !== connector.type) {
    throw invalid(
      'connector.type',
      `this job is of type ${was.connector.type}, and goes on from its state: make another job`,
    )
  }
  const { connector: source, transformations } = body
  const schedule = checkSchedule(body.schedule, 'schedule', Date.now(), was?.schedule)
  const destination = body.destination ?? { type: 'database', table: tableOf(name) }
  const kept = keepHidden({ connector: source, schedule, transformations, destination }, was, 'body')
  const revealed = revealSecrets(kept, await readSecrets(services, referencesIn(kept)))
  const config = check(revealed.connector.config, connector.config as z.ZodType<unknown>, 'connector.config')
  compileTransformations(revealed.transformations, 'transformations', services.rowLimits)
  const { target, secrets, sink } = checkDestination(revealed.destination)
  requireWhole(connector, config, revealed.destination)
  const there = secrets.map(path => ['destination', ...path])
  const steps = secretsOf(revealed.transformations).map(path => ['transformations', ...path])
  const own = (connector.secrets?.(revealed.connector.config) ?? []).map(path => ['connector', 'config', ...path])
  const secretPaths = [...own, ...steps, ...there]
  requireSecrets(kept, secretPaths)
  const before = was && (await revealAll(services, was))
  if (was) requireSameServers(connector, config, kept, was, before!)
  return {
    ...{ connector, kept, revealed, config, sink },
    elsewhere: before !== undefined && placeOf(before.destination) !== placeOf(revealed.destination),
    secretPaths,
    target: {
      ...target,
      dataset: named('destination.table', target.dataset, ''),
      source: name,
      validate: true,
      transform: true,
    },
  }
}

/** Where a destination is, whoever asks there and with whatever password. */
function placeOf(destination: unknown): string {
  const { type, url, table, topic } = (destination ?? {}) as Record<string, unknown>
  return JSON.stringify([type, typeof url === 'string' ? withoutPassword(url) : null, table, topic])
}

function connectorFor(type: string): Connector {
  const found = connectors.find(each => each.type === type)
  if (found?.madeBy) throw invalid('connector.type', `jobs of type ${type} are made by ${found.madeBy}`)
  if (found) return found
  throw invalid(
    'connector.type',
    unknown(
      type,
      connectors.filter(({ madeBy }) => madeBy === undefined),
    ),
  )
}

async function revealAll(services: Services, was: JobConfig): Promise<JobConfig> {
  return revealSecrets(was, await readSecrets(services, referencesIn(was)))
}

/** Stored secrets go where they were meant to go: for another server they must be given again. */
function requireSameServers(
  connector: Connector,
  config: unknown,
  kept: CheckedJob['kept'],
  was: JobConfig,
  revealed: JobConfig,
): void {
  if (!connector.servers || referencesIn(kept.connector).length === 0) return
  const before = connector.config.safeParse(revealed.connector.config)
  const servers = (each: unknown) => connector.servers!(each as never).join(', ')
  const now = servers(config)
  if (before.success && servers(before.data) === now) return
  const known = before.success ? servers(before.data) : was.connector.type
  throw invalid('connector.config', `its stored secrets were given for ${known}: for ${now} give them again`)
}

async function readSecrets({ secrets }: Services, references: readonly string[]): Promise<Map<string, string>> {
  const known = new Map<string, string>()
  for (const reference of references) {
    const secret = await secrets.get(reference)
    if (secret !== undefined) known.set(reference, secret)
  }
  return known
}

function unknown(type: unknown, known: readonly { readonly type: string }[]): string {
  return `"${String(type).slice(0, 60)}" is none of ${known.map(each => each.type).join(', ')}`
}

/** What becomes of a job's rows, and where in its destination there are secrets. */
function checkDestination(destination: { readonly type: string; readonly [field: string]: unknown }): {
  target: { dataset: string; upsert: boolean; key_columns?: readonly string[] }
  secrets: readonly SecretPath[]
  sink: CheckedJob['sink']
} {
  const { type } = destination
  if (!isOutside(destination)) {
    const { table, mode, key_columns } = check(
      destination,
      datasetDestination as z.ZodType<z.infer<typeof datasetDestination>>,
      'destination',
    )
    const keys = mode === 'append' || key_columns === undefined ? {} : { key_columns }
    return { target: { dataset: table, upsert: mode !== 'insert_only', ...keys }, secrets: [], sink: undefined }
  }
  const found = destinations.find(each => each.type === type)
  if (!found) throw invalid('destination.type', unknown(type, destinations))
  const config = check(destination, found.config as z.ZodType<Record<string, unknown>>, 'destination')
  const { table, topic, mode, key_columns } = config as { [name: string]: unknown }
  const keys = mode === 'append' || key_columns === undefined ? {} : { key_columns: key_columns as string[] }
  return {
    target: { dataset: String(table ?? topic), upsert: true, ...keys },
    secrets: found.secrets?.(destination) ?? [],
    sink: { destination: found, config },
  }
}

/** Throws for what only a run that brings everything can do. */
function requireWhole(connector: Connector, config: unknown, { mode, on_delete }: Record<string, unknown>): void {
  if (connector.whole?.(config as never) ?? true) return
  const why = 'needs a source that brings everything in each run, and this one brings what is new'
  if (mode === 'replace') throw invalid('destination.mode', `replace ${why}`)
  if (on_delete === 'soft' || on_delete === 'hard') throw invalid('destination.on_delete', `${on_delete} ${why}`)
}

/** A table's name from that of a job. */
function tableOf(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '_')
      .replace(/^_+|_+$/g, '') || 'rows'
  )
}

/** Throws a VALIDATION_ERROR for a source or destination at an address that may not be connected to. */
export async function checkAddresses(
  { guard, config: { kafkaBrokers: brokers, sqliteFolders: allowed, dataDir: own } }: Services,
  { connector, config, sink }: CheckedJob,
): Promise<void> {
  const folders = { allowed, own }
  const under = async (field: string, check: Promise<void> | undefined) => {
    await check?.catch(error => {
      if (!(error instanceof DomainError)) throw error
      const [{ field: within, message } = { field: '', message: error.message }] = error.details
      throw invalid(within.startsWith(field) ? within : `${field}.${within}`, message)
    })
  }
  await under('connector.config', connector.check?.(config as never, { guard }))
  await under('destination', sink?.destination.check?.(sink.config as never, { guard, brokers, folders }))
}
