import { createGunzip } from 'node:zlib'
import type { Counted, Intake } from '../../intake/intake.ts'
import { DomainError } from '../../kernel/errors.ts'
import { encodePosition } from '../../kernel/position.ts'
import { unknownEncoding } from '../bodies.ts'
import type { Exchange } from '../exchange.ts'
import { watchIdle } from '../idle.ts'
import { createLineSplitter } from './lines.ts'

const FLUSH_BYTES = 512 * 1024
/**
 * Work that one turn of the event loop does for a stream, in lines: about 10 ms. A refused line, which is kept with its
 * reason, costs as much as several good ones: without a bound a flood of them would hold up everyone else for seconds.
 */
const LINES_A_TURN = 8192
const LINES_A_REFUSAL = 8

export interface StreamOptions {
  exchange: Exchange
  intake: Intake
  maxLineBytes: number
  /** Bytes on their way to the log at which the socket is paused. */
  maxPendingBytes: number
  /** How long the client may be silent before it is cut off. */
  idleSeconds: number
  /** Given each piece of the body, unzipped; good only during the call. */
  onPiece?: ((piece: Buffer) => void) | undefined
  /** Told each time more has become durable: all lines up to `through` are decided, and come to `counted`. */
  onDurable: (through: number, counted: Counted) => void
  /** Whether the answer's reader is slow, so that no more should be read until `resumeStream` is called. */
  blocked: () => boolean
}

/** A push whose lines come in as fast as the log takes them. */
export interface PushStream {
  /** Resolves when the whole body is durable; rejects when the log refuses, or the client goes away. */
  readonly done: Promise<void>
  /** To be called when `blocked` has become false. */
  resumeStream(): void
}

/**
 * Reads NDJSON from a request into the log in constant memory: parsing happens as bytes arrive, at most
 * `maxPendingBytes` wait for the log, and past that the socket is paused, which in the end stops the client.
 */
