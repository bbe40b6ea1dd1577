import type { HttpResponse } from 'uWebSockets.js'

/** Characters that surely fit into uWebSockets.js' cork of 16 KB, framed and as UTF-8. */
const CORKED = 4096

/**
 * The body of an answer on its way out. uWebSockets.js corks a connection while it hands over what has come on it, and of
 * an answer of unknown length it loses a piece that the cork is too full for while the system takes nothing either
 * (issue 1249 of uWebSockets.js). So what is written then waits until that is over, and only what is small is corked.
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
    let taken = true
    if (part.length > CORKED) taken = res.write(part)
    else
      res.cork(() => {
        taken = res.write(part)
      })
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
    res.cork(() => {
      res.end()
      onDone()
    })
  }

  /**
   * The last lines of an answer whose length was not known: whether all is gone shows only when more is written (of a
   * piece it is told whether it was taken, not whether what frames it was), so a space is, which before the end of a line
   * is nothing. Not corked: what a cork holds counts as taken, and may yet find no room when it is let go.
   */
  function deliverLines(text: string): void {
    const finish = () => {
      res.end('\n')
      onDone()
    }
    if (res.write(text) && (!slow || res.write(' '))) return finish()
    res.onWritable(() => {
      if (res.write(' ')) finish()
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
