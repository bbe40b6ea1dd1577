import { type JobEvent, type JobState, jobDecider } from '../domain/job.ts'
import type { RunCheckpointed } from '../events/index.ts'

/** What a job's `config` holds. */
export interface JobConfig {
  readonly connector: { readonly type: string; readonly config: unknown }
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
  /** The last checkpoint of any run: its number counts on over all of them. */
  checkpoint: RunCheckpointed | undefined
  /** The number of that checkpoint when the last run was asked for. */
  pagesBefore: number
  /** How often in a row the run has come to waiting. */
  failures: number
  /** The connector's state that a new run begins after: the last checkpoint's, or what was set by hand since. */
  lastState: unknown
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
  else if (type === 'JobConfigured') {
    const fresh = {
      id,
      checkpoint: undefined,
      pagesBefore: 0,
      failures: 0,
      lastState: undefined,
      waitingUntil: 0,
      restUntil: 0,
    }
    jobs.set(id, { ...fresh, ...job, state, config: JSON.parse(data.config), actor: data.by })
  } else if (job) {
    job.state = state
    if (type === 'RunCheckpointed') {
      job.checkpoint = data
      job.lastState = JSON.parse(data.state)
    } else if (type === 'JobStateSet') job.lastState = JSON.parse(data.state)
    else if (type === 'RunQueued') job.pagesBefore = job.checkpoint?.number ?? 0
    if (type === 'RunWaiting') job.failures = data.failures
    else if (type === 'RunCheckpointed' || type === 'RunQueued') job.failures = 0
    job.waitingUntil = type === 'RunWaiting' ? data.until : 0
  }
  return id
}

/** The run that should be under way now, and from when on; undefined for none. */
export function wantedRun({ state, waitingUntil }: Job): { runId: string; from: number } | undefined {
  if (state.is !== 'job' || state.runId === null) return undefined
  const under = state.status === 'queued' || state.status === 'running' || state.status === 'waiting'
  return under ? { runId: state.runId, from: waitingUntil } : undefined
}
