import type { z } from 'zod'
import { DomainError } from '../../kernel/errors.ts'
import { encodePosition, type Position } from '../../kernel/position.ts'
import type { Row } from '../../kernel/projection.ts'
import { check } from '../body.ts'
import { type Control, controlJob, createJob, deleteJob, updateJob } from '../job-commands.ts'
import { type JobBody, jobBody } from '../job-settings.ts'
import type { Asked, Context } from './context.ts'
import { jobSource } from './jobs.ts'
import type { JsonText } from './json.ts'

export const jobMutationTypes = `
  extend type Mutation {
    """Begins a run, from pending, completed, failed or cancelled."""
    startJob("The job's id." id: ID!): Job
    """Has a run rest until it is resumed."""
    pauseJob("The job's id." id: ID!): Job
    """Has a run that rests go on."""
    resumeJob("The job's id." id: ID!): Job
    """Ends a run."""
    cancelJob("The job's id." id: ID!): Job
    """Deletes a job, and its secrets."""
    deleteJob("The job's id." id: ID!, "Also one that runs." force: Boolean = false): DeletedJob
    """Makes a job."""
    createJob("As the body of POST /jobs." job: JSON!): Job
    """Gives a job other settings."""
    updateJob("The job's id." id: ID!, "As the body of PUT /jobs/{id}; a secret that is \\"***\\" stays." job: JSON!): Job
  }
  """What is left of a job."""
  type DeletedJob {
    """Its id."""
    id: ID!
    """A place that includes that it was deleted."""
    position: String!
  }`

/** A job that a command was decided on; a place that includes the outcome. */
function decided(row: Row, position: Position) {
  return { ...jobSource(row, undefined), position: encodePosition(position) }
}

const control =
  (type: Control['type']) =>
  async (_: unknown, { id }: { id: string }, { asked }: Context) => {
    const { row, position } = await controlJob(asked.request, id, { type })
    return decided(row, position)
  }

/** As large as the body of a request may be. */
function readJob({ text }: JsonText, { request }: Asked): JobBody {
  const { jobBytes } = request.services.config
  const bytes = Buffer.byteLength(text)
  if (bytes > jobBytes) throw new DomainError('PAYLOAD_TOO_LARGE', `job: it has ${bytes} bytes, more than ${jobBytes}`)
  return check(JSON.parse(text), jobBody as z.ZodType<JobBody>)
}

export const jobMutations = {
  Mutation: {
    startJob: control('StartJob'),
    pauseJob: control('PauseJob'),
    resumeJob: control('ResumeJob'),
    cancelJob: control('CancelJob'),
    async deleteJob(_: unknown, { id, force }: { id: string; force?: boolean | null }, { asked }: Context) {
      return { id, position: encodePosition(await deleteJob(asked.request, id, force === true)) }
    },
    async createJob(_: unknown, { job }: { job: JsonText }, { asked }: Context) {
      return jobSource(await createJob(asked.request, readJob(job, asked)), undefined)
    },
    async updateJob(_: unknown, { id, job }: { id: string; job: JsonText }, { asked }: Context) {
      return jobSource(await updateJob(asked.request, id, readJob(job, asked)), undefined)
    },
  },
}
