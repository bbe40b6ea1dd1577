import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { DatasetOf } from '../catalog/connectors/made-of.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import { encodePosition, parsePosition } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { newId } from '../log/new-id.ts'
import { datasetId, datasets as datasetsTable } from '../projections/datasets.ts'
import { jobs as jobsTable } from '../projections/jobs.ts'
import { category } from './dataset-settings.ts'
import { findDataset, originsOf } from './datasets.ts'
import { deleteJob } from './job-commands.ts'
import { endOfJob } from './job-ends.ts'
import { placeOfJob, reachJob, runOf } from './jobs.ts'
import { named } from './names.ts'
import { readPrefer } from './prefer.ts'
import { reach } from './reach.ts'
import type { Reply, Request } from './router.ts'
import type { Services } from './services.ts'

/** A data set by its id or name, as a body names it. */
export const datasetName = z.string().min(1).max(800)

const MOST_SEED = 200

/** What a request has besides, that makes a data set out of others. */
export const outputBody = {
  name: z.string().min(1).max(200).optional(),
  /** Text, or a whole number, which is the text of it. */
  seed: z.union([z.string().min(1).max(MOST_SEED), z.int()], { error: 'expected a text or a whole number' }).optional(),
  output_category: category.optional(),
}

export interface OutputAsked {
  readonly name?: string | undefined
  readonly seed?: string | number | undefined
  readonly output_category?: string | null | undefined
}

/** The data set that a field of the body names; it has records. Throws NOT_FOUND and VALIDATION_ERROR about that field. */
export async function sourceAt({ store }: Services, field: string, given: string): Promise<DatasetOf> {
  const row = await findDataset(store, given).catch(error => {
    if (!(error instanceof DomainError) || error.code !== 'NOT_FOUND') throw error
    throw about('NOT_FOUND', field, error.message)
  })
  const source = { id: row.id as string, name: row.name as string }
  if ((await originsOf(store, source.name)).records === 0) throw invalid(field, `data set ${given} has no records`)
  return source
}

function about(code: 'NOT_FOUND' | 'CONFLICT', field: string, message: string): DomainError {
  return new DomainError(code, `${field}: ${message}`, { details: [{ field, message }] })
}

/** A job that makes a data set, before it is made. */
export interface MadeJob {
  readonly type: 'dilution' | 'augmentation'
  /** Its connector's configuration, for the output and with the seed. */
  config(output: DatasetOf, seed: string): object
  /** What the output is called when nobody says: this, and something that makes it new. */
  readonly called: string
}

/**
 * Makes the data set's name its job's own, starts the job, and answers when it has ended; or with 202 before, when the caller
 * would rather, or has waited long. Throws CONFLICT when there is a data set of that name, and what the job failed with.
 */
export async function makeDataset(request: Request, asked: OutputAsked, job: MadeJob): Promise<Reply> {
  const { services, principal, exchange } = request
  const { respondAsync, wait } = readPrefer(exchange)
  const { config, commands, store } = services
  const count = await store.count({ table: jobsTable, equal: { deleted: 0 } })
  if (count >= config.jobs) throw new DomainError('CONFLICT', `there are ${config.jobs} jobs, the limit`)
  const job_id = newId('job')
  const { instead, ...output } = await newDataset(request, asked.name, `${job.called} ${job_id.slice(-8)}`)
  const seed = String(asked.seed ?? randomBytes(6).toString('hex'))
  const by = { actor: principal.id, requestId: exchange.requestId }
  const set = { category: asked.output_category ?? null, made_by: job_id }
  const configure = { type: 'ConfigureDataset' as const, data: { dataset: output.name, set, fresh: true, ...instead } }
  const claimed = await commands.send(`dataset/${output.name}`, configure, by).catch(error => {
    if (!(error instanceof DomainError) || error.code !== 'CONFLICT') throw error
    throw taken(output.name)
  })
  const target = { dataset: output.name, source: job.type, upsert: true, validate: false, transform: false }
  const settings = {
    connector: { type: job.type, config: job.config(output, seed) },
    schedule: { type: 'manual' },
    target,
  }
  const queue = { run_id: newId('run'), trigger: 'manual' }
  const data = { job_id, name: output.name, connector_type: job.type, config: JSON.stringify(settings), queue }
  const position = await commands.send(`job/${job_id}`, { type: 'CreateJob', data }, by)
  await Promise.all([reachJob(services, position), reach(services, 'sync.datasets', claimed)])
  const seconds = respondAsync ? 0 : Math.min(wait ?? Number.POSITIVE_INFINITY, config.datasetWaitSeconds)
  const row = await endOfJob(request, job_id, seconds * 1000)
  const headers: Record<string, string> = { Location: `/v1/sync/jobs/${job_id}` }
  if (respondAsync) headers['Preference-Applied'] = 'respond-async'
  if (row?.status === 'completed') return { status: 200, headers, body: await answerOf(services, row) }
  const shown = { job_id, status: row?.status ?? 'pending', output_dataset_id: output.id, seed }
  return { status: 202, headers, body: { ...shown, position: encodePosition(position) } }
}

/** A name that no data set has; `instead` of the job that had it, when that has come to nothing. */
async function newDataset(
  request: Request,
  given: string | undefined,
  made: string,
): Promise<DatasetOf & { instead?: { instead: string } }> {
  const { store } = request.services
  const name = named('name', given, made)
  if (name.startsWith('ds_')) throw invalid('name', 'ds_ is what ids begin with')
  const there = await findDataset(store, name).catch(error => {
    if (!(error instanceof DomainError) || error.code !== 'NOT_FOUND') throw error
    return undefined
  })
  const output = { id: datasetId(name), name }
  if (!there) return output
  const job = there.name === name ? await cameToNothing(request.services, name) : undefined
  if (!job) throw taken(name)
  // From here on nobody can start it again; who has started it, or asked for the name, at this moment has it.
  if (job.deleted === 0) {
    await deleteJob(request, job.id as string, false).catch(error => {
      if (error instanceof DomainError && error.code === 'CONFLICT') throw taken(name)
      if (!(error instanceof DomainError) || error.code !== 'NOT_FOUND') throw error
    })
  }
  return { ...output, instead: { instead: job.id as string } }
}

/** The job that was to make a data set and never made a record: what was asked of it cannot be, or it was deleted. */
async function cameToNothing(services: Services, name: string): Promise<Row | undefined> {
  const { store, settings } = services
  await settings.caughtUp()
  const maker = settings.view.get(name)?.made_by
  const [job] = maker ? await store.load(jobsTable, [[maker]]) : []
  const error = job && runOf(job)?.error
  if (!job || (job.deleted === 0 && !(error && JSON.parse(error).code === 'VALIDATION_ERROR'))) return undefined
  await reach(services, 'sync.records', parsePosition(await placeOfJob(services, job), 'position'))
  const [row] = await store.load(datasetsTable, [[name]])
  return row ? undefined : job
}

function taken(name: string): DomainError {
  return about('CONFLICT', 'name', `there is a data set ${name} already`)
}

/** A job that has completed as the answer to whoever asked for it. */
async function answerOf(services: Services, row: Row): Promise<object> {
  const position = await placeOfJob(services, row)
  // Whoever asks next sees the rows.
  await reach(services, 'sync.records', parsePosition(position, 'position'))
  return { ...JSON.parse(runOf(row)!.result!), job_id: row.id, position }
}
