import type { JobEvent } from '../domain/job.ts'
import type { RunLogged, RunQueued, RunSkipped } from '../events/index.ts'
import {
  hasHad,
  KEY_SEPARATOR,
  type Projection,
  type Row,
  type Rows,
  type Source,
  storable,
  type Table,
  versioned,
} from '../kernel/projection.ts'

/** Every job as it stands, with its run under way or its last one. A deleted one stays as a mark. */
export const jobs = versioned({
  name: 'jobs',
  columns: {
    id: 'text',
    name: 'text',
    connector_type: 'text',
    config: 'text',
    /** The command that made it so. */
    configured_by: 'text',
    status: 'text',
    deleted: 'integer',
    /** The run under way, or the last one, as JSON: a RunState. */
    run: 'text',
    /** Where the connector is, JSON text: as the last page left it, or as it was set since; null at its beginning. */
    connector_state: 'text',
    /** The run whose pages say no more where the connector is: its state was set by hand after it. */
    overruled: 'text',
    /** The last time of the schedule that had no run of its own, as JSON: `{scheduled_at, reason, run_id, at}`. */
    skipped: 'text',
    created_at: 'integer',
    updated_at: 'integer',
    stream: 'text',
    offset: 'integer',
  },
  key: ['id'],
})

/** A run as it stands; times in milliseconds since 1970. */
export interface RunState {
  readonly id: string
  readonly status: string
  readonly trigger: string
  /** The time of the schedule that it is for. */
  readonly scheduled_at: number | null
  readonly processed: number
  readonly rejected: number
  readonly total: number | null
  /** Where the connector goes on, JSON text. */
  readonly state: string | null
  readonly queued_at: number
  readonly started_at: number | null
  readonly ended_at: number | null
  /** When it was last taken up, and with how many records done. */
  readonly began_at: number | null
  readonly began_with: number
  readonly waiting_until: number | null
  /** `{code, message, details}` as JSON text. */
  readonly error: string | null
  readonly result: string | null
  /** Includes all that the run has brought, once it is over. */
  readonly position: string | null
  /** The event that made it so; rows from before there were versions have none. */
  readonly offset?: number
}

/** Every run of every job; ids are time-ordered, so a page of a job's runs is in their order. */
export const runs = versioned({
  name: 'runs',
  columns: {
    job_id: 'text',
    id: 'text',
    status: 'text',
    trigger: 'text',
    scheduled_at: 'integer',
    processed: 'integer',
    rejected: 'integer',
    total: 'integer',
    state: 'text',
    queued_at: 'integer',
    started_at: 'integer',
    ended_at: 'integer',
    began_at: 'integer',
    began_with: 'integer',
    waiting_until: 'integer',
    error: 'text',
    result: 'text',
    position: 'text',
    stream: 'text',
    offset: 'integer',
  },
  key: ['job_id', 'id'],
})

/** What runs told. `entry` is JSON: `rank` from 0 for debug to 3 for error, and `at` in milliseconds since 1970. */
export const runLogs: Table = {
  name: 'run_logs',
  columns: {
    job_id: 'text',
    place: 'text',
    run_id: 'text',
    level: 'text',
    message: 'text',
    metadata: 'text',
    entry: 'text',
  },
  key: ['job_id', 'place'],
}

export const LEVELS = ['debug', 'info', 'warning', 'error'] as const

const jobOf = (key: string) => key.slice(key.indexOf('/') + 1)

/** Sorts as the entries were written: a job's are all in one stream. */
export function placeOf({ offset }: Pick<Source, 'offset'>): string {
  return String(offset).padStart(16, '0')
}

function newRun({ run_id, trigger, scheduled_at, at }: RunQueued): RunState {
  const nothing = {
    total: null,
    state: null,
    started_at: null,
    ended_at: null,
    waiting_until: null,
    error: null,
    position: null,
  }
  const asked = { id: run_id, status: 'pending', trigger, scheduled_at, queued_at: at }
  return { ...asked, ...nothing, processed: 0, rejected: 0, result: null, began_at: null, began_with: 0 }
}

