import type { Exchange } from '../exchange.ts'
import { positionIn } from './messages.ts'

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache',
  // Proxies of the nginx kind would gather messages before they send them on.
  'X-Accel-Buffering': 'no',
  // Nothing comes after it: a client makes a new connection for its next try.
  Connection: 'close',
}
/** How long a client should wait before it connects again. */
const RETRY_MS = 1000
/** Most bytes that are handed to uWebSockets.js at once: it keeps without a bound what the client does not take. */
const CHUNK_BYTES = 65_536
/** Proxies cut off what is silent for long, often after 30 or 60 s. */
const SILENT_MS = 15_000
/** As long as a WebSocket may take to answer a ping. */
const STUCK_MS = 120_000
const COMMENT = Buffer.from(':\n\n')

/** A text/event-stream on its way to one client, with a bounded buffer. */
export interface EventStream {
  /** False when it was not taken, because too many bytes wait already. */
  write(frame: Buffer): boolean
  buffered(): number
  /** Ends it after what waits. */
  end(): void
  /** The same, but whoever is slow to take what waits is cut off: it continues from its last event. */
  stop(): void
  /** Called every second: says something when nothing else was, and cuts off who takes nothing. */
  beat(now: number): void
}

/** A message as an event. Its id is the position that the message carries, so a browser continues from there. */
export function eventOf(text: string): Buffer {
  // Values stand as they were pushed: between them, but in no string, there may be line breaks.
  return Buffer.from(`id: ${positionIn(text)}\ndata: ${text.replace(/[\r\n]/g, ' ')}\n\n`)
}

/**
 * Begins the answer with the first event. `onRoom` is called whenever the buffer has become emptier, `maxBytes` is what
 * may wait when one more event comes.
 */
export function createEventStream(exchange: Exchange, maxBytes: number, onRoom: () => void): EventStream {
  let waiting: Buffer[] = []
  let bytes = 0
  let begun = false
  let blocked = false
  let ending = false
  let stopping = false
  let closed = false
  let flushing: NodeJS.Immediate | undefined
  let wroteAt = Date.now()
  exchange.onDelivered(() => {
    closed = true
    waiting = []
    bytes = 0
    clearImmediate(flushing)
  })

  function begin(): void {
    begun = true
    exchange.begin(200, HEADERS)
    exchange.onWritable(() => {
      // Only a write tells whether all is gone; a line that is a comment is nothing to the client.
      if (!blocked || !exchange.write(':\n')) return
      blocked = false
      wroteAt = Date.now()
      flushSoon()
    })
    exchange.write(`retry: ${RETRY_MS}\n`)
  }

  /** Once in a turn of the event loop: events that come together go out together. */
  function flushSoon(): void {
    flushing ??= setImmediate(flush)
  }

  function flush(): void {
    flushing = undefined
    while (!blocked && !closed && waiting.length > 0) {
      const chunk = nextChunk()
      blocked = !exchange.write(chunk)
      bytes -= chunk.length
      wroteAt = Date.now()
    }
    if (closed) return
    if (blocked) {
      if (stopping) exchange.cut()
      return
    }
    if (ending) exchange.end('')
    else onRoom()
  }

  function nextChunk(): Buffer {
    let length = 0
    let count = 0
    while (count < waiting.length && (count === 0 || length + waiting[count]!.length <= CHUNK_BYTES))
      length += waiting[count++]!.length
    return Buffer.concat(waiting.splice(0, count), length)
  }

  function end(): void {
    if (ending || closed) return
    ending = true
    if (begun) flushSoon()
  }

  return {
    write(frame) {
      if (closed || ending) return true
      if (bytes > maxBytes) return false
      if (!begun) begin()
      if (closed) return true
      waiting.push(frame)
      bytes += frame.length
      flushSoon()
      return true
    },
    buffered: () => bytes,
    end,
    stop() {
      stopping = true
      end()
      if (blocked) flushSoon()
    },
    beat(now) {
      if (!begun || closed) return
      // Else uWebSockets.js ends an answer whose client takes nothing for 10 s. It does not always say so: a write that
      // fits into its own buffer counts as taken, also when that cannot be written out.
      exchange.keepAlive()
      if (blocked && now - wroteAt > STUCK_MS) return exchange.cut()
      if (blocked || now - wroteAt < SILENT_MS) return
      waiting.push(COMMENT)
      bytes += COMMENT.length
      flushSoon()
    },
  }
}
