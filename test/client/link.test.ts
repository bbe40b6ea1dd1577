import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { backoff } from '../../client/src/endings.ts'
import { type Ending, openLink } from '../../client/src/link.ts'

class StillSocket {
  static last: StillSocket
  readonly sent: string[] = []
  closed = false
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  constructor() {
    StillSocket.last = this
  }
  send(text: string): void {
    this.sent.push(text)
  }
  close(): void {
    this.closed = true
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('asks a silent connection whether it is there, and gives it up when it does not answer', () => {
  const endings: Ending[] = []
  openLink(StillSocket, 'ws://any', {
    onOpen: () => undefined,
    onMessage: () => undefined,
    onEnd: ending => void endings.push(ending),
  })
  const socket = StillSocket.last
  socket.onopen!()
  vi.advanceTimersByTime(36_000)
  expect(socket.sent).toEqual(['{"type":"ping"}'])
  socket.onmessage!({ data: '{"type":"pong"}' })
  vi.advanceTimersByTime(36_000)
  expect([socket.sent.length, endings]).toEqual([2, []])
  vi.advanceTimersByTime(15_000)
  expect(endings).toEqual([{ code: 1006, reason: 'the connection is silent', opened: true }])
  expect(socket.closed).toBe(true)
  vi.advanceTimersByTime(100_000)
  expect([socket.sent.length, endings.length]).toEqual([2, 1])
})

it('waits longer each time, not all the same, and never longer than the most', () => {
  const retry = { first: 500, most: 30_000 }
  for (const failures of [1, 2, 3, 7, 1000]) {
    const whole = Math.min(30_000, 500 * 2 ** (failures - 1))
    const waits = Array.from({ length: 200 }, () => backoff(failures, retry))
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(whole / 2)
    expect(Math.max(...waits)).toBeLessThanOrEqual(whole)
    expect(new Set(waits).size).toBeGreaterThan(100)
  }
})