/** What an event makes of the run under way. */
function runAfter(run: RunState, { type, data }: JobEvent): RunState {
  switch (type) {
    case 'RunQueued':
      return newRun(data)
    case 'RunResumed':
      return { ...run, status: 'pending', waiting_until: null }
    case 'RunStarted':
      return {
        ...run,
        status: 'running',
        waiting_until: null,
        started_at: run.started_at ?? data.at,
        began_at: data.at,
        began_with: run.processed,
      }
    case 'RunPaused':
      return { ...run, status: 'paused', waiting_until: null }
    case 'RunWaiting':
      return { ...run, status: 'waiting', waiting_until: data.until }
    case 'RunCancelled':
      return { ...run, status: 'cancelled', ended_at: data.at, waiting_until: null }
    case 'RunCompleted':
      return { ...run, status: 'completed', ended_at: data.at, result: data.result, position: data.position }
    case 'RunFailed': {
      const error = JSON.stringify({ code: data.code, message: data.message, details: JSON.parse(data.details) })
      return { ...run, status: 'failed', ended_at: data.at, error, waiting_until: null, position: data.position }
    }
    case 'RunCheckpointed':
      return { ...run, state: data.state, processed: data.processed, rejected: data.rejected, total: data.total }
    default:
      return run
  }
}

function lastRunOf(job: Row): RunState | undefined {
  if (job.run === null) return undefined
  // One that was stored before there were schedules is for no time.
  return { scheduled_at: null, ...JSON.parse(job.run as string) }
}

/** Takes the event of a run into its job's row and its own. */
function putRun(rows: Rows, job: Row, event: JobEvent, { stream, offset }: Source): void {
  const was = lastRunOf(job)
  const place = { updated_at: event.data.at, stream, offset }
  // A checkpoint of a run that another has followed meanwhile says only where the connector is.
  if (event.type === 'RunCheckpointed' && event.data.run_id !== was?.id) {
    rows.put(jobs, job.id as string, { ...job, ...place })
    return
  }
  if (!was && event.type !== 'RunQueued') return
  const run = { ...runAfter(was!, event), offset }
  rows.put(jobs, job.id as string, { ...job, ...place, status: run.status, run: JSON.stringify(run) })
  const key = (job.id as string) + KEY_SEPARATOR + run.id
  // Its key is not the event's, so it cannot be wanted; but the job has it.
  const before = was?.id === run.id ? { job_id: job.id!, stream, ...was, offset: was.offset ?? job.offset! } : null
  rows.put(runs, key, { job_id: job.id!, ...run, stream }, before)
}

/** What an event says of where a job's connector is. A page of a run that was overruled says nothing. */
function connectorAfter(job: Row, { type, data }: JobEvent): Row {
  if (type === 'JobStateSet')
    return { connector_state: data.state === 'null' ? null : data.state, overruled: data.run_id }
  return type === 'RunCheckpointed' && data.run_id !== job.overruled ? { connector_state: data.state } : {}
}

function skippedBy({ scheduled_at, reason, run_id, at }: RunSkipped): string {
  return JSON.stringify({ scheduled_at, reason, run_id, at })
}

function putJob(rows: Rows, event: JobEvent, source: Source): void {
  const id = event.data.job_id
  const was = rows.get(jobs, id)
  if (hasHad(was, source)) return
  const place = { updated_at: event.data.at, stream: source.stream, offset: source.offset }
  if (event.type === 'JobConfigured') {
    const { connector_type, config, created_at, command_id: configured_by } = event.data
    const name = storable(event.data.name)
    const row = { id, name, connector_type, config, configured_by, created_at, ...place }
    const fresh = { status: 'pending', deleted: 0, run: null, connector_state: null, overruled: null, skipped: null }
    rows.put(jobs, id, { ...fresh, ...was, ...row })
  } else if (was && event.type === 'JobDeleted') rows.put(jobs, id, { ...was, ...place, deleted: 1 })
  else if (was && event.type === 'RunSkipped') rows.put(jobs, id, { ...was, ...place, skipped: skippedBy(event.data) })
  else if (was && event.type === 'JobStateSet') rows.put(jobs, id, { ...was, ...place, ...connectorAfter(was, event) })
  else if (was) putRun(rows, { ...was, ...connectorAfter(was, event) }, event, source)
}

/** Jobs, their runs and what those told, from `sync.jobs` and `sync.logs`. */
export const jobsProjection: Projection<JobEvent['data'] | RunLogged> = {
  name: 'jobs',
  version: 2,
  topics: ['sync.jobs', 'sync.logs'],
  tables: [jobs, jobs.versions, runs, runs.versions, runLogs],
  wants({ key }, want) {
    want(jobs, jobOf(key))
  },
  evolve(rows, data, source, type) {
    if (type === 'RunLogged') {
      const { job_id, run_id, level, metadata, at } = data as RunLogged
      const message = storable((data as RunLogged).message)
      const entry = JSON.stringify({ rank: LEVELS.indexOf(level), at })
      const place = placeOf(source)
      rows.put(runLogs, job_id + KEY_SEPARATOR + place, { job_id, place, run_id, level, message, metadata, entry })
    } else putJob(rows, { type, data } as JobEvent, source)
  },
}
