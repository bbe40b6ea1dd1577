import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import { DomainError } from '../kernel/errors.ts'
import { newId } from '../log/new-id.ts'
import { type Held, readWhole } from './bodies.ts'
import { createOutgoing } from './outgoing.ts'

/** Called with each piece of a body, which is valid only during the call. */
export type OnChunk = (chunk: Buffer, last: boolean) => void

/**
 * One HTTP request and its answer. uWebSockets.js lends a request only until its handler returns, and a response only
 * until the client hangs up; this keeps what is needed of the first and guards the second.
 */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly requestId: string
  readonly ip: string
  readonly aborted: boolean
  /** Aborts when the client goes away. */
  readonly gone: AbortSignal
  /** Headers that every way of answering adds. */
  readonly always: Record<string, string>
  header(name: string): string | undefined
  onAbort(listener: () => void): void
  /** Called when the service wants to stop and this request should come to an end. */
  onStop(listener: () => void): void
  stop(): void
  /** Tells uWebSockets.js, which ends a request whose body is silent for 10 s, that this one may go on. */
  keepAlive(): void
  /** Cuts the connection. */
  cut(): void
  /** The whole body, unzipped; the same each time; PAYLOAD_TOO_LARGE past `limit` bytes, UNAVAILABLE when all bodies are too many bytes. */
  body(limit: number): Promise<Buffer>
  /**
   * Hands over the body piece by piece; `pause` keeps the rest in the client's hands. Throws UNAVAILABLE when a piece
   * that came before this call could not be kept.
   */
  onChunk(listener: OnChunk): void
  pause(): void
  resume(): void
  send(status: number, body: string | Buffer, headers: Record<string, string>): void
  /** Starts an answer of unknown length. */
  begin(status: number, headers: Record<string, string>): void
  /** Adds to it; false when the client is slow to take it. */
  write(part: string | Buffer): boolean
  onWritable(listener: () => void): void
  /** Ends it; `text` is whole lines, the last of it, or nothing. */
  end(text: string): void
  /** Called when the whole answer is in the hands of the system, or its reader has gone; at once if that is so. */
  onDelivered(listener: () => void): void
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,100}$/

export function newRequestId(): string {
  return newId('req', 8)
}

/**
 * Takes over a request. Must be called before the uWebSockets.js handler returns. What it keeps of the body is counted
 * in `held`; whoever serves the request gives that back at its end.
 */
export function createExchange(res: HttpResponse, req: HttpRequest, held: Held): Exchange {
  const headers = new Map<string, string>()
  req.forEach((name, value) => void headers.set(name, value))
  const given = headers.get('x-request-id')
  const requestId = given !== undefined && REQUEST_ID.test(given) ? given : newRequestId()
  const always: Record<string, string> = { 'X-Request-Id': requestId }
  const ip = Buffer.from(res.getRemoteAddressAsText()).toString()
  const abortListeners: (() => void)[] = []
  const stopListeners: (() => void)[] = []
  const deliveredListeners: (() => void)[] = []
  const early: { chunk: Buffer; last: boolean }[] = []
  let lost: unknown
  let whole: Promise<Buffer> | undefined
  const gone = new AbortController()
  let listener: OnChunk | undefined
  let aborted = false
  let ended = false
  let delivered = false
  let paused = false
  const outgoing = createOutgoing(res, onDone, () => aborted)
  outgoing.handedOver()

  res.onAborted(() => {
    aborted = true
    gone.abort(new DomainError('VALIDATION_ERROR', 'the client went away'))
    for (const each of abortListeners) each()
    onDone()
  })
  res.onData((data, last) => {
    if (ended) return
    outgoing.handedOver()
    if (listener) return listener(Buffer.from(data), last)
    // Nobody reads yet: keep the one piece that is already here and leave the rest in the socket.
    keep(data, last)
    if (!last) exchange.pause()
  })

  function keep(data: ArrayBuffer, last: boolean): void {
    try {
      held.take(data.byteLength)
      early.push({ chunk: Buffer.from(new Uint8Array(data).slice().buffer), last })
    } catch (error) {
      lost = error
    }
  }

  /** Nothing of the body is of use once the answer is on its way, however much of it is still to come. */
  function dropBody(): void {
    ended = true
    listener = undefined
    early.length = 0
  }

  function onDone(): void {
    delivered = true
    for (const each of deliveredListeners.splice(0)) each()
  }

  const exchange: Exchange = {
    method: req.getCaseSensitiveMethod(),
    path: req.getUrl(),
    query: new URLSearchParams(req.getQuery() ?? ''),
    requestId,
    ip,
    always,
    gone: gone.signal,
    get aborted() {
      return aborted
    },
    header: name => headers.get(name),
    onAbort(each) {
      if (aborted) each()
      else abortListeners.push(each)
    },
    onStop: each => void stopListeners.push(each),
    stop() {
      for (const each of stopListeners) each()
    },
    keepAlive() {
      if (paused || aborted || ended) return
      res.pause()
      res.resume()
    },
    cut() {
      if (!aborted && !ended) res.close()
    },
    body(limit) {
      whole ??= readWhole(exchange, limit, held)
      return whole
    },
    onChunk(newListener) {
      if (lost) throw lost
      listener = newListener
      for (const { chunk, last } of early.splice(0)) {
        held.give(chunk.length)
        newListener(chunk, last)
      }
      exchange.resume()
    },
    pause() {
      if (paused || aborted || ended) return
      paused = true
      res.pause()
    },
    resume() {
      if (!paused || aborted || ended) return
      paused = false
      res.resume()
    },
    send(status, body, more) {
      if (aborted || ended) return
      exchange.resume()
      dropBody()
      res.cork(() => {
        writeHead(res, status, { ...always, ...more })
        if (exchange.method !== 'HEAD') return outgoing.deliver(body)
        // A body after HEAD would be taken for the next answer. The length is written by hand: told of one,
        // endWithoutBody waits for a body for ever.
        res.writeHeader('Content-Length', String(Buffer.byteLength(body))).endWithoutBody()
        onDone()
      })
    },
    begin(status, more) {
      if (aborted || ended) return
      ended = exchange.method === 'HEAD'
      res.cork(() => {
        writeHead(res, status, { ...always, ...more })
        if (!ended) return
        res.endWithoutBody()
        onDone()
      })
    },
    write(part) {
      return aborted || ended || part.length === 0 || outgoing.write(part)
    },
    onWritable(each) {
      outgoing.onWritable(each)
    },
    end(text) {
      if (aborted || ended) return
      exchange.resume()
      dropBody()
      outgoing.end(text)
    },
    onDelivered(each) {
      if (delivered) each()
      else deliveredListeners.push(each)
    },
  }
  return exchange
}

function writeHead(res: HttpResponse, status: number, headers: Record<string, string>): void {
  res.writeStatus(`${status} ${REASONS[status] ?? ''}`)
  for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value)
}

const REASONS: Record<number, string> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  207: 'Multi-Status',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}
