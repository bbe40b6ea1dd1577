import { z } from 'zod'
import { nextRuns } from '../catalog/schedules/index.ts'
import { showHidden } from '../intake/hidden.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import { encodePosition, mergePositions, type Position, parsePosition } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { streamOf } from '../log/commands.ts'
import { jobs, LEVELS, placeOf, type RunState } from '../projections/jobs.ts'
import type { FieldCondition, Moment } from '../store/store.ts'
import type { JobConfig } from '../workers/jobs-held.ts'
import { asOfThen } from './moment.ts'
import { reach } from './reach.ts'
import type { Services } from './services.ts'

const TOPIC = 'sync.jobs'
const LOGS = 'sync.logs'
/** What jobs, their runs and their logs are read from. */
export const JOB_TOPICS = [TOPIC, LOGS]
/** Where what a run brings goes. */
const BROUGHT = ['sync.records', 'sync.rejected', 'sync.forwarded']

const STATUSES = ['pending', 'running', 'paused', 'waiting', 'completed', 'failed', 'cancelled']

/** Which jobs are asked for, by columns: all that there are unless said. Throws VALIDATION_ERROR for a status that is none. */
export function jobColumns(
  status: string | null | undefined,
  connector_type: string | null | undefined,
): Record<string, string | number> {
  const given = Object.entries({ status, connector_type }).filter(([, value]) => typeof value === 'string')
  if (typeof status === 'string' && !STATUSES.includes(status))
    throw invalid('status', `expected ${STATUSES.join(', ')}, got ${status.slice(0, 40)}`)
  return { deleted: 0, ...(Object.fromEntries(given) as Record<string, string>) }
}

/** Waits until the next read sees what a command has made of a job. */
export function reachJob(services: Services, position: Position): Promise<void> {
  return reach(services, TOPIC, position)
}

/** The job of this id. Throws NOT_FOUND, also for one that was deleted. */
export async function findJob({ store }: Services, id: string, asOf?: Moment): Promise<Row> {
  const [row] = await store.load(jobs, [[id]], asOf)
  if (row && row.deleted !== 1) return row
  throw new DomainError('NOT_FOUND', `there is no job ${id.slice(0, 100)}${asOfThen(asOf)}`)
}

/** The place of the last that a job's runs had told at a moment, among all that they told. */
export function lastLogged({ log }: Services, job: string, asOf: Moment): string {
  const offset = asOf.get(streamOf(log, LOGS, `job/${job}`).name) ?? -1
  return offset < 0 ? '' : placeOf({ offset })
}

function timeText(time: number | null | undefined): string | null {
  return time === null || time === undefined ? null : new Date(time).toISOString()
}

/** What has been done of a run: percent with one decimal, 100 when it is complete, null when nobody knows how much there is. */
export function percentOf({
  status,
  processed,
  total,
}: Pick<RunState, 'status' | 'processed' | 'total'>): number | null {
  if (status === 'completed') return 100
  if (total === null || total === 0) return total === 0 ? 100 : null
  return Math.min(100, Math.round((processed / total) * 1000) / 10)
}

/** When a run will be done if it goes on as it went since it was last taken up: what it rested before says nothing. */
function etaOf({ status, began_at, began_with, processed, total }: RunState, now: number): string | null {
  const done = processed - began_with
  if (status !== 'running' || began_at === null || total === null || done <= 0) return null
  return timeText(now + Math.round(((now - began_at) * Math.max(0, total - processed)) / done))
}

/** The job's last run. Until its first page it knows no total; a file's was counted when it came. */
export function runOf(row: Row): RunState | undefined {
  if (row.run === null) return undefined
  const run: RunState = JSON.parse(row.run as string)
  if (run.total !== null) return run
  const { records_count } = configOf(row).connector.config as { records_count?: number }
  return { ...run, total: records_count ?? null }
}

export function configOf(row: Row): JobConfig & Record<string, unknown> {
  return JSON.parse(row.config as string)
}

/** A run's progress under the names that the API gives it. */
export function progressOf(run: RunState | undefined) {
  return {
    progress: run ? percentOf(run) : 0,
    records_processed: run?.processed ?? 0,
    records_total: run?.total ?? null,
  }
}

/** A job as a list shows it; when it will be done is guessed for now only. */
export function shownJob(row: Row, asOf?: Moment): object {
  const { id, name, connector_type, status } = row
  const run = runOf(row)
  return {
    ...{ id, name, connector_type, status },
    ...progressOf(run),
    started_at: timeText(run?.started_at),
    eta: run && !asOf ? etaOf(run, row.updated_at as number) : null,
    created_at: timeText(row.created_at as number),
  }
}

