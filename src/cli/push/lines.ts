import { DomainError, type ErrorCode } from '../../kernel/errors.ts'
import { type Api, linesOf } from '../client.ts'
import type { Patience } from '../patience.ts'
import type { Chunk } from './chunks.ts'
import type { Tally } from './tally.ts'

const NDJSON = 'application/x-ndjson'

export interface LinesOptions {
  readonly api: Api
  /** With its query. */
  readonly path: string
  /** What the keys of this push begin with. */
  readonly key: string
  readonly patience: Patience
  readonly tally: Tally
  /** Whether it should come to an end now. */
  readonly stopping: () => boolean
}

/** A line of the answer that comes while lines go out. */
interface Receipt {
  readonly through: number
  readonly accepted: number
  readonly rejected: number
  readonly position: string | null
}

interface Refused {
  readonly line: number
  readonly field: string | null
  readonly code: string
  readonly message: string
}

/** What one request has come to. */
interface Attempt {
  receipt: Receipt
  readonly refused: Refused[]
}

interface Summary extends Omit<Receipt, 'through'> {
  readonly request_id: string
  readonly errors: readonly Refused[]
  readonly error?: { code: ErrorCode; message: string; details: readonly { field: string; message: string }[] }
}

/**
 * Pushes the lines of a chunk. Where a request breaks off, what the service had said is in is not sent again, and the rest
 * goes under a key of its own, so that a request that was whole after all is not taken twice. Throws what will not pass.
 */
export async function pushChunk(options: LinesOptions, chunk: Chunk): Promise<void> {
  const { tally, patience } = options
  for (let done = 0; done < chunk.count && !options.stopping(); ) {
    const attempt: Attempt = { receipt: { through: 0, accepted: 0, rejected: 0, position: null }, refused: [] }
    const began = tally.snapshot()
    const onReceipt = (receipt: Receipt) => {
      attempt.receipt = receipt
      patience.moved()
      const part = (done + receipt.through) / chunk.count
      tally.restore(began, receipt, { lines: receipt.through, bytes: chunk.through - chunk.bytes.length * (1 - part) })
    }
    try {
      const summary = await send(options, chunk, done, attempt, onReceipt)
      onReceipt({ ...summary, through: chunk.count - done })
    } catch (error) {
      await patience.wait(error)
    } finally {
      const { through } = attempt.receipt
      for (const each of attempt.refused)
        if (each.line <= through) tally.tell({ ...each, line: chunk.from + done + each.line - 1 })
      done += through
    }
  }
}

async function send(
  { api, path, key }: LinesOptions,
  chunk: Chunk,
  done: number,
  attempt: Attempt,
  onReceipt: (receipt: Receipt) => void,
): Promise<Summary> {
  const headers = { 'content-type': NDJSON, accept: NDJSON, 'idempotency-key': `${key}-${chunk.from + done}` }
  const body = chunk.bytes.subarray(startOf(chunk.bytes, done))
  const answer = await api(path, { method: 'POST', headers, body })
  let summary: Summary | undefined
  try {
    for await (const line of linesOf(answer)) {
      const told = JSON.parse(line) as Receipt | Summary | { error: Refused }
      if ('request_id' in told) summary = told
      else if ('through' in told) onReceipt(told)
      else attempt.refused.push(told.error)
    }
  } catch (error) {
    if (!summary) throw cutOff(error as Error)
  }
  if (!summary) throw cutOff()
  const { error, accepted, rejected, errors } = summary
  // That no row of the chunk was good is told as an error, and no reason to stop.
  if (error && !(error.code === 'VALIDATION_ERROR' && accepted === 0 && (rejected > 0 || errors.length === 0))) {
    throw new DomainError(error.code, error.message, { details: error.details })
  }
  // An answer that was given before is told in short.
  if (attempt.refused.length === 0) attempt.refused.push(...errors)
  return summary
}

function cutOff(error?: Error): DomainError {
  return new DomainError('UNAVAILABLE', `the connection was cut${error ? `: ${error.message}` : ''}`)
}

/** Where the line after so many begins. */
function startOf(bytes: Buffer, lines: number): number {
  let at = 0
  for (let n = 0; n < lines; n++) at = bytes.indexOf(10, at) + 1
  return at
}
