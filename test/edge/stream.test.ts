import { expect, it } from 'vitest'
import type { Exchange } from '../../src/edge/exchange.ts'
import { readStream } from '../../src/edge/ingest/stream.ts'
import type { Intake } from '../../src/intake/intake.ts'

const LINES = 100_000

/** An exchange whose body comes when the test says so, and an intake that only counts. */
function given(refuses: boolean) {
  const seen: number[] = []
  let deliver: (chunk: Buffer, last: boolean) => void = () => undefined
  let paused = false
  const exchange = {
    header: () => undefined,
    onChunk(listener: typeof deliver) {
      deliver = listener
    },
    onStop: () => undefined,
    onAbort: () => undefined,
    keepAlive: () => undefined,
    cut: () => undefined,
    pause() {
      paused = true
    },
    resume() {
      paused = false
    },
  } as unknown as Exchange
  const intake = {
    row: (_bytes: Buffer, _start: number, _end: number, line: number) => void seen.push(line),
    get refused() {
      return refuses ? seen.length : 0
    },
    collected: 0,
    flush: () => undefined,
  } as unknown as Intake
  const stream = readStream({
    exchange,
    intake,
    maxLineBytes: 1024,
    maxPendingBytes: 65_536,
    idleSeconds: 60,
    onDurable: () => undefined,
    blocked: () => false,
  })
  return {
    seen,
    stream,
    deliver: (text: string, last = false) => deliver(Buffer.from(text), last),
    paused: () => paused,
  }
}

it.each([
  ['refused lines, about a thousand', true, 1100],
  ['lines, about eight thousand', false, 8200],
])('one turn of the event loop works on a bounded number of %s, and in order on the rest', async (_, refuses, most) => {
  const { seen, stream, deliver, paused } = given(refuses)
  deliver('1\n'.repeat(LINES))
  expect(seen.length).toBeLessThan(most)
  expect(paused()).toBe(true)
  // What a socket still hands over after it was paused waits its turn.
  deliver('2\n'.repeat(LINES), true)
  expect(seen.length).toBeLessThan(most)
  await stream.done
  expect(seen).toEqual(Array.from({ length: 2 * LINES }, (_, n) => n + 1))
})
