import { hideSecrets, referencesIn } from '../intake/hidden.ts'
import { DomainError } from '../kernel/errors.ts'
import type { Position } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { newId } from '../log/new-id.ts'
import { jobs as jobsTable } from '../projections/jobs.ts'
import type { JobConfig } from '../workers/jobs-held.ts'
import { type CheckedJob, checkJob, type JobBody } from './job-settings.ts'
import { configOf, findJob, reachJob } from './jobs.ts'
import type { Request } from './router.ts'

export interface Control {
  readonly type: 'StartJob' | 'PauseJob' | 'ResumeJob' | 'CancelJob'
}

/**
 * Has a command decided on a job. Gives the job as it stands then, what the command said, and the place of its outcome.
 * Rejects with NOT_FOUND, and CONFLICT where the job's state refuses it.
 */
export async function controlJob(
  { services, principal, exchange }: Request,
  id: string,
  { type }: Control,
): Promise<{ row: Row; data: object; position: Position }> {
  const run = { run_id: newId('run'), trigger: 'manual' }
  const by = { actor: principal.id, requestId: exchange.requestId }
  const data = { job_id: id, ...(type === 'StartJob' ? run : {}) }
  const asked = { type, data } as Parameters<typeof services.commands.send>[1]
  const position = await services.commands.send(`job/${id}`, asked, by)
  await reachJob(services, position)
  return { row: await findJob(services, id), data, position }
}

/** Deletes a job, and its secrets. `force`: also one that runs. Rejects with NOT_FOUND, CONFLICT. */
export async function deleteJob(
  { services, principal, exchange }: Request,
  id: string,
  force: boolean,
): Promise<Position> {
  const by = { actor: principal.id, requestId: exchange.requestId }
  const command = { type: 'DeleteJob' as const, data: { job_id: id, force } }
  const was = await findJob(services, id)
  const position = await services.commands.send(`job/${id}`, command, by)
  await reachJob(services, position)
  await removeSecrets(services, was)
  return position
}

/** Makes a job. Rejects with VALIDATION_ERROR naming the field, with CONFLICT when there are so many as may be. */
export async function createJob(request: Request, body: JobBody): Promise<Row> {
  const { services } = request
  const checked = await checkJob(services, body, undefined)
  const most = services.config.jobs
  const count = await services.store.count({ table: jobsTable, equal: { deleted: 0 } })
  if (count >= most) throw new DomainError('CONFLICT', `there are ${most} jobs, the limit`)
  const id = newId('job')
  await keep(request, 'CreateJob', id, body.name, checked, undefined)
  return findJob(services, id)
}

/** Gives a job other settings. Rejects with VALIDATION_ERROR naming the field, NOT_FOUND, CONFLICT. */
export async function updateJob(request: Request, given: string, body: JobBody): Promise<Row> {
  const { services } = request
  const row = await findJob(services, given)
  const id = row.id as string
  const checked = await checkJob(services, body, configOf(row) as JobConfig)
  await keep(request, 'UpdateJob', id, body.name, checked, row)
  return findJob(services, id)
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
    const reference = newId('sec')
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
async function removeSecrets(
  { secrets }: Request['services'],
  was: Row | undefined,
  used: ReadonlySet<string> = new Set(),
): Promise<void> {
  const had = was ? referencesIn(configOf(was)) : []
  for (const reference of had) if (!used.has(reference)) await secrets.remove(reference)
}
