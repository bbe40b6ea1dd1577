import type { PulledPage } from '../catalog/connectors/connector.ts'
import { connectorOf } from '../catalog/connectors/index.ts'
import type { FormatLimits } from '../catalog/formats/format.ts'
import type { Guard } from '../catalog/reach/guard.ts'
import type { Grow } from '../intake/growth.ts'
import { createIntake, type Intake } from '../intake/intake.ts'
import type { Rules } from '../intake/rules.ts'
import { DomainError } from '../kernel/errors.ts'
import { passPoint } from '../kernel/points.ts'
import { encodePosition, mergePositions, type Position } from '../kernel/position.ts'
import type { Codec } from '../log/codec.ts'
import type { Commands } from '../log/commands.ts'
import type { Log, Stream } from '../log/log.ts'
import type { FileStore } from '../store/files.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Job } from './jobs-held.ts'

/** What a run works with. */
export interface RunContext {
  readonly log: Log
  readonly codec: Codec
  readonly logger: Logger
  readonly commands: Commands
  readonly rules: Rules
  /** Resolves once `rules` are those that were set when this is called. */
  readonly rulesReady: () => Promise<void>
  readonly grow: Grow
  readonly files: FileStore
  readonly limits: {
    readonly pageRows: number
    readonly pageBytes: number
    readonly maxDepth: number
    readonly maxRecordBytes: number
    readonly formatLimits: FormatLimits
    readonly answerBytes: number
    readonly answerMs: number
  }
  readonly guard: Guard
  readonly onTaken: (taken: { accepted: number; rejected: number; bytes: number }) => void
  /** Told when a run has ended. */
  readonly onEnded: (connector: string, status: 'success' | 'failure', seconds: number) => void
  readonly stream: Stream
  /** Resolves once the stream of jobs has been followed up to an offset. */
  readonly seen: (offset: number, signal: AbortSignal) => Promise<void>
}

const ACTOR = 'runner'
type Level = 'debug' | 'info' | 'warning' | 'error'

/**
 * One run of a job, from its checkpoint to its end: ends when the run has ended, or `signal` aborts; fails when
 * something of ours is not there, and may then be begun again. Each page's records, refused rows and checkpoint are one
 * append under the job's own checkpoint, numbered on over all runs: a runner that was taken over from is refused.
 */
export async function runOnce(context: RunContext, job: Job, runId: string, signal: AbortSignal): Promise<void> {
  const { log, commands, stream } = context
  const started = Date.now()
  const group = `job-${job.id}`
  const owned = await log.own(group, stream)
  // Whoever had the job before may have appended something that has not been followed yet.
  await Promise.all([context.seen(await log.written(stream), signal), context.rulesReady()])
  const by = { actor: ACTOR, requestId: runId }
  const ids = { job_id: job.id, run_id: runId }
  if (!(await accepted(commands.send(`job/${job.id}`, { type: 'BeginRun', data: ids }, by)))) return
  passPoint('runner.begun')
  const tell = (level: Level, message: string, metadata: object = {}) => {
    const entry = { ...ids, level, message, metadata: JSON.stringify(metadata), at: Date.now() }
    return log.append([context.codec.batch('sync.logs', 'RunLogged', `job/${job.id}`, entry)])
  }
  const resumed = job.checkpoint?.run_id === runId
  await tell('info', resumed ? 'the run goes on' : 'the run begins', {
    processed: resumed ? job.checkpoint!.processed : 0,
  })
  const last = resumed ? job.checkpoint! : undefined
  const run: Run = {
    ...{ group, runId, tell, number: Math.max(owned, job.checkpoint?.number ?? 0), position: undefined },
    ...{ state: last && JSON.parse(last.state), processed: last?.processed ?? 0, rejected: last?.rejected ?? 0 },
  }
  const outcome = () => ({ ...ids, position: run.position ? encodePosition(run.position) : null })
  const ended = async (status: 'success' | 'failure', sent: Promise<unknown>) => {
    if (await accepted(sent)) context.onEnded(job.config.connector.type, status, (Date.now() - started) / 1000)
  }
  try {
    await pullAll(context, job, run, signal)
    if (signal.aborted) return
    passPoint('runner.all-read')
    await tell('info', 'the run is complete', { processed: run.processed, rejected: run.rejected })
    const data = { ...outcome(), result: null }
    await ended('success', commands.send(`job/${job.id}`, { type: 'CompleteRun', data }, by))
    passPoint('runner.completed')
    await letGo(context, job)
  } catch (error) {
    if (signal.aborted) return
    const failure = asFailure(error, context.logger, job.id)
    if (!failure) throw error
    const { processed } = run
    await tell('error', 'the run has failed', { message: failure.message, processed })
    const data = { ...outcome(), ...failure, details: JSON.stringify(failure.details) }
    await ended('failure', commands.send(`job/${job.id}`, { type: 'FailRun', data }, by))
  }
}