/** A place that includes the job's last event and all that its last run has brought. */
export async function placeOfJob({ log }: Services, row: Row): Promise<string> {
  const stream = log.streams(TOPIC).find(({ name }) => name === row.stream)!
  const place = log.place(stream, row.offset as number)
  const text = runOf(row)?.position
  if (!text) return encodePosition(place)
  const position = parsePosition(text, 'position')
  // A run that was before the log was moved to Kafka named the places of that one.
  const brought = position.log === log.id ? position : await log.adopt(position, BROUGHT)
  return encodePosition(brought ? mergePositions(brought, place) : place)
}

/** A run as the API shows it. */
export function shownRun(run: RunState): object {
  const { id, status, trigger, rejected, error, result } = run
  return {
    ...{ id, status, trigger },
    ...progressOf(run),
    records_rejected: rejected,
    scheduled_at: timeText(run.scheduled_at),
    queued_at: timeText(run.queued_at),
    started_at: timeText(run.started_at),
    ended_at: timeText(run.ended_at),
    waiting_until: timeText(run.waiting_until),
    error: error === null ? null : JSON.parse(error),
    result: result === null ? null : JSON.parse(result),
  }
}

const time = z.iso.datetime({ offset: true })
/** Which entries of a job's logs are asked for: `level` is the least. */
export const logFilter = z.strictObject({
  level: z.enum(LEVELS).optional(),
  since: time.optional(),
  until: time.optional(),
})

export function logConditions({ level, since, until }: z.infer<typeof logFilter>): FieldCondition[] {
  const fields: FieldCondition[] = []
  const condition = (field: string, comparison: '>=' | '<=', value: number) =>
    fields.push({ column: 'entry', field, comparison, value })
  if (level) condition('rank', '>=', LEVELS.indexOf(level))
  if (since) condition('at', '>=', Date.parse(since))
  if (until) condition('at', '<=', Date.parse(until))
  return fields
}

/** An entry of a job's logs as the API shows it. */
export function shownLog({ level, message, metadata, entry, run_id }: Row): object {
  const timestamp = timeText(JSON.parse(entry as string).at)
  return { timestamp, level, message, run_id, metadata: JSON.parse(metadata as string) }
}

/** A job with all there is to say of it; as it was, its schedule has no next runs. */
export async function shownJobInFull(services: Services, row: Row, asOf?: Moment): Promise<object> {
  const { connector, schedule, transformations, destination, target } = showHidden(configOf(row))
  const run = runOf(row)
  return {
    ...shownJob(row, asOf),
    connector,
    schedule: schedule ?? { type: 'manual' },
    transformations: transformations ?? [],
    destination: destination ?? { type: 'database', table: target.dataset, mode: 'upsert' },
    run_id: run?.id ?? null,
    records_rejected: run?.rejected ?? 0,
    ended_at: timeText(run?.ended_at),
    waiting_until: timeText(run?.waiting_until),
    next_runs: asOf
      ? []
      : nextRuns(schedule ?? { type: 'manual' }, Date.now(), row.created_at as number, 5).map(timeText),
    last_skipped: skippedOf(row),
    error: run?.error ? JSON.parse(run.error) : null,
    result: run?.result ? JSON.parse(run.result) : null,
    updated_at: timeText(row.updated_at as number),
    position: await placeOfJob(services, row),
  }
}

/** The last time of the schedule that had no run of its own, and why. */
function skippedOf({ skipped }: Row): object | null {
  if (skipped === null || skipped === undefined) return null
  const { scheduled_at, reason } = JSON.parse(skipped as string) as { scheduled_at: number; reason: string }
  return { scheduled_at: timeText(scheduled_at), reason }
}

/** An uploaded file as the API shows it: its import is the job. */
export async function fileOf(services: Services, row: Row): Promise<object> {
  const { connector, target } = configOf(row)
  const { file_id, filename, size_bytes, format, records_count } = connector.config as Record<string, unknown>
  const run = runOf(row)
  const status =
    row.status === 'pending' || row.status === 'running' || row.status === 'waiting' ? 'processing' : row.status
  return {
    ...{ file_id, job_id: row.id, filename, size_bytes, format, records_count, status },
    dataset: target.dataset,
    ...progressOf(run),
    records_rejected: run?.rejected ?? 0,
    error: run?.error ? JSON.parse(run.error) : null,
    position: await placeOfJob(services, row),
  }
}
