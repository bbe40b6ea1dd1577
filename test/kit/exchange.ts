import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import type { Held } from '../../src/edge/bodies.ts'
import { createExchange } from '../../src/edge/exchange.ts'

/** An exchange over a response that a test plays: `deliver` is what uWebSockets.js does when bytes come in. */
export function playExchange(held: Held, headers: Record<string, string> = {}) {
  let onData: (data: ArrayBuffer, last: boolean) => void = () => undefined
  let onAborted: () => void = () => undefined
  let paused = false
  let closed = false
  const res = {
    onAborted(listener: typeof onAborted) {
      onAborted = listener
    },
    onData(listener: typeof onData) {
      onData = listener
    },
    getRemoteAddressAsText: () => new ArrayBuffer(0),
    pause() {
      paused = true
    },
    resume() {
      paused = false
    },
    close() {
      closed = true
      onAborted()
    },
  }
  const req = {
    forEach(each: (name: string, value: string) => void) {
      for (const [name, value] of Object.entries(headers)) each(name, value)
    },
    getCaseSensitiveMethod: () => 'POST',
    getUrl: () => '/',
    getQuery: () => '',
  }
  const exchange = createExchange(res as unknown as HttpResponse, req as unknown as HttpRequest, held)
  return {
    exchange,
    deliver: (bytes: Uint8Array, last: boolean) => onData(new Uint8Array(bytes).buffer, last),
    /** The client hangs up. */
    abort: () => onAborted(),
    /** Whether the rest is left in the client's hands. */
    paused: () => paused,
    /** Whether the connection was cut. */
    closed: () => closed,
  }
}
