import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { connectorOf } from '../../catalog/connectors/index.ts'
import { hideSecrets, referencesIn } from '../../intake/hidden.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { timeOrderedId } from '../../kernel/id.ts'
import type { Row } from '../../kernel/projection.ts'
import { jobs as jobsTable } from '../../projections/jobs.ts'
import type { JobConfig } from '../../workers/jobs-held.ts'
import { readBody } from '../body.ts'
import { type CheckedJob, checkAddresses, checkJob, type JobBody, jobBody } from '../job-settings.ts'
import { configOf, findJob, placeOfJob, reachJob, shownJobInFull } from '../jobs.ts'
import { preview as previewOf } from '../preview.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'

const TOPICS = ['sync.jobs', 'sync.logs']

function readJob({ exchange, services }: Request): Promise<JobBody> {
  return readBody(exchange, jobBody as z.ZodType<JobBody>, { limit: services.config.jobBytes })
}

/** Keeps a job's settings by the command, and its new secrets; lets go of those that it no longer has. */
async function keep(
  request: Request,
  type: 'CreateJob' | 'UpdateJob',
  id: string,
  name: string,
  { kept, secretPaths, target, elsewhere: anew }: CheckedJob,
  was: Row | undefined,
): Promise<void> {
  const { services, principal, exchange } = request
  const made: string[] = []
  const by = { actor: principal.id, requestId: exchange.requestId }
  const hidden = await hideSecrets(kept, secretPaths, async secret => {
    const reference = timeOrderedId('sec', Date.now(), randomBytes(12))
    await services.secrets.put(reference, secret)
    made.push(reference)
    return reference
  })
  const data = {
    ...{ job_id: id, name, connector_type: kept.connector.type },
    config: JSON.stringify({ ...hidden, target }),
  }
  const before = was?.configured_by as string | null | undefined
  const changed = { ...data, anew, ...(before ? { was: before } : {}) }
  const command = type === 'CreateJob' ? { type, data } : { type, data: changed }
  const decided = await services.commands.send(`job/${id}`, command, by).catch(async error => {
    // One that may have been decided all the same keeps what it was given.
    const refused = error instanceof DomainError && error.code !== 'UNAVAILABLE'
    if (refused) for (const reference of made) await services.secrets.remove(reference)
    throw error
  })
  await removeSecrets(services, was, new Set(referencesIn(hidden)))
  await reachJob(services, decided)
}

/** Removes the secrets of a job as it was, but for those still used. */
export async function removeSecrets(
  { secrets }: Request['services'],
  was: Row | undefined,
  used: ReadonlySet<string> = new Set(),
): Promise<void> {
  const had = was ? referencesIn(configOf(was)) : []
  for (const reference of had) if (!used.has(reference)) await secrets.remove(reference)
}

const create: Route = {
  method: 'POST',
  path: '/jobs',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { services } = request
    const body = await readJob(request)
    const checked = await checkJob(services, body, undefined)
    const most = services.config.jobs
    const count = await services.store.count({ table: jobsTable, equal: { deleted: 0 } })
    if (count >= most) throw new DomainError('CONFLICT', `there are ${most} jobs, the limit`)
    const id = timeOrderedId('job', Date.now(), randomBytes(12))
    await keep(request, 'CreateJob', id, body.name, checked, undefined)
    return { status: 201, body: await shownJobInFull(services, await findJob(services, id)) }
  },
}

const update: Route = {
  method: 'PUT',
  path: '/jobs/:id',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { services, params } = request
    const body = await readJob(request)
    const row = await findJob(services, params.id!)
    const id = row.id as string
    const checked = await checkJob(services, body, configOf(row) as JobConfig)
    await keep(request, 'UpdateJob', id, body.name, checked, row)
    return { status: 200, body: await shownJobInFull(services, await findJob(services, id)) }
  },
}

async function shownState(services: Request['services'], row: Row): Promise<Reply> {
  const state =
    row.connector_state === null || row.connector_state === undefined ? null : JSON.parse(row.connector_state as string)
  return { status: 200, body: { job_id: row.id!, state, position: await placeOfJob(services, row) } }
}

const state: Route = {
  method: 'GET',
  path: '/jobs/:id/state',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, TOPICS)
    return shownState(request.services, await findJob(request.services, request.params.id!))
  },
}

const stateBody = z.strictObject({ state: z.record(z.string(), z.unknown()).nullable() })

const setState: Route = {
  method: 'PATCH',
  path: '/jobs/:id/state',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { services, principal, exchange, params } = request
    const { state } = await readBody(exchange, stateBody, { limit: services.config.jobBytes })
    const row = await findJob(services, params.id!)
    const id = row.id as string
    if (state !== null) checkState(row, state)
    const by = { actor: principal.id, requestId: exchange.requestId }
    const command = { type: 'SetState' as const, data: { job_id: id, state: JSON.stringify(state) } }
    await reachJob(services, await services.commands.send(`job/${id}`, command, by))
    return shownState(services, await findJob(services, id))
  },
}

/** Throws a VALIDATION_ERROR for a state that the job's connector cannot begin with. */
function checkState(row: Row, state: unknown): void {
  const { type } = configOf(row).connector
  const connector = connectorOf(type)
  if (!connector?.begin)
    throw invalid('state', `a run of type ${type} begins at the beginning: its state cannot be set`)
  connector.begin(state)
}

const validate: Route = {
  method: 'POST',
  path: '/jobs/validate',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const checked = await checkJob(request.services, await readJob(request), undefined)
    await checkAddresses(request.services, checked)
    return { status: 200, body: { valid: true } }
  },
}

const preview: Route = {
  method: 'POST',
  path: '/jobs/preview',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { services, exchange } = request
    const checked = await checkJob(services, await readJob(request), undefined)
    await checkAddresses(services, checked)
    const body = await services.readers.take(exchange.gone, () => previewOf(services, checked, exchange.gone))
    return { status: 200, body, headers: { 'Content-Type': 'application/json' } }
  },
}

export const jobSettings: readonly Route[] = [validate, preview, create, update, state, setState]
