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

/** What people, schedules and runners ask of a job. `queue` of a new job asks for its first run in the same breath. */
export type JobCommand =
  | { type: 'CreateJob'; data: Settings & { queue?: { run_id: string; trigger: string } } }
  | { type: 'UpdateJob'; data: Settings }
  | { type: 'DeleteJob'; data: { job_id: string; force: boolean } }
  | { type: 'StartJob'; data: { job_id: string; run_id: string; trigger: string } }
  | { type: 'PauseJob' | 'ResumeJob' | 'CancelJob'; data: { job_id: string } }
  | { type: 'SetState'; data: { job_id: string; state: string } }
  | { type: 'BeginRun'; data: { job_id: string; run_id: string } }
  | { type: 'WaitRun'; data: Ended<'RunWaiting'> }
  | { type: 'CompleteRun'; data: Ended<'RunCompleted'> }
  | { type: 'FailRun'; data: Ended<'RunFailed'> }

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
    }

type Job = Extract<JobState, { is: 'job' }>

/** States in which a run is under way, so that no other can begin. */
const UNDER_WAY: readonly JobStatus[] = ['queued', 'running', 'paused', 'waiting']

/** Connectors whose source is gone once it is in. */
const ONCE: readonly string[] = ['file']

const STATUS_AFTER: Partial<Record<JobEventName, JobStatus>> = {
  RunQueued: 'queued',
  RunStarted: 'running',
  RunPaused: 'paused',
  RunResumed: 'queued',
  RunWaiting: 'waiting',
  RunCancelled: 'cancelled',
  RunCompleted: 'completed',
  RunFailed: 'failed',
}

/** From which states each command is legal. */
const LEGAL: Partial<Record<JobCommand['type'], readonly JobStatus[]>> = {
  StartJob: ['pending', 'completed', 'failed', 'cancelled'],
  PauseJob: ['queued', 'running', 'waiting'],
  ResumeJob: ['paused'],
  CancelJob: UNDER_WAY,
  BeginRun: ['queued', 'running', 'waiting'],
  WaitRun: ['running'],
  CompleteRun: ['running'],
  FailRun: ['running', 'queued', 'waiting'],
}

const VERB: Partial<Record<JobCommand['type'], string>> = {
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
    case 'StartJob':
      if (job.status === 'completed' && ONCE.includes(job.connector)) {
        return refuse('CONFLICT', `job ${job_id} has taken in its ${job.connector}, which is not kept: upload it again`)
      }
      return accept({ type: 'RunQueued', data: { ...stamp, scheduled_at: null, ...data } })
    case 'PauseJob':
      return accept({ type: 'RunPaused', data: run })
    case 'ResumeJob':
      return accept({ type: 'RunResumed', data: run })
    case 'CancelJob':
      return accept({ type: 'RunCancelled', data: run })
    case 'BeginRun':
      return accept({ type: 'RunStarted', data: run })
    case 'WaitRun':
      return accept({ type: 'RunWaiting', data: { ...stamp, ...data } })
    case 'CompleteRun':
      return accept({ type: 'RunCompleted', data: { ...stamp, ...data } })
    case 'FailRun':
      return accept({ type: 'RunFailed', data: { ...stamp, ...data } })
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
      return state.is === 'job' ? state : { is: 'job', status: 'pending', runId: null, createdAt, connector }
    }
    const status = STATUS_AFTER[type]
    if (state.is !== 'job' || status === undefined || !('run_id' in data)) return state
    return { ...state, status, runId: data.run_id }
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
    if (type === 'UpdateJob') {
      return accept({ type: 'JobConfigured', data: { ...data, ...stamp, created_at: state.createdAt } })
    }
    if (type === 'SetState') return accept({ type: 'JobStateSet', data: { ...stamp, ...data } })
    return transition(state, command, stamp)
  },
}
