import type { JobSchedule } from '../catalog/schedules/index.ts'
import { type JobEvent, type JobState, jobDecider } from '../domain/job.ts'
import type { JobConfigured, RunCheckpointed } from '../events/index.ts'

/** What a job's `config` holds. */
export interface JobConfig {
  readonly connector: { readonly type: string; readonly config: unknown }
  /** When it runs by itself; never, without it. */
  readonly schedule?: JobSchedule
  readonly target: {
    readonly dataset: string
    readonly source: string
    readonly upsert: boolean
    readonly validate: boolean
    readonly transform: boolean
    /** Whether the source has only text, as csv does. */
    readonly text_only?: boolean
    /** Where in the source's data the records' ids are, as a JSON pointer. */
    readonly id_at?: string | null
    /** The columns whose text is a record's id. */
    readonly key_columns?: readonly string[]
  }
  readonly transformations?: readonly unknown[]
  readonly destination?: { readonly type: string; readonly url?: unknown }
}

/** A job as its runner knows it. */
export interface Job {
  readonly id: string
  state: JobState
  config: JobConfig
  actor: string
  /** Since when it has the schedule that it has: times before were none of its. */
  scheduledSince: number
  /** The last checkpoint of any run: its number counts on over all of them. */
  checkpoint: RunCheckpointed | undefined
  /** The number of that checkpoint when the last run was asked for. */
  pagesBefore: number
  /** Where the connector is, JSON text: as the last page left it, or as it was set since; undefined at its beginning. */
  connectorState: string | undefined
  /** The run whose pages say no more where the connector is: its state was set by hand after it. */
  overruled: string | null
  /** How often in a row the run has come to wait since its last page. */
  failures: number
  /** When a run that waits by itself goes on, milliseconds since 1970. */
  waitingUntil: number
  /** Not before this, after a run broke off here. */
  restUntil: number
}

/** Takes an event into the jobs of a stream; answers whose it was. */
export function evolveJob(jobs: Map<string, Job>, event: JobEvent): string {
  const { type, data } = event
  const id = data.job_id
  const job = jobs.get(id)
  const state = jobDecider.evolve(job?.state ?? jobDecider.initial, event)
  if (type === 'JobDeleted') jobs.delete(id)
  else if (type === 'JobConfigured') jobs.set(id, configured(job, state, data))
  else if (job) {
    job.state = state
    evolveRun(job, event)
  }
  return id
}

function configured(was: Job | undefined, state: JobState, data: JobConfigured): Job {
  const config: JobConfig = JSON.parse(data.config)
  const job = was ?? {
    ...{ id: data.job_id, checkpoint: undefined, connectorState: undefined, overruled: null },
    ...{ pagesBefore: 0, failures: 0, waitingUntil: 0, restUntil: 0 },
  }
  const same = was && JSON.stringify(was.config.schedule) === JSON.stringify(config.schedule)
  const scheduledSince = same ? was.scheduledSince : data.at
  return { ...job, state, config, actor: data.by, scheduledSince }
}

function evolveRun(job: Job, { type, data }: JobEvent): void {
  switch (type) {
    case 'JobStateSet':
      job.connectorState = data.state === 'null' ? undefined : data.state
      job.overruled = data.run_id
      return
    case 'RunSkipped':
      return
    case 'RunCheckpointed':
      if (data.run_id !== job.checkpoint?.run_id || data.processed > job.checkpoint.processed) job.failures = 0
      job.checkpoint = data
      if (data.run_id !== job.overruled) job.connectorState = data.state
      break
    case 'RunQueued':
      job.failures = 0
      job.pagesBefore = job.checkpoint?.number ?? 0
      break
    case 'RunWaiting':
      job.failures = data.failures
  }
  job.waitingUntil = type === 'RunWaiting' ? data.until : 0
}

/** The run that should be under way now, and from when on; undefined for none. */
export function wantedRun({ state, waitingUntil }: Job): { runId: string; from: number } | undefined {
  if (state.is !== 'job' || state.runId === null) return undefined
  const under = state.status === 'queued' || state.status === 'running' || state.status === 'waiting'
  return under ? { runId: state.runId, from: waitingUntil } : undefined
}
