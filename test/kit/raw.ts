import { connect } from 'node:net'
import type { Target } from './api.ts'
import { until } from './processes.ts'

/** A connection on which a test writes HTTP by hand: chunks, pauses, broken bytes, a sudden end. */
export interface RawClient {
  write(bytes: string | Buffer): void
  /** Writes one piece of a body that goes in chunks; the empty one ends it. */
  chunk(bytes: string | Buffer): void
  /** Waits until what has come back matches. */
  untilReceived(pattern: RegExp, ms?: number): Promise<RegExpExecArray>
  received(): string
  /** Takes nothing more off the connection. */
  stopReading(): void
  /** Takes what comes a piece at a time, with pauses. */
  readSlowly(): void
  /** Everything that is written has been handed to the system. */
  flushed(): Promise<void>
  /** Hangs up: with a reset, or in order. */
  reset(): void
  end(): void
  /** Resolves when the other side has closed: with the code of the error, if it was not in order. */
  readonly closed: Promise<string | undefined>
}

export function openRaw({ url }: Target): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let received = ''
  socket.setEncoding('utf8')
  socket.on('data', text => {
    received += text
  })
  let broken: string | undefined
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    broken = code
  })
  const closed = new Promise<string | undefined>(resolve => socket.on('close', () => resolve(broken)))
  const client: RawClient = {
    write: bytes => void socket.write(bytes),
    chunk(bytes) {
      socket.write(`${Buffer.byteLength(bytes).toString(16)}\r\n`)
      socket.write(bytes)
      socket.write('\r\n')
    },
    untilReceived: (pattern, ms) =>
      until(`${pattern} in what came back`, () => pattern.exec(received) ?? undefined, ms).catch(error => {
        throw new Error(`${error.message}, but got: ${received.slice(-2000)}`)
      }),
    received: () => received,
    stopReading: () => void socket.pause(),
    readSlowly() {
      socket.on('data', () => {
        socket.pause()
        setTimeout(() => socket.resume(), 2)
      })
      socket.resume()
    },
    flushed: () => new Promise(resolve => socket.write('', () => resolve())),
    reset: () => void socket.resetAndDestroy(),
    end: () => void socket.end(),
    closed,
  }
  return new Promise((resolve, reject) => {
    socket.on('connect', () => resolve(client))
    socket.on('error', reject)
  })
}

/** The head of a request; the path is below /v1/sync. */
export function head({ url, token }: Target, line: string, headers: Record<string, string | number> = {}): string {
  const [method, path] = line.split(' ')
  const all = { Host: 'tests', Authorization: `Bearer ${token}`, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${new URL(url).pathname}${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** Opens a stream push whose body goes in chunks; with `receipts` the answer comes while it uploads. */
export async function openStream(
  target: Target,
  query: string,
  receipts: boolean,
  more: Record<string, string> = {},
): Promise<RawClient> {
  const client = await openRaw(target)
  const headers = {
    'Content-Type': 'application/x-ndjson',
    'Transfer-Encoding': 'chunked',
    ...(receipts ? { Accept: 'application/x-ndjson' } : {}),
    ...more,
  }
  client.write(head(target, `POST /push/stream?${query}`, headers))
  return client
}

export interface Receipt {
  through: number
  accepted: number
  rejected: number
  position: string
}

/** The body so far of an answer that comes in chunks: their bounds may be anywhere in a line. */
export function chunkedBody(client: RawClient): string {
  const bytes = Buffer.from(client.received())
  const body: Buffer[] = []
  for (let at = bytes.indexOf('\r\n\r\n') + 4; ; ) {
    const end = bytes.indexOf('\r\n', at)
    const length = Number.parseInt(bytes.toString('latin1', at, end), 16)
    if (end < 0 || !(length > 0)) return Buffer.concat(body).toString()
    body.push(bytes.subarray(end + 2, end + 2 + length))
    at = end + 2 + length + 2
  }
}

/** The receipts in an answer so far. */
export function receiptsOf(client: RawClient): Receipt[] {
  const lines = chunkedBody(client).match(/^\{"through":.*\}$/gm) ?? []
  return lines.map(line => JSON.parse(line))
}
