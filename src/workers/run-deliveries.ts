import type { Sink, SinkPage, SinkRefusal, SinkRow } from '../catalog/destinations/destination.ts'
import { destinationOf } from '../catalog/destinations/index.ts'
import type { RecordForwarded, RunCheckpointed } from '../events/index.ts'
import { createIntake } from '../intake/intake.ts'
import { DomainError } from '../kernel/errors.ts'
import { partitionOf } from '../kernel/hash.ts'
import { passPoint } from '../kernel/points.ts'
import { offsetIn, parsePosition } from '../kernel/position.ts'
import { keyOf } from '../kernel/record-id.ts'
import { batchWriter } from '../log/batch.ts'
import type { EventBatch } from '../log/log.ts'
import type { Job } from './jobs-held.ts'
import type { Run, RunContext } from './run-context.ts'
import type { RunSettings } from './run-settings.ts'

export const FORWARDED = 'sync.forwarded'
const BUFFER_BYTES = 256 * 1024
const READ = { maxEvents: 5000, maxBytes: 4_194_304, waitMs: 0 }

/** A run's rows on their way from the log to a destination outside. */
export interface Delivery {
  /** Takes a row for the next append. */
  add(row: SinkRow): void
  /** What the append with this number has for the destination; undefined for nothing. */
  take(number: number): EventBatch | undefined
  /** Delivers what was taken last, once it is in the log. */
  deliver(): Promise<void>
  /** The run has come to its end, `missed` of its source's rows having been refused on the way. */
  complete(missed: number): Promise<void>
  stop(): Promise<void>
}

/** Connects to a run's destination and delivers what the log has and it has not; undefined when there is none. */
export async function openDelivery(
  context: RunContext,
  job: Job,
  run: Run,
  { destination, whole }: RunSettings,
  signal: AbortSignal,
): Promise<Delivery | undefined> {
  if (!destination) return undefined
  const found = destinationOf(destination.type)
  if (!found) throw new DomainError('VALIDATION_ERROR', `destination.type: there is no destination ${destination.type}`)
  const { limits, guard, brokers, folders } = context
  const ids = { jobId: job.id, runId: run.runId }
  const sink = await found.open(found.config.parse(destination), {
    ...ids,
    ...{ signal, guard, whole, brokers, folders, answerMs: limits.answerMs },
    log: (level, message, metadata) => void run.tell(level, message, metadata).catch(run.untold),
  })
  try {
    const refused = await refusals(context, job, run)
    await catchUp(context, job, run, sink, whole, refused.take)
    return delivery(context, run, job, sink, refused)
  } catch (error) {
    await sink.stop()
    throw error
  }
}

type Refusals = Awaited<ReturnType<typeof refusals>>

function delivery({ codec, onTaken }: RunContext, run: Run, job: Job, sink: Sink, refused: Refusals): Delivery {
  const events = batchWriter(BUFFER_BYTES)
  const ids = { job_id: job.id, run_id: run.runId }
  const key = Buffer.from(job.id)
  let rows: SinkRow[] = []
  let page: SinkPage | undefined
  let bytes = 0
  return {
    add(row) {
      rows.push(row)
      events.add(key, (buffer, at) => codec.write('RecordForwarded', { ...ids, ...row }, buffer, at))
    },
    take(number) {
      page = { number, rows }
      rows = []
      bytes = events.size
      return events.take(FORWARDED)
    },
    async deliver() {
      const taken = page!
      onTaken({ accepted: taken.rows.length, rejected: 0, bytes })
      await sink.write(taken, each => refused.take(taken, each))
      passPoint('runner.page-delivered')
    },
    complete: missed => sink.complete(missed),
    stop: () => sink.stop(),
  }
}

/**
 * Keeps the rows that a destination refuses: those of a page once, however often it is delivered, in one append with the
 * page's checkpoint that counts them.
 */
