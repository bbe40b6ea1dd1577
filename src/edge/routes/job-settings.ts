import { z } from 'zod'
import { connectorOf } from '../../catalog/connectors/index.ts'
import { invalid } from '../../kernel/errors.ts'
import type { Row } from '../../kernel/projection.ts'
import { readBody } from '../body.ts'
import { createJob, updateJob } from '../job-commands.ts'
import { checkAddresses, checkJob, type JobBody, jobBody } from '../job-settings.ts'
import { configOf, findJob, JOB_TOPICS, placeOfJob, reachJob, shownJobInFull } from '../jobs.ts'
import { preview as previewOf } from '../preview.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'

function readJob({ exchange, services }: Request): Promise<JobBody> {
  return readBody(exchange, jobBody as z.ZodType<JobBody>, { limit: services.config.jobBytes })
}

const create: Route = {
  method: 'POST',
  path: '/jobs',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const row = await createJob(request, await readJob(request))
    return { status: 201, body: await shownJobInFull(request.services, row) }
  },
}

const update: Route = {
  method: 'PUT',
  path: '/jobs/:id',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const row = await updateJob(request, request.params.id!, await readJob(request))
    return { status: 200, body: await shownJobInFull(request.services, row) }
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
    await reachMinPosition(request, JOB_TOPICS)
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
