import { isUtf8 } from 'node:buffer'
import type { Config } from '../../config.ts'
import { createIntake, type IntakeOptions, type ShownError, type Tally } from '../../intake/intake.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { encodePosition } from '../../kernel/position.ts'
import { requireType, requireUtf8, someBody } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import { fingerprintOf, type StreamFingerprint, streamFingerprint } from '../idempotency/fingerprint.ts'
import { keyOf, once } from '../idempotency/once.ts'
import { readBatch } from '../ingest/batch.ts'
import { readStream, receipt, skipStream } from '../ingest/stream.ts'
import { named } from '../names.ts'
import { type Problem, problemOf } from '../problem.ts'
import type { Reply, Request, Route } from '../router.ts'

const NDJSON = ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines']

interface PushOptions {
  source: string
  dataset: string
  upsert: boolean
  validate: boolean
  transform: boolean
  ack: 'durable' | 'projected'
}

/** What every intake at this edge is made of. */
export function intakeOptions(
  { services, principal, exchange }: Request,
  options: Omit<PushOptions, 'ack'>,
  more: Pick<IntakeOptions, 'numbering' | 'expectedBytes' | 'onRejected' | 'dataOnly'>,
): IntakeOptions {
  const { log, codec, metrics, config, rules, grow, completePosition: complete } = services
  const { source, dataset, upsert, validate, transform } = options
  const limits = { maxDepth: config.jsonDepth, maxRecordBytes: config.lineBytes }
  const who = { requestId: exchange.requestId, actor: principal.id }
  const onTaken = metrics.taken
  return {
    log,
    codec,
    onTaken,
    complete,
    ...who,
    rules,
    grow,
    source,
    dataset,
    upsert,
    validate,
    transform,
    ...limits,
    ...more,
  }
}

export function summary({ exchange }: Request, { accepted, rejected, errors, position }: Tally, started: number) {
  const took = { processing_time_ms: Date.now() - started }
  const place = position ? { position: encodePosition(position) } : {}
  return { request_id: exchange.requestId, accepted, rejected, errors, ...took, ...place }
}

/** The answer to a push that is done: 200, 207 when some rows were refused, 400 when none was taken. */
export function answer(request: Request, tally: Tally, started: number): Reply {
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
  const { body: problem, ...reply } = failed(request, error)
  return { ...reply, body: { ...problem, ...summary(request, tally, started) } }
}

/** An error that is answered by the route itself, which may have begun its answer. */
function failed({ exchange, services }: Request, error: unknown): Problem {
  const problem = problemOf(error, exchange.requestId)
  if (problem.status === 500) services.logger.error({ err: error, request_id: exchange.requestId }, 'a stream failed')
  return problem
}

function flow(config: Config) {
  const { lineBytes, streamPendingBytes, streamIdleSeconds } = config
  return { maxLineBytes: lineBytes, maxPendingBytes: streamPendingBytes, idleSeconds: streamIdleSeconds }
}

async function settle(request: Request, options: PushOptions, tally: Tally): Promise<void> {
  if (options.ack === 'projected' && tally.position)
    await request.services.progress.wait(tally.position, ['sync.records'])
}

/** Query parameters that change what a push means. */
const BATCH_QUERY = ['dataset']
const STREAM_QUERY = ['source', 'dataset', 'upsert', 'validate', 'transform', 'ack']

const pushBatch: Route = {
  method: 'POST',
  path: '/push/batch',
  auth: 'sync:write',
  limit: 'push',
  async handle(request) {
    const { exchange, services } = request
    const started = Date.now()
    requireType(exchange, 'application/json')
    const bytes = await someBody(exchange, services.config.bodyBytes)
    return once(request, fingerprintOf(exchange, BATCH_QUERY, bytes), () => takeBatch(request, bytes, started))
  },
}

const NOT_UTF8 = { code: 'INVALID_UTF8', field: null, message: 'the record is not valid UTF-8' }

