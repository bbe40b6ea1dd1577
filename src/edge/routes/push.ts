import type { Config } from '../../config.ts'
import { createIntake, type Intake, type IntakeOptions, type ShownError, type Tally } from '../../intake/intake.ts'
import { checkName, RowRefused } from '../../intake/parse.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { encodePosition } from '../../kernel/position.ts'
import { requireType, textBody } from '../body.ts'
import { readBatch } from '../ingest/batch.ts'
import { readStream, receipt } from '../ingest/stream.ts'
import { problemOf } from '../problem.ts'
import type { Reply, Request, Route } from '../router.ts'

const NDJSON = ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines']

interface PushOptions {
  source: string
  dataset: string
  upsert: boolean
  ack: 'durable' | 'projected'
}

function named(field: string, given: string | undefined, fallback: string): string {
  const name = given ?? fallback
  try {
    checkName(name, field)
  } catch (error) {
    if (error instanceof RowRefused) throw invalid(field, error.message.replace(`${field}: `, ''))
    throw error
  }
  return name
}

/** What every intake at this edge is made of. */
export function intakeOptions(
  { services, principal, exchange }: Request,
  { source, dataset, upsert }: Pick<PushOptions, 'source' | 'dataset' | 'upsert'>,
  more: { numbering: 'line' | 'index'; onRejected?: (error: ShownError) => void },
): IntakeOptions {
  const { log, codec, metrics, config, completePosition: complete } = services
  const limits = { maxDepth: config.jsonDepth, maxRecordBytes: config.lineBytes }
  const who = { requestId: exchange.requestId, actor: principal.id }
  const onTaken = metrics.taken
  return { log, codec, onTaken, complete, ...who, source, dataset, upsert, ...limits, ...more }
}

function summary({ exchange }: Request, { accepted, rejected, errors, position }: Tally, started: number) {
  const took = { processing_time_ms: Date.now() - started }
  const place = position ? { position: encodePosition(position) } : {}
  return { request_id: exchange.requestId, accepted, rejected, errors, ...took, ...place }
}

/** The answer to a push that is done: 200, 207 when some rows were refused, 400 when none was taken. */
function answer(request: Request, tally: Tally, started: number): Reply {
  const { accepted, rejected, errors } = tally
  const body = summary(request, tally, started)
  if (accepted > 0) return { status: rejected > 0 ? 207 : 200, body }
  const message = rejected === 0 ? 'the body has no records' : `all ${rejected} records were refused`
  const details = errors.map(({ index, field, message }) => ({
    field: `records.${index}${field ? `.${field}` : ''}`,
    message,
  }))
  const { body: problem } = problemOf(new DomainError('VALIDATION_ERROR', message, { details }), body.request_id)
  return { status: 400, body: { ...problem, ...body } }
}

/** The answer to a stream that broke off: the error, and how much of the push is durable all the same. */
function interrupted(request: Request, tally: Tally, started: number, error: unknown): Reply {
  const { exchange, services } = request
  const { status, headers, body: problem } = problemOf(error, exchange.requestId)
  if (status === 500) services.logger.error({ err: error, request_id: exchange.requestId }, 'a stream failed')
  return { status, headers, body: { ...problem, ...summary(request, tally, started) } }
}

function flow(config: Config) {
  const { lineBytes, streamPendingBytes, streamIdleSeconds } = config
  return { maxLineBytes: lineBytes, maxPendingBytes: streamPendingBytes, idleSeconds: streamIdleSeconds }
}

async function settle(request: Request, options: PushOptions, tally: Tally): Promise<void> {
  if (options.ack === 'projected' && tally.position) await request.services.progress.wait(tally.position)
}

const pushBatch: Route = {
  method: 'POST',
  path: '/push/batch',
  auth: 'sync:write',
  limit: 'push',
  async handle(request) {
    const { exchange, services, principal } = request
    const started = Date.now()
    requireType(exchange, 'application/json')
    const { config } = services
    const bytes = await textBody(exchange, config.bodyBytes)
    const batch = readBatch(bytes, config.batchRecords)
    const source = named('source', batch.source, principal.name)
    const dataset = named('dataset', batch.dataset ?? exchange.query.get('dataset') ?? undefined, source)
    const options = { source, dataset, upsert: batch.upsert, ack: batch.ack }
    const intake = createIntake(intakeOptions(request, options, { numbering: 'index' }))
    for (const [index, { start, end }] of batch.records.entries()) intake.row(bytes, start, end, index)
    await intake.flush()
    await settle(request, options, intake.tally)
    return answer(request, intake.tally, started)
  },
}

function streamOptions({ exchange, principal }: Request): PushOptions {
  const { query } = exchange
  const source = named('source', query.get('source') ?? undefined, principal.name)
  const dataset = named('dataset', query.get('dataset') ?? undefined, source)
  const upsert = query.get('upsert') ?? 'true'
  if (upsert !== 'true' && upsert !== 'false')
    throw invalid('upsert', `expected true or false, got ${upsert.slice(0, 40)}`)
  const ack = query.get('ack') ?? 'durable'
  if (ack !== 'durable' && ack !== 'projected')
    throw invalid('ack', `expected durable or projected, got ${ack.slice(0, 40)}`)
  return { source, dataset, upsert: upsert === 'true', ack }
}

const pushStream: Route = {
  method: 'POST',
  path: '/push/stream',
  auth: 'sync:write',
  limit: 'push',
  async handle(request) {
    const { exchange, services } = request
    const started = Date.now()
    requireType(exchange, ...NDJSON)
    const options = streamOptions(request)
    const receipts = NDJSON.includes((exchange.header('accept') ?? '').split(';')[0]!.trim())
    if (receipts) return streamWithReceipts(request, options, started)
    const intake = createIntake(intakeOptions(request, options, { numbering: 'line' }))
    try {
      await readStream({ exchange, intake, ...flow(services.config), onDurable: () => undefined, blocked: () => false })
        .done
    } catch (error) {
      return interrupted(request, intake.tally, started, error)
    }
    await settle(request, options, intake.tally)
    return answer(request, intake.tally, started)
  },
}

/** Answers while the body is still coming in: the status is 200, and the last line says how it ended. */
async function streamWithReceipts(request: Request, options: PushOptions, started: number): Promise<undefined> {
  const { exchange, services } = request
  let blocked = false
  const write = (text: string) => {
    blocked = !exchange.write(text) || blocked
  }
  const onRejected = (error: ShownError) => write(`${JSON.stringify({ error })}\n`)
  const intake = createIntake(intakeOptions(request, options, { numbering: 'line', onRejected }))
  exchange.begin(200, { 'Content-Type': 'application/x-ndjson' })
  const onDurable = (through: number) => write(receipt(through, intake))
  const stream = readStream({ exchange, intake, ...flow(services.config), onDurable, blocked: () => blocked })
  exchange.onWritable(() => {
    blocked = false
    stream.resumeStream()
  })
  try {
    await stream.done
    await settle(request, options, intake.tally)
    exchange.end(`${JSON.stringify(answer(request, intake.tally, started).body)}\n`)
  } catch (error) {
    exchange.end(`${JSON.stringify(interrupted(request, intake.tally, started, error).body)}\n`)
  }
}

export const push: readonly Route[] = [pushBatch, pushStream]
