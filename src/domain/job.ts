import type { Events } from '../events/index.ts'
import { accept, type CommandMeta, type Decider, type Decision, refuse } from '../kernel/decider.ts'
import {
  type Job,
  type JobCommand,
  type JobEvent,
  type JobState,
  LEGAL,
  ONCE,
  STATUS_AFTER,
  type Stamp,
  UNDER_WAY,
  VERB,
} from './job-states.ts'

export { type JobCommand, type JobEvent, type JobState, type JobStatus, shownStatus } from './job-states.ts'

function deleteJob(job: Job, { job_id, force }: { job_id: string; force: boolean }, stamp: Stamp): Decision<JobEvent> {
  if (UNDER_WAY.includes(job.status) && !force) {
    const message = `job ${job_id} is ${job.status}: cancel it first, or delete it with force=true`
    return refuse('CONFLICT', message)
  }
  return accept({ type: 'JobDeleted', data: { ...stamp, job_id } })
}

/** Decides on a time of the schedule. Each is decided on once, and none before one that was. */
function handleTime(
  job: Job,
  { type, data }: Extract<JobCommand, { type: 'ScheduleRun' | 'SkipRun' }>,
  stamp: Stamp,
): Decision<JobEvent> {
  const { job_id, scheduled_at } = data
  if (scheduled_at <= job.handled) {
    const [asked, handled] = [scheduled_at, job.handled].map(time => new Date(time).toISOString())
    return refuse('CONFLICT', `job ${job_id} was scheduled up to ${handled} already, so ${asked} is over`)
  }
  const skip = (reason: string, run_id: string | null = null) =>
    accept<JobEvent>({ type: 'RunSkipped', data: { ...stamp, job_id, scheduled_at, reason, run_id } })
  if (type === 'SkipRun') return skip('missed')
  const { run_id, overlap } = data
  if (!UNDER_WAY.includes(job.status))
    return queueRun(job, { job_id, run_id, trigger: 'schedule', scheduled_at }, stamp)
  return overlap === 'queue' && job.follows === null ? skip('queued', run_id) : skip('overlap')
}

function queueRun(job: Job, run: Omit<Events['RunQueued'], keyof Stamp>, stamp: Stamp): Decision<JobEvent> {
  if (job.status === 'completed' && ONCE.includes(job.connector)) {
    const taken = `job ${run.job_id} has taken in its ${job.connector}, which is not kept`
    return refuse('CONFLICT', `${taken}: upload it again`)
  }
  return accept({ type: 'RunQueued', data: { ...stamp, ...run } })
}

/** Another connector knows nothing of where the one before it was, and another destination has nothing of what it brought. */
function update(
  job: Job,
  { was, anew = false, ...settings }: Extract<JobCommand, { type: 'UpdateJob' }>['data'],
  stamp: Stamp,
): Decision<JobEvent> {
  if (was !== undefined && was !== job.configuredBy) {
    return refuse('CONFLICT', `job ${settings.job_id} was updated by somebody else meanwhile: read it again`)
  }
  const configured: JobEvent = { type: 'JobConfigured', data: { ...settings, ...stamp, created_at: job.createdAt } }
  if (settings.connector_type === job.connector && !anew) return accept(configured)
  const { job_id } = settings
  return accept<JobEvent>(configured, {
    type: 'JobStateSet',
    data: { ...stamp, job_id, state: 'null', run_id: job.runId },
  })
}

/** The end of a run, and the beginning of the one that follows it. */
function end({ follows }: Job, ended: JobEvent, stamp: Stamp): Decision<JobEvent> {
  if (follows === null) return accept(ended)
  const { runId: run_id, scheduledAt: scheduled_at, by } = follows
  const next = { ...stamp, by, job_id: ended.data.job_id, run_id, trigger: 'schedule', scheduled_at }
  return accept<JobEvent>(ended, { type: 'RunQueued', data: next })
}

