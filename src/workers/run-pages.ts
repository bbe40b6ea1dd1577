import type { PulledPage, PulledRow } from '../catalog/connectors/connector.ts'
import { createIntake } from '../intake/intake.ts'
import { passPoint } from '../kernel/points.ts'
import { encodePosition, mergePositions } from '../kernel/position.ts'
import { keyOf } from '../kernel/record-id.ts'
import type { Lend } from '../kernel/slots.ts'
import type { Job } from './jobs-held.ts'
import type { Run, RunContext } from './run-context.ts'
import type { Delivery } from './run-deliveries.ts'
import { createOddities } from './run-oddities.ts'
import type { RunSettings } from './run-settings.ts'

/**
 * Hands pages on to `write` while further ones are pulled: what came in while it was busy goes together, up to about a
 * page's bounds. When it fails, pulling ends.
 */
export async function pump(
  pull: (signal: AbortSignal) => AsyncIterable<PulledPage>,
  { pageRows, pageBytes }: { pageRows: number; pageBytes: number },
  patiently: Lend,
  signal: AbortSignal,
  write: (pages: readonly PulledPage[]) => Promise<void>,
): Promise<void> {
  const broken = new AbortController()
  let waiting: PulledPage[] = []
  let rows = 0
  let bytes = 0
  let writing: Promise<void> | undefined
  let failure: { error: unknown } | undefined

  async function drain(): Promise<void> {
    while (waiting.length > 0 && !signal.aborted) {
      const taken = waiting
      waiting = []
      rows = 0
      bytes = 0
      await write(taken)
    }
    writing = undefined
  }

  const pages = pull(AbortSignal.any([signal, broken.signal]))[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value: page } = await patiently(pages.next())
      if (done || signal.aborted || failure) break
      waiting.push(page)
      rows += page.rows.length
      bytes += page.bytes ?? bytesOf(page)
      writing ??= drain().catch(error => {
        failure = { error }
        broken.abort(error)
      })
      if (writing && (rows >= pageRows || bytes >= pageBytes)) await patiently(writing)
    }
  } catch (error) {
    await writing
    throw failure ? failure.error : error
  } finally {
    await pages.return?.()
  }
  await writing
  if (failure) throw failure.error
}

function bytesOf({ rows }: PulledPage): number {
  let bytes = 0
  for (const row of rows) bytes += 'data' in row ? row.data.length : row.refused.original.length
  return bytes
}