/** Takes in a batch, whose body this is: as POST /push/batch does. */
export async function takeBatch(request: Request, bytes: Buffer, started: number): Promise<Reply> {
  const { exchange, services, principal } = request
  const batch = readBatch(bytes, services.config.batchRecords)
  const source = named('source', batch.source, principal.name)
  const dataset = named('dataset', batch.dataset ?? exchange.query.get('dataset') ?? undefined, source)
  const { upsert, validate, transform, ack } = batch
  const options = { source, dataset, upsert, validate, transform, ack }
  const intake = createIntake(intakeOptions(request, options, { numbering: 'index', expectedBytes: bytes.length }))
  const valid = isUtf8(bytes)
  if (!valid) {
    // Whose bytes are wrong is refused by itself; around the records there is nobody to refuse.
    requireUtf8(bytes.subarray(0, batch.records[0]!.start))
    requireUtf8(bytes.subarray(batch.records.at(-1)!.end))
  }
  for (const [index, { start, end }] of batch.records.entries()) {
    if (valid || isUtf8(bytes.subarray(start, end))) intake.row(bytes, start, end, index)
    else
      intake.refuse(
        NOT_UTF8,
        index,
        bytes.subarray(start, Math.min(end, start + services.config.lineBytes)),
        end - start,
      )
  }
  await intake.flush()
  await settle(request, options, intake.tally)
  return answer(request, intake.tally, started)
}

function streamOptions({ exchange, principal }: Request): PushOptions {
  const { query } = exchange
  const source = named('source', query.get('source') ?? undefined, principal.name)
  const dataset = named('dataset', query.get('dataset') ?? undefined, source)
  const flag = (name: string) => {
    const text = query.get(name) ?? 'true'
    if (text !== 'true' && text !== 'false') throw invalid(name, `expected true or false, got ${text.slice(0, 40)}`)
    return text === 'true'
  }
  const ack = query.get('ack') ?? 'durable'
  if (ack !== 'durable' && ack !== 'projected')
    throw invalid('ack', `expected durable or projected, got ${ack.slice(0, 40)}`)
  return { source, dataset, upsert: flag('upsert'), validate: flag('validate'), transform: flag('transform'), ack }
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
    const lines = NDJSON.includes((exchange.header('accept') ?? '').split(';')[0]!.trim())
      ? answerInLines(exchange)
      : undefined
    const fingerprint = streamFingerprint(exchange, STREAM_QUERY, onPiece =>
      skipStream({ exchange, ...flow(services.config), onPiece }),
    )
    const reply = await once(request, fingerprint, () => takeStream(request, options, { started, fingerprint, lines }))
      // What goes wrong once an answer has begun is its last line.
      .catch(error => {
        if (lines?.begun) return failed(request, error)
        throw error
      })
    return lines ? lines.end(reply) : reply
  },
}

async function takeStream(
  request: Request,
  options: PushOptions,
  { started, fingerprint, lines }: { started: number; fingerprint: StreamFingerprint; lines: Lines | undefined },
): Promise<Reply> {
  const { exchange, services } = request
  const intake = createIntake(
    intakeOptions(request, options, { numbering: 'line', ...(lines ? { onRejected: lines.onRejected } : {}) }),
  )
  lines?.begin()
  const stream = readStream({
    exchange,
    intake,
    ...flow(services.config),
    onPiece: keyOf(exchange) === undefined ? undefined : fingerprint.add,
    onDurable: (through, counted) => lines?.write(receipt(through, counted)),
    blocked: () => lines?.blocked ?? false,
  })
  lines?.onWritable(() => stream.resumeStream())
  try {
    await stream.done
    fingerprint.whole()
    await settle(request, options, intake.tally)
  } catch (error) {
    return interrupted(request, intake.tally, started, error)
  }
  return answer(request, intake.tally, started)
}

/** An answer that is given while the body is still coming in: the status is 200, and the last line says how it ended. */
interface Lines {
  readonly begun: boolean
  /** Whether the reader is slow. */
  readonly blocked: boolean
  begin(): void
  write(text: string): void
  onRejected(error: ShownError): void
  onWritable(listener: () => void): void
  end(reply: Reply): undefined
}

function answerInLines(exchange: Exchange): Lines {
  let begun = false
  let blocked = false
  const begin = (headers: Record<string, string> = {}) => {
    if (!begun) exchange.begin(200, { ...headers, 'Content-Type': 'application/x-ndjson' })
    begun = true
  }
  const write = (text: string) => {
    blocked = !exchange.write(text) || blocked
  }
  return {
    get begun() {
      return begun
    },
    get blocked() {
      return blocked
    },
    begin,
    write,
    onRejected: error => write(`${JSON.stringify({ error })}\n`),
    onWritable(listener) {
      exchange.onWritable(() => {
        blocked = false
        listener()
      })
    },
    end({ body, headers }) {
      begin(headers)
      exchange.end(`${typeof body === 'string' ? body : JSON.stringify(body)}\n`)
      return undefined
    },
  }
}

export const push: readonly Route[] = [pushBatch, pushStream]