async function refusals(context: RunContext, job: Job, run: Run) {
  const { log, codec, stream, limits, rules, grow, onTaken } = context
  const { target, destination } = job.config
  const group = `sink-${job.id}`
  let kept = await log.own(group, stream)
  return {
    async take({ number }: SinkPage, refused: readonly SinkRefusal[]): Promise<void> {
      if (refused.length === 0 || number <= kept) return
      const intake = createIntake({
        ...{ log, codec, requestId: run.runId, actor: job.actor, jobId: job.id, rules, grow, onTaken },
        ...{ source: target.source, dataset: target.dataset, upsert: target.upsert },
        ...{ validate: target.validate, transform: target.transform },
        ...{ maxDepth: limits.maxDepth, maxRecordBytes: limits.maxRecordBytes },
        ...{ numbering: 'line', dataOnly: { idAt: null } },
        complete: appended => appended,
        append(batches) {
          const last = run.checkpoint!
          run.checkpoint = { ...last, rejected: last.rejected + refused.length, at: Date.now() }
          const batch = codec.batch('sync.jobs', 'RunCheckpointed', `job/${job.id}`, run.checkpoint)
          return log.append([...batches, batch], { consumed: { group, stream, offset: number } })
        },
      })
      for (const { row, ...why } of refused) {
        const bytes = Buffer.from(row.data)
        const key = keyOf(row.data, target.key_columns ?? [])
        const id = 'id' in key && key.id !== '' ? key.id : row.id
        intake.refuse({ ...why, stage: 'destination' }, row.number, bytes, bytes.length, id)
      }
      await intake.flush()
      kept = number
      run.rejected += refused.length
      const { table } = destination as { table?: string }
      const told = { count: refused.length, first: refused[0]!.message, table }
      await run.tell('warning', 'the destination refused rows', told)
    },
  }
}

/**
 * Delivers the last append again when the destination lacks it. Between two appends the destination is waited for, so it
 * lacks one at most, unless somebody has changed it.
 */
async function catchUp(
  context: RunContext,
  job: Job,
  run: Run,
  sink: Sink,
  whole: boolean,
  onRefused: Refusals['take'],
): Promise<void> {
  const last = job.checkpoint
  const goesOn = last?.run_id === run.runId
  // A run that begins anew brings everything again, unless its source only tells what is new.
  if (!last || (!goesOn && whole)) return
  const before = sink.checkpoint?.number ?? (goesOn ? job.pagesBefore : last.number)
  if (before >= last.number) return
  if (before < last.number - 1) {
    const message = `the destination has page ${before} of this job and lacks the pages up to ${last.number}, which a run delivers in order: start the job again`
    throw new DomainError('VALIDATION_ERROR', message)
  }
  const page = { number: last.number, rows: await readAgain(context, job, last) }
  await run.tell('info', 'a page that the destination lacked is delivered again', { rows: page.rows.length })
  await sink.write(page, refused => onRefused(page, refused))
}

/** The rows of a checkpoint's append, from the log. */
async function readAgain({ log, codec }: RunContext, job: Job, last: RunCheckpointed): Promise<SinkRow[]> {
  const place = parsePosition(last.after ?? '', 'after')
  const known = place.log === log.id ? place : await log.adopt(place, [FORWARDED])
  const rows: SinkRow[] = []
  // All rows of a job are in one stream, for its id is their key.
  const streams = log.streams(FORWARDED)
  const stream = streams[partitionOf(Buffer.from(job.id), streams.length)]!
  const end = (await log.ends(FORWARDED)).get(stream.name)!
  for (let after = known ? offsetIn(known, stream.name) : -1; after < end && rows.length < last.taken; ) {
    const page = await log.read(stream, after, READ)
    await codec.prepare(page.events)
    for (const { value } of page.events) {
      const { job_id, run_id, ...row } = codec.decode(value).data as RecordForwarded
      if (job_id === job.id && run_id === last.run_id) rows.push(row)
    }
    after = page.through
  }
  if (rows.length < last.taken) {
    const message = `${last.taken - rows.length} rows of page ${last.number} are not in the log any more: start the job again`
    throw new DomainError('VALIDATION_ERROR', message)
  }
  return rows
}
