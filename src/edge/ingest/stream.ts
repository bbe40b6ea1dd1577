import { createGunzip } from 'node:zlib'
import { DomainError } from '../../kernel/errors.ts'
import { encodePosition } from '../../kernel/position.ts'
import { type Exchange, unknownEncoding } from '../exchange.ts'
import type { Intake } from './intake.ts'
import { createLineSplitter } from './lines.ts'

const BEAT_MS = 4000
const FLUSH_BYTES = 512 * 1024

export interface StreamOptions {
  exchange: Exchange
  intake: Intake
  maxLineBytes: number
  /** Bytes on their way to the log at which the socket is paused. */
  maxPendingBytes: number
  /** How long the client may be silent before it is cut off. */
  idleSeconds: number
  /** Told each time more has become durable: all lines up to `through` are decided. */
  onDurable: (through: number) => void
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
  let heard = Date.now()
  const { promise: done, resolve: finish, reject } = Promise.withResolvers<void>()
  const fail = (error: unknown) => {
    failed = true
    reject(error)
  }
  const beat = setInterval(() => {
    if (Date.now() - heard > options.idleSeconds * 1000) exchange.cut()
    else exchange.keepAlive()
  }, BEAT_MS)
  const lines = createLineSplitter(maxLineBytes, {
    row: (bytes, start, end, line) => intake.row(bytes, start, end, line),
    refuse: (row, line, original, originalBytes) => intake.refuse(row, line, original, originalBytes),
  })

  function flush(): void {
    const bytes = intake.collected
    const through = lines.line
    const durable = intake.flush()
    if (!durable) return
    pending += bytes
    flushes = Promise.all([flushes, durable]).then(() => {
      pending -= bytes
      options.onDurable(through)
      if (pending === 0 && intake.collected > 0 && !failed) flush()
      resumeStream()
    })
    flushes.catch(fail)
  }

  function resumeStream(): void {
    if (pending < maxPendingBytes && !options.blocked()) source.resume()
  }

  function take(chunk: Buffer): void {
    heard = Date.now()
    if (failed || stopped) return
    lines.push(chunk)
    if (pending === 0 || intake.collected >= FLUSH_BYTES) flush()
    if (pending >= maxPendingBytes || options.blocked()) source.pause()
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
  const encoding = exchange.header('content-encoding') ?? 'identity'
  const source = encoding === 'gzip' ? unzipped(exchange, fail) : exchange
  if (encoding !== 'gzip' && encoding !== 'identity') fail(unknownEncoding(encoding))
  source.onChunk((chunk, last) => {
    take(chunk)
    if (last) complete()
  })
  done.catch(() => undefined).finally(() => clearInterval(beat))
  return { done, resumeStream }
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
export function receipt(through: number, { tally }: Intake): string {
  const position = tally.position ? encodePosition(tally.position) : null
  return `${JSON.stringify({ through, accepted: tally.accepted, rejected: tally.rejected, position })}\n`
}
