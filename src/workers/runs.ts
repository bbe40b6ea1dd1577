import { SourceBusy } from '../catalog/connectors/connector.ts'
import { referenceAt } from '../intake/hidden.ts'
import { DomainError } from '../kernel/errors.ts'
import { passPoint } from '../kernel/points.ts'
import { encodePosition, mergePositions } from '../kernel/position.ts'
import type { Commands } from '../log/commands.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Job } from './jobs-held.ts'
import type { Run, RunContext } from './run-context.ts'
import { type Delivery, FORWARDED, openDelivery } from './run-deliveries.ts'
import { pageWriter, pump } from './run-pages.ts'
import { openSettings, type RunSettings } from './run-settings.ts'

const ACTOR = 'runner'
/**
 * One run of a job, from its checkpoint to its end: ends when the run has ended or waits, or `signal` aborts; fails when
 * something of ours is not there, and may then be begun again. Each page's records, refused rows and checkpoint are one
 * append under the job's own checkpoint, numbered on over all runs: a runner that was taken over from is refused.
 */
export async function runOnce(context: RunContext, job: Job, runId: string, signal: AbortSignal): Promise<void> {
  const { log, commands, stream } = context
  const started = Date.now()
  const owned = await log.own(`job-${job.id}`, stream)
  // Whoever had the job before may have appended something that has not been followed yet.
  await Promise.all([context.seen(await log.written(stream), signal), context.rulesReady()])
  const ids = { job_id: job.id, run_id: runId }
  const by = { actor: ACTOR, requestId: runId }
  const send = async (command: Parameters<Commands['send']>[1]) => {
    const taken = await accepted(commands.send(`job/${job.id}`, command, by))
    // What follows from it says whether this run is to go on here: until then it would be begun again.
    await context.seen(await log.written(stream), signal).catch(error => {
      if (!signal.aborted) throw error
    })
    return taken
  }
  if (!(await send({ type: 'BeginRun', data: ids }))) return
  passPoint('runner.begun')
  let scrub = (text: string) => text
  const tell: Run['tell'] = (level, message, metadata = {}) => {
    const told = { message: scrub(message), metadata: scrub(JSON.stringify(metadata)) }
    const entry = { ...ids, level, ...told, at: Date.now() }
    return log.append([context.codec.batch('sync.logs', 'RunLogged', `job/${job.id}`, entry)])
  }
  const run = await beginRun(context, job, runId, owned, tell)
  const outcome = () => ({ ...ids, position: run.position ? encodePosition(run.position) : null })
  const ended = async (status: 'success' | 'failure', command: Parameters<Commands['send']>[1]) => {
    const taken = await send(command)
    if (taken) context.onEnded(job.config.connector.type, status, (Date.now() - started) / 1000)
    return taken
  }
  try {
    const settings = await openSettings(job.config, context.secrets, context.limits.rowLimits)
    scrub = settings.scrub
    await pullAll(context, job, run, settings, signal)
    if (signal.aborted) return
    const result = settings.connector.result?.(settings.config, run.state)
    passPoint('runner.all-read')
    await tell('info', 'the run is complete', { processed: run.processed, rejected: run.rejected })
    const completed = await ended('success', {
      type: 'CompleteRun',
      data: { ...outcome(), result: result ? JSON.stringify(result) : null },
    })
    passPoint('runner.completed')
    // Paused or cancelled at the last moment it is resumed or started again, and needs all it had.
    if (completed) await letGo(context, job, settings)
  } catch (error) {
    if (signal.aborted) return
    if (error instanceof SourceBusy && run.failures < context.limits.retries) {
      const waiting = wait(error, ++run.failures)
      await tell('warning', 'the run waits', {
        reason: error.message,
        until: new Date(waiting.until),
        failures: run.failures,
      })
      await send({ type: 'WaitRun', data: { ...ids, ...waiting, reason: scrub(waiting.reason) } })
      return
    }
    const failure = asFailure(error, context.logger, job.id, scrub)
    if (!failure) throw error
    const { processed } = run
    await tell('error', 'the run has failed', { message: failure.message, processed })
    const details = scrub(JSON.stringify(failure.details))
    await ended('failure', { type: 'FailRun', data: { ...outcome(), ...failure, details } })
  }
}