/** Appends pages, each time with the checkpoint that follows the last of them, and has them delivered. */
export function pageWriter(
  context: RunContext,
  job: Job,
  run: Run,
  { connector, transform }: RunSettings,
  delivery: Delivery | undefined,
): { write(pages: readonly PulledPage[]): Promise<void>; end(): Promise<void> } {
  const { log, codec, stream, limits } = context
  const { target } = job.config
  // A destination outside finds its keys itself.
  const keys = delivery ? [] : (target.key_columns ?? [])
  const oddities = createOddities(job, run)
  const goesOn = job.checkpoint?.run_id === run.runId
  let total = goesOn ? job.checkpoint!.total : null
  let delivered: Promise<void> = Promise.resolve()
  let hasPages = goesOn
  /** Rows up to the last append. */
  let { processed } = run
  const intake = createIntake({
    ...{ log, codec, requestId: run.runId, actor: job.actor, jobId: job.id },
    ...{ source: target.source, dataset: target.dataset, upsert: target.upsert },
    ...{ rules: context.rules, grow: context.grow, validate: target.validate, transform: target.transform },
    ...{ maxDepth: limits.maxDepth, maxRecordBytes: limits.maxRecordBytes, textOnly: target.text_only ?? false },
    ...{ numbering: 'line', dataOnly: { idAt: target.id_at ?? null } },
    onTaken: context.onTaken,
    onRejected: oddities.refused,
    complete: appended => appended,
    append(batches) {
      const rows = delivery?.take(run.number)
      const { runId: run_id, rejected, number } = run
      const place = { job_id: job.id, run_id, number, state: JSON.stringify(run.state ?? null) }
      const count = {
        processed: run.processed,
        rejected,
        total,
        taken: rows?.count ?? 0,
        after: encodePosition(run.after),
      }
      run.checkpoint = { ...place, ...count, at: Date.now() }
      const batch = codec.batch('sync.jobs', 'RunCheckpointed', `job/${job.id}`, run.checkpoint)
      return log.append([...batches, ...(rows ? [rows] : []), batch], {
        consumed: { group: run.group, stream, offset: number },
      })
    },
  })

  function take(row: PulledRow, number: number): void {
    if ('refused' in row) {
      const { original, originalBytes, ...why } = row.refused
      return intake.refuse(why, number, asBuffer(original), originalBytes, row.id)
    }
    if (connector.pagesMayShift) oddities.came(row.data)
    const original = () => (row.original ? asBuffer(row.original()) : Buffer.from(row.data))
    const made = transform ? transform(row.data) : { json: row.data }
    if ('dropped' in made) return
    if ('refused' in made) {
      const bytes = original()
      return intake.refuse(
        { stage: 'transform', data: row.original ? row.data : null, ...made.refused },
        number,
        bytes,
        bytes.length,
        row.id,
      )
    }
    const id = idOfRow(made.json, row.id, number)
    const tooLong = made.json.length > limits.maxRecordBytes / 3 && Buffer.byteLength(made.json) > limits.maxRecordBytes
    if (tooLong) {
      const bytes = original()
      const message = `the row has ${Buffer.byteLength(made.json)} bytes, more than ${limits.maxRecordBytes}`
      const kept = bytes.subarray(0, limits.maxRecordBytes)
      return intake.refuse({ code: 'TOO_LONG', field: null, message }, number, kept, bytes.length, row.id)
    }
    if (typeof id === 'string') {
      if (target.key_columns) oddities.keyed(delivery ? undefined : id, made.json)
      if (delivery) delivery.add({ number, id, op: 'upsert', data: made.json, at: Date.now() })
      else intake.add({ id, data: made.json, origin: row.origin ?? null }, number, original)
      return
    }
    const bytes = original()
    intake.refuse({ stage: 'transform', data: row.original ? row.data : null, ...id }, number, bytes, bytes.length)
  }

  /** The text of the key columns, else the connector's own id, else one that follows from the row's place in the run. */
  function idOfRow(data: string, own: string | undefined, number: number) {
    if (keys.length === 0) return own ?? `${run.runId}-${String(number).padStart(12, '0')}`
    const key = keyOf(data, keys)
    if ('id' in key) return key.id
    const message = `${key.column}: expected a text or a number, as a key column has`
    return { code: 'MISSING_FIELD', field: key.column, value: key.value?.slice(0, 100) ?? null, message }
  }

  async function append(): Promise<void> {
    run.number++
    passPoint('runner.page-read')
    // At most one append is ahead of the destination: that is what a run that goes on can read again.
    await delivered
    await oddities.tellKeys()
    const { position } = await intake.flush()!
    passPoint('runner.page-appended')
    hasPages = true
    // A page without rows is no sign that the source is well again.
    if (run.processed > processed) run.failures = 0
    processed = run.processed
    run.position = position!
    run.after = mergePositions(run.after, position!)
    if (!delivery) return
    delivered = delivery.deliver()
    delivered.catch(() => undefined)
  }

  return {
    async write(pages) {
      for (const page of pages) {
        const refused = intake.refused
        let number = run.processed
        for (const row of page.rows) {
          number++
          take(row, row.number ?? number)
        }
        run.processed += page.rows.length
        run.rejected += intake.refused - refused
        run.state = page.state
        total = page.total ?? total
      }
      await append()
    },
    async end() {
      // Of a source that has nothing, too, a destination learns that there was a run.
      if (delivery && !hasPages) await append()
      await delivered
      await oddities.tellAll()
      await delivery?.complete(run.rejected)
    },
  }
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
