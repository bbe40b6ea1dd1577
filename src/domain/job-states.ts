import type { Events } from '../events/index.ts'

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

export type Settings = Omit<Events['JobConfigured'], 'command_id' | 'by' | 'at' | 'created_at'>
type Ended<Name extends keyof Events> = Omit<Events[Name], 'command_id' | 'by' | 'at'>

/**
 * What people, schedules and runners ask of a job. `queue` of a new job asks for its first run in the same breath. Of a
 * schedule's time, ScheduleRun asks for its run, or what `overlap` says while one is under way, and SkipRun for none,
 * because it was missed. UpdateJob is refused when the settings are not those any more that `was`, the command behind
 * them, made; `anew` makes the next run begin at the beginning.
 */
export type JobCommand =
  | { type: 'CreateJob'; data: Settings & { queue?: { run_id: string; trigger: string } } }
  | { type: 'UpdateJob'; data: Settings & { was?: string; anew?: boolean } }
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
      /** The command that made it what it is. */
      readonly configuredBy: string
      /** The last time of the schedule that was decided on, milliseconds since 1970; 0 for none. */
      readonly handled: number
      /** The run that begins when the one under way ends, and who asked for it. */
      readonly follows: { readonly runId: string; readonly scheduledAt: number; readonly by: string } | null
    }

/** A job that is there. */
export type Job = Extract<JobState, { is: 'job' }>

/** States in which a run is under way, so that no other can begin. */
export const UNDER_WAY: readonly JobStatus[] = ['queued', 'running', 'paused', 'waiting']

/** Connectors whose source is gone once it is in. */
export const ONCE: readonly string[] = ['file']

type Transition = Exclude<
  JobEventName,
  'JobConfigured' | 'JobDeleted' | 'RunCheckpointed' | 'RunSkipped' | 'JobStateSet'
>

export const STATUS_AFTER: Record<Transition, JobStatus> = {
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
export const LEGAL: Partial<Record<JobCommand['type'], readonly JobStatus[]>> = {
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

export const VERB: Partial<Record<JobCommand['type'], string>> = {
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

/** What every event that follows from a command says of it. */
export interface Stamp {
  readonly command_id: string
  readonly by: string
  readonly at: number
}