async function beginRun(context: RunContext, job: Job, runId: string, owned: number, tell: Run['tell']): Promise<Run> {
  const { log, logger } = context
  const last = job.checkpoint?.run_id === runId ? job.checkpoint : undefined
  const processed = last?.processed ?? 0
  await tell('info', last ? 'the run goes on' : 'the run begins', { processed })
  const ends = await log.ends(FORWARDED)
  const places = log.streams(FORWARDED).map(stream => log.place(stream, ends.get(stream.name)!))
  return {
    ...{ group: `job-${job.id}`, runId, tell, processed, rejected: last?.rejected ?? 0, failures: job.failures },
    untold: error => logger.error({ err: error, job_id: job.id }, 'a run could not be told of'),
    checkpoint: job.checkpoint,
    number: Math.max(owned, job.checkpoint?.number ?? 0),
    state: last && JSON.parse(last.state),
    position: undefined,
    after: places.reduce(mergePositions),
  }
}

async function pullAll(
  context: RunContext,
  job: Job,
  run: Run,
  settings: RunSettings,
  signal: AbortSignal,
): Promise<void> {
  const { connector, config } = settings
  const { limits, guard, files, datasets } = context
  const goesOn = job.checkpoint?.run_id === run.runId
  if (!goesOn && job.connectorState !== undefined) run.state = connector.begin?.(JSON.parse(job.connectorState))
  const delivery: Delivery | undefined = await context.patiently(openDelivery(context, job, run, settings, signal))
  const opened: { close(): Promise<void> }[] = []
  try {
    const { write, end } = pageWriter(context, job, run, settings, delivery)
    const pull = (signal: AbortSignal) =>
      connector.pull(config, run.state ?? undefined, {
        ...limits,
        ...{ guard, signal, datasets },
        async openFile(id) {
          const file = await files.open(id)
          opened.push(file)
          return file
        },
        removeFile: id => files.remove(id),
        async keepSecret(path, secret) {
          const reference = referenceAt(job.config.connector.config, path)
          if (reference === undefined) return
          settings.learn(secret)
          await context.secrets.put(reference, secret)
        },
        log: (level, message, metadata) => void run.tell(level, message, metadata).catch(run.untold),
      })
    await pump(pull, limits, context.patiently, signal, write)
    if (!signal.aborted) await end()
  } finally {
    // Rows may look into their file until they have been handled, which is after the last has been pulled.
    await Promise.all([...opened.map(file => file.close()), delivery?.stop()])
  }
}

/** What is left behind costs room and nothing else: it is told of, and removed when its time is over. */
async function letGo({ files, logger }: RunContext, { id }: Job, { connector, config }: RunSettings): Promise<void> {
  const work = connector.finish?.(config, { removeFile: each => files.remove(each) })
  await work?.catch(error => logger.warn({ err: error, job_id: id }, 'what a run needed could not be removed'))
}

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 60_000
/** Longer than anybody asks for in earnest. */
const LONGEST_ASKED_MS = 86_400_000

/** Until when a run waits: as long as it was asked to, else twice as long each time. */
function wait({ message, until }: SourceBusy, failures: number): { until: number; reason: string; failures: number } {
  const now = Date.now()
  const backOff = Math.min(FIRST_WAIT_MS * 2 ** (failures - 1), LONGEST_WAIT_MS) * (0.75 + Math.random() / 2)
  const wanted = until === undefined ? backOff : Math.min(Math.max(until - now, 0), LONGEST_ASKED_MS)
  return { until: Math.round(now + wanted), reason: message, failures }
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
function asFailure(error: unknown, logger: Logger, jobId: string, scrub: (text: string) => string) {
  if (error instanceof SourceBusy) {
    return { code: 'UNAVAILABLE', message: scrub(error.message), details: error.details }
  }
  if (error instanceof DomainError) {
    const { code, message, details } = error
    // Our own log or store: the run begins again. Or somebody has taken the job over.
    return code === 'UNAVAILABLE' || code === 'CONFLICT' ? undefined : { code, message: scrub(message), details }
  }
  const { name, stack } = error instanceof Error ? error : new Error(String(error))
  logger.error({ error: name, stack: scrub(stack ?? ''), job_id: jobId }, 'a run failed')
  return { code: 'INTERNAL_ERROR', message: 'something went wrong on our side; the job id is in our logs', details: [] }
}