function transition(job: Job, { type, data }: JobCommand, stamp: Stamp): Decision<JobEvent> {
  const { job_id } = data
  if (!LEGAL[type]!.includes(job.status)) {
    return refuse('CONFLICT', `job ${job_id} is ${job.status}, so it cannot be ${VERB[type]}`)
  }
  if ('run_id' in data && type !== 'StartJob' && data.run_id !== job.runId) {
    return refuse('CONFLICT', `run ${data.run_id} of job ${job_id} is over; ${job.runId} has followed it`)
  }
  const run = { ...stamp, job_id, run_id: job.runId! }
  switch (type) {
    case 'UpdateJob':
      return update(job, data, stamp)
    case 'SetState':
      return accept({ type: 'JobStateSet', data: { ...stamp, run_id: job.runId, ...data } })
    case 'StartJob':
      return queueRun(job, { scheduled_at: null, ...data }, stamp)
    case 'PauseJob':
      return accept({ type: 'RunPaused', data: run })
    case 'ResumeJob':
      return accept({ type: 'RunResumed', data: run })
    case 'CancelJob':
      return end(job, { type: 'RunCancelled', data: run }, stamp)
    case 'BeginRun':
      return accept({ type: 'RunStarted', data: run })
    case 'WaitRun':
      return accept({ type: 'RunWaiting', data: { ...stamp, ...data } })
    case 'CompleteRun':
      return end(job, { type: 'RunCompleted', data: { ...stamp, ...data } }, stamp)
    case 'FailRun':
      return end(job, { type: 'RunFailed', data: { ...stamp, ...data } }, stamp)
    default:
      throw new Error(`${type} is no transition`)
  }
}

/**
 * One job and its run under way. Checkpoints come from the runner that owns the run, in the same append as the records
 * they stand for, and decide nothing.
 */
export const jobDecider: Decider<JobState, JobCommand & { meta: CommandMeta }, JobEvent> = {
  initial: { is: 'absent' },

  evolve(state, { type, data }) {
    if (type === 'JobDeleted') return { is: 'deleted' }
    if (type === 'JobConfigured') {
      const { created_at: createdAt, connector_type: connector, command_id: configuredBy } = data
      const made = { is: 'job', status: 'pending', runId: null, createdAt, handled: 0, follows: null } as const
      return { ...(state.is === 'job' ? state : made), connector, configuredBy }
    }
    if (state.is !== 'job') return state
    if (type === 'RunSkipped') {
      const { scheduled_at: scheduledAt, run_id: runId, by } = data
      const handled = Math.max(state.handled, scheduledAt)
      return { ...state, handled, follows: runId === null ? state.follows : { runId, scheduledAt, by } }
    }
    if (type === 'RunCheckpointed' || type === 'JobStateSet') return state
    const after = { ...state, status: STATUS_AFTER[type], runId: data.run_id }
    if (type !== 'RunQueued') return after
    return { ...after, handled: Math.max(state.handled, data.scheduled_at ?? 0), follows: null }
  },

  decide(state, command) {
    const { type, data, meta } = command
    const stamp = { command_id: meta.command_id, by: meta.actor, at: meta.at }
    if (type === 'CreateJob') {
      if (state.is !== 'absent') return refuse('CONFLICT', `job ${data.job_id} exists already`)
      const { queue, ...settings } = data
      const made: JobEvent = { type: 'JobConfigured', data: { ...settings, ...stamp, created_at: meta.at } }
      if (!queue) return accept(made)
      return accept<JobEvent>(made, {
        type: 'RunQueued',
        data: { ...stamp, job_id: data.job_id, scheduled_at: null, ...queue },
      })
    }
    if (state.is !== 'job') return refuse('NOT_FOUND', `there is no job ${data.job_id}`)
    if (type === 'DeleteJob') return deleteJob(state, data, stamp)
    if (type === 'ScheduleRun' || type === 'SkipRun') return handleTime(state, command, stamp)
    return transition(state, command, stamp)
  },
}