/** What is left behind costs room and nothing else: it is told of, and removed when its time is over. */
async function letGo({ files, logger }: RunContext, { id, config: { connector } }: Job): Promise<void> {
  const found = connectorOf(connector.type)
  const work = found?.finish?.(found.config.parse(connector.config), { removeFile: each => files.remove(each) })
  await work?.catch(error => logger.warn({ err: error, job_id: id }, 'what a run needed could not be removed'))
}

/** Whether a command was accepted: somebody may have cancelled or deleted the job a moment before. */
async function accepted(sent: Promise<unknown>): Promise<boolean> {
  try {
    await sent
    return true
  } catch (error) {
    if (error instanceof DomainError && (error.code === 'CONFLICT' || error.code === 'NOT_FOUND')) return false
    throw error
  }
}

/** Why a run has failed for good; undefined for what may pass. */
function asFailure(error: unknown, logger: Logger, jobId: string) {
  if (error instanceof DomainError) {
    const { code, message, details } = error
    // Our own log or store: the run begins again. Or somebody has taken the job over.
    return code === 'UNAVAILABLE' || code === 'CONFLICT' ? undefined : { code, message, details }
  }
  logger.error({ err: error, job_id: jobId }, 'a run failed')
  return { code: 'INTERNAL_ERROR', message: 'something went wrong on our side; the job id is in our logs', details: [] }
}

/** A run on its way. */
interface Run {
  readonly group: string
  readonly runId: string
  tell(level: Level, message: string, metadata?: object): Promise<unknown>
  /** The number of the last page that is in. */
  number: number
  /** Where the connector goes on. */
  state: unknown
  processed: number
  rejected: number
  position: Position | undefined
}

async function pullAll(context: RunContext, job: Job, run: Run, signal: AbortSignal): Promise<void> {
  const { type, config } = job.config.connector
  const connector = connectorOf(type)
  if (!connector) throw new DomainError('VALIDATION_ERROR', `connector.type: there is no connector ${type}`)
  const append = pageWriter(context, job, run)
  const untold = (error: unknown) => context.logger.error({ err: error, job_id: job.id }, 'a run could not be told of')
  const pages = connector.pull(connector.config.parse(config), run.state, {
    ...context.limits,
    guard: context.guard,
    signal,
    openFile: id => context.files.open(id),
    removeFile: id => context.files.remove(id),
    log: (level, message, metadata) => void run.tell(level, message, metadata).catch(untold),
  })
  for await (const page of pages) {
    if (signal.aborted) return
    await append(page)
  }
}

/** Appends pages, one at a time, each with its checkpoint. */
function pageWriter(context: RunContext, job: Job, run: Run): (page: PulledPage) => Promise<void> {
  const { log, codec, stream, limits } = context
  const { target } = job.config
  let total: number | null = null
  const intake: Intake = createIntake({
    ...{ log, codec, requestId: run.runId, actor: job.actor, jobId: job.id },
    ...{ source: target.source, dataset: target.dataset, upsert: target.upsert },
    ...{
      rules: context.rules,
      grow: context.grow,
      validate: target.validate,
      transform: target.transform,
      textOnly: target.text_only ?? false,
    },
    ...{
      maxDepth: limits.maxDepth,
      maxRecordBytes: limits.maxRecordBytes,
      numbering: 'line' as const,
      dataOnly: { idAt: target.id_at ?? null },
    },
    onTaken: context.onTaken,
    complete: appended => appended,
    append(batches) {
      const { runId: run_id, processed, rejected } = run
      const place = { job_id: job.id, run_id, number: run.number, state: JSON.stringify(run.state) }
      const checkpoint = { ...place, after: null, processed, rejected, total, at: Date.now() }
      const batch = codec.batch('sync.jobs', 'RunCheckpointed', `job/${job.id}`, checkpoint)
      return log.append([...batches, batch], { consumed: { group: run.group, stream, offset: run.number } })
    },
  })
  return async page => {
    const refused = intake.refused
    for (const [index, row] of page.rows.entries())
      take(intake, row, row.number ?? run.processed + index + 1, run.runId)
    run.number++
    run.state = page.state
    run.processed += page.rows.length
    run.rejected += intake.refused - refused
    total = page.total
    passPoint('runner.page-read')
    const appended = await intake.flush()!
    passPoint('runner.page-appended')
    run.position = run.position ? mergePositions(run.position, appended) : appended
  }
}

function take(intake: Intake, row: PulledPage['rows'][number], number: number, runId: string): void {
  if ('refused' in row) {
    const { original, originalBytes, ...why } = row.refused
    return intake.refuse(why, number, asBuffer(original), originalBytes, row.id)
  }
  const { id = `${runId}-${String(number).padStart(12, '0')}`, data } = row
  intake.add({ id, data }, number, () => Buffer.from(data))
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
