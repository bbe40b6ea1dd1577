import type { Events } from '../events/index.ts'
import { accept, type CommandMeta, type Decider, type Decision, refuse } from '../kernel/decider.ts'

type JobEventName =
  | 'JobConfigured'
  | 'JobDeleted'
  | 'RunQueued'
  | 'RunStarted'
  | 'RunPaused'
  | 'RunResumed'
  | 'RunWaiting'
  | 'RunCancelled'
  | 'RunCompleted'
  | 'RunFailed'
  | 'RunCheckpointed'
  | 'RunSkipped'
  | 'JobStateSet'

export type JobEvent = { [Name in JobEventName]: { type: Name; data: Events[Name] } }[JobEventName]

type Settings = Omit<Events['JobConfigured'], 'command_id' | 'by' | 'at' | 'created_at'>
type Ended<Name extends keyof Events> = Omit<Events[Name], 'command_id' | 'by' | 'at'>

/**
 * What people, schedules and runners ask of a job. `queue` of a new job asks for its first run in the same breath. Of a
 * schedule's time, ScheduleRun asks for its run, or what `overlap` says while one is under way, and SkipRun for none,
 * because it was missed.
 */
export type JobCommand =
  | { type: 'CreateJob'; data: Settings & { queue?: { run_id: string; trigger: string } } }
  | { type: 'UpdateJob'; data: Settings }
  | { type: 'DeleteJob'; data: { job_id: string; force: boolean } }
  | { type: 'StartJob'; data: { job_id: string; run_id: string; trigger: string } }
  | { type: 'PauseJob' | 'ResumeJob' | 'CancelJob'; data: { job_id: string } }
  | { type: 'BeginRun'; data: { job_id: string; run_id: string } }
  | { type: 'WaitRun'; data: Ended<'RunWaiting'> }
  | { type: 'CompleteRun'; data: Ended<'RunCompleted'> }
  | { type: 'FailRun'; data: Ended<'RunFailed'> }
  | { type: 'ScheduleRun'; data: { job_id: string; run_id: string; scheduled_at: number; overlap: 'skip' | 'queue' } }
  | { type: 'SkipRun'; data: { job_id: string; scheduled_at: number } }
  | { type: 'SetState'; data: { job_id: string; state: string } }

/** `queued` is shown as pending: no runner has taken the run up yet. */
export type JobStatus = 'pending' | 'queued' | 'running' | 'paused' | 'waiting' | 'completed' | 'failed' | 'cancelled'

export type JobState =
  | { readonly is: 'absent' | 'deleted' }
  | {
      readonly is: 'job'
      readonly status: JobStatus
      readonly runId: string | null
      readonly createdAt: number
      readonly connector: string
      /** The last time of the schedule that was decided on, milliseconds since 1970; 0 for none. */
      readonly handled: number
      /** The run that begins when the one under way ends, and who asked for it. */
      readonly follows: { readonly runId: string; readonly scheduledAt: number; readonly by: string } | null
    }

type Job = Extract<JobState, { is: 'job' }>

/** States in which a run is under way, so that no other can begin. */
const UNDER_WAY: readonly JobStatus[] = ['queued', 'running', 'paused', 'waiting']

/** Connectors whose source is gone once it is in. */
const ONCE: readonly string[] = ['file']

type Transition = Exclude<
  JobEventName,
  'JobConfigured' | 'JobDeleted' | 'RunCheckpointed' | 'RunSkipped' | 'JobStateSet'
>

const STATUS_AFTER: Record<Transition, JobStatus> = {
  RunQueued: 'queued',
  RunStarted: 'running',
  RunPaused: 'paused',
  RunResumed: 'queued',
  RunWaiting: 'waiting',
  RunCancelled: 'cancelled',
  RunCompleted: 'completed',
  RunFailed: 'failed',
}

const IDLE: readonly JobStatus[] = ['pending', 'completed', 'failed', 'cancelled']

/** From which states each command is legal. A run goes on with the configuration and the state that it began with. */
const LEGAL: Partial<Record<JobCommand['type'], readonly JobStatus[]>> = {
  UpdateJob: IDLE,
  SetState: IDLE,
  StartJob: IDLE,
  PauseJob: ['queued', 'running', 'waiting'],
  ResumeJob: ['paused'],
  CancelJob: UNDER_WAY,
  BeginRun: ['queued', 'running', 'waiting'],
  WaitRun: ['running'],
  CompleteRun: ['running'],
  FailRun: ['running', 'queued', 'waiting'],
}

const VERB: Partial<Record<JobCommand['type'], string>> = {
  UpdateJob: 'updated',
  SetState: 'given another state',
  StartJob: 'started',
  PauseJob: 'paused',
  ResumeJob: 'resumed',
  CancelJob: 'cancelled',
  BeginRun: 'taken up',
  WaitRun: 'set to wait',
  CompleteRun: 'completed',
  FailRun: 'failed',
}

/** How a status is told to people. */
export function shownStatus(status: JobStatus): Exclude<JobStatus, 'queued'> {
  return status === 'queued' ? 'pending' : status
}

function deleteJob(job: Job, { job_id, force }: { job_id: string; force: boolean }, stamp: Stamp): Decision<JobEvent> {
  if (UNDER_WAY.includes(job.status) && !force) {
    const message = `job ${job_id} is ${job.status}: cancel it first, or delete it with force=true`
    return refuse('CONFLICT', message)
  }
  return accept({ type: 'JobDeleted', data: { ...stamp, job_id } })
}

interface Stamp {
  readonly command_id: string
  readonly by: string
  readonly at: number
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
      return accept({ type: 'JobConfigured', data: { ...data, ...stamp, created_at: job.createdAt } })
    case 'SetState':
      return accept({ type: 'JobStateSet', data: { ...data, ...stamp } })
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
      const { created_at: createdAt, connector_type: connector } = data
      const made = { is: 'job', status: 'pending', runId: null, createdAt, handled: 0, follows: null } as const
      return { ...(state.is === 'job' ? state : made), connector }
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