export function readStream(options: StreamOptions): PushStream {
  const { exchange, intake, maxLineBytes, maxPendingBytes } = options
  let pending = 0
  let flushes: Promise<void> = Promise.resolve()
  let failed = false
  let stopped = false
  const { promise: done, resolve: finish, reject } = Promise.withResolvers<void>()
  const fail = (error: unknown) => {
    failed = true
    reject(error)
  }
  const idle = watchIdle(exchange, options.idleSeconds)
  /** Where this turn began. */
  const turn = { line: 0, refused: 0 }
  /** What has come in and is left for later turns. */
  const left: Buffer[] = []
  let scheduled = false
  let ended = false
  const lines = createLineSplitter(maxLineBytes, {
    row: (bytes, start, end, line) => intake.row(bytes, start, end, line),
    refuse: (row, line, original, originalBytes) => intake.refuse(row, line, original, originalBytes),
    enough: () => lines.line - turn.line + (intake.refused - turn.refused) * LINES_A_REFUSAL >= LINES_A_TURN,
  })

  function flush(): void {
    const bytes = intake.collected
    const through = lines.line
    const durable = intake.flush()
    if (!durable) return
    pending += bytes
    flushes = Promise.all([durable, flushes]).then(([counted]) => {
      pending -= bytes
      options.onDurable(through, counted)
      if (pending === 0 && intake.collected > 0 && !failed) flush()
      resumeStream()
    })
    flushes.catch(fail)
  }

  /** Goes on, with what is left or else with the socket, unless the log or the answer's reader is behind. */
  function resumeStream(): void {
    if (pending >= maxPendingBytes || options.blocked()) return
    if (left.length === 0) return source.resume()
    if (!scheduled) setImmediate(workLater)
    scheduled = true
  }

  /** Works on as much of a chunk as fits into this turn, and gives back the rest. */
  function work(chunk: Buffer): Buffer {
    turn.line = lines.line
    turn.refused = intake.refused
    const rest = chunk.subarray(lines.push(chunk))
    if (pending === 0 || intake.collected >= FLUSH_BYTES) flush()
    return rest
  }

  function take(chunk: Buffer, last: boolean): void {
    idle.heard()
    if (failed || stopped) return
    ended = last
    options.onPiece?.(chunk)
    // A chunk is good only during this call: what is not worked on now is copied.
    const rest = left.length > 0 ? chunk : work(chunk)
    if (rest.length > 0) left.push(Buffer.from(rest))
    if (left.length > 0 || pending >= maxPendingBytes || options.blocked()) source.pause()
    if (left.length > 0) resumeStream()
    else if (ended) complete()
  }

  function workLater(): void {
    scheduled = false
    if (failed || stopped) return
    const rest = work(left[0]!)
    if (rest.length > 0) left[0] = rest
    else left.shift()
    if (left.length === 0 && ended) complete()
    else resumeStream()
  }

  function complete(): void {
    if (failed || stopped) return
    lines.finish()
    flush()
    flushes.then(finish, () => undefined)
  }

  function stop(): void {
    if (failed || stopped) return
    stopped = true
    flush()
    const message = `the service is stopping; all lines up to ${lines.line} are in, send the rest again`
    flushes.then(
      () => fail(new DomainError('UNAVAILABLE', message, { retryAfter: 5 })),
      () => undefined,
    )
  }

  exchange.onStop(stop)
  exchange.onAbort(() => {
    // What was taken in stays; the half line that was under way is dropped.
    if (!failed) flush()
    fail(new DomainError('VALIDATION_ERROR', 'the client went away'))
  })
  const encoding = exchange.header('content-encoding')?.toLowerCase() ?? 'identity'
  const source = encoding === 'gzip' ? unzipped(exchange, fail) : exchange
  if (encoding !== 'gzip' && encoding !== 'identity') fail(unknownEncoding(encoding))
  try {
    source.onChunk(take)
  } catch (error) {
    fail(error)
  }
  done.catch(() => undefined).finally(() => idle.stop())
  return { done, resumeStream }
}

/** Reads a body to its end as `readStream` does, with the same limits, and takes nothing in. */
export function skipStream(options: Omit<StreamOptions, 'intake' | 'onDurable' | 'blocked'>): Promise<void> {
  return readStream({ ...options, intake: NOTHING, onDurable: () => undefined, blocked: () => false }).done
}

const NOTHING: Intake = {
  row: () => undefined,
  add: () => undefined,
  refuse: () => undefined,
  collected: 0,
  refused: 0,
  flush: () => undefined,
  tally: { accepted: 0, rejected: 0, errors: [], position: undefined },
}

type Source = Pick<Exchange, 'onChunk' | 'pause' | 'resume'>

/** The body unzipped piece by piece. A piece is taken from the socket when the last is used up: a bomb finds no room. */
function unzipped(exchange: Exchange, fail: (error: unknown) => void): Source {
  const gunzip = createGunzip()
  exchange.onAbort(() => gunzip.destroy())
  gunzip.on('error', error => fail(new DomainError('VALIDATION_ERROR', `the body is not gzip: ${error.message}`)))
  return {
    pause: () => gunzip.pause(),
    resume: () => gunzip.resume(),
    onChunk(listener) {
      gunzip.on('data', chunk => listener(chunk, false))
      gunzip.on('end', () => listener(Buffer.alloc(0), true))
      exchange.onChunk((chunk, last) => {
        if (gunzip.destroyed) return
        exchange.pause()
        gunzip.write(Buffer.from(chunk), () => exchange.resume())
        if (last) gunzip.end()
      })
    },
  }
}

/** A receipt line: everything up to and including line `through` is decided and durable. */
export function receipt(through: number, { accepted, rejected, position }: Counted): string {
  return `${JSON.stringify({ through, accepted, rejected, position: position ? encodePosition(position) : null })}\n`
}
