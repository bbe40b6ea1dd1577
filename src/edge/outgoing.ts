import type { HttpResponse } from 'uWebSockets.js'

/** Bytes that surely fit, framed, into uWebSockets.js' cork of 16 KB while nothing else is in it. */
const PIECE = 15_000

/**
 * The body of an answer on its way out. uWebSockets.js corks a connection while it hands over what has come on it, and of
 * an answer of unknown length it loses a piece that the cork is too full for while the system takes nothing either
 * (issue 1249 of uWebSockets.js). So what is written then waits until that is over, and goes out in pieces that fit, each
 * under a cork of its own.
 */
export interface Outgoing {
  /** Something has come on the connection: what runs at once because of it, promises too, runs with the cork on. */
  handedOver(): void
  /** Adds to an answer of unknown length; false when the client is slow to take it. */
  write(part: string | Buffer): boolean
  /** Called when a client that was slow has taken all. */
  onWritable(listener: () => void): void
  /** Ends it; `text` is whole lines, the last of it, or nothing. */
  end(text: string): void
  /** A body of known length, whole. */
  deliver(body: string | Buffer): void
}

/** `onDone` is called when all is in the hands of the system; `isGone` tells whether the client is. */
export function createOutgoing(res: HttpResponse, onDone: () => void, isGone: () => boolean): Outgoing {
  let corked = false
  let full = false
  /** Whether the client ever was: then the system may have room for just this much. */
  let slow = false
  let waiting: (string | Buffer)[] = []
  let last: string | undefined
  let writable: (() => void) | undefined

  function writeNow(part: string | Buffer): boolean {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    let taken = true
    for (let at = 0; at < bytes.length; at += PIECE) {
      res.cork(() => {
        taken = res.write(bytes.subarray(at, at + PIECE)) && taken
      })
    }
    if (!taken && !full) {
      full = true
      slow = true
      res.onWritable(() => {
        full = false
        writable?.()
        return true
      })
    }
    return taken
  }

  function endNow(text: string): void {
    if (text !== '') return deliverLines(text.trimEnd())
    res.cork(() => res.end())
    onDone()
  }

  /**
   * The last lines of an answer whose length was not known: what a cork holds counts as taken, and may yet find no room
   * when it is let go. Whether all is gone shows only when more is written, so a space is, which before the end of a line is
   * nothing.
   */
  function deliverLines(text: string): void {
    const finish = () => {
      res.cork(() => res.end('\n'))
      onDone()
    }
    if (writeNow(text) && (!slow || writeNow(' '))) return finish()
    res.onWritable(() => {
      if (writeNow(' ')) finish()
      return true
    })
  }

  return {
    handedOver() {
      if (corked) return
      corked = true
      setImmediate(() => {
        corked = false
        const parts = waiting
        waiting = []
        if (isGone()) return
        if (parts.length > 0) writeNow(Buffer.concat(parts.map(part => Buffer.from(part))))
        if (last !== undefined) endNow(last)
      })
    },
    write(part) {
      if (!corked) return writeNow(part)
      waiting.push(part)
      return !full
    },
    onWritable(listener) {
      writable = listener
    },
    end(text) {
      if (corked) last = text
      else endNow(text)
    },
    /** Handed over as its reader takes it: uWebSockets.js would keep the rest, and never say when it is gone. */
    deliver(body) {
      const total = Buffer.byteLength(body)
      const [, whole] = res.tryEnd(body, total)
      if (whole) return onDone()
      const bytes = Buffer.from(body)
      res.onWritable(offset => {
        const [taken, done] = res.tryEnd(bytes.subarray(offset), total)
        if (done) onDone()
        return taken
      })
    },
  }
}
