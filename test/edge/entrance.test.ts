import { beforeEach, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import type { LimitState } from '../../src/edge/limits.ts'
import type { Services } from '../../src/edge/services.ts'
import { createEntrance } from '../../src/edge/socket/entrance.ts'
import { emptyAccessView } from '../../src/projections/access.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

const STATE: LimitState = { limit: 5, remaining: 4, reset: 0, allowed: true }
const AUTH = JSON.stringify({ type: 'auth', payload: { token: 'any' } })

let services: Services
let closed: unknown[]
let got: (string | undefined)[]
beforeEach(() => {
  closed = []
  got = []
  services = {
    logger: createLogger('silent'),
    config: readConfig({}),
    access: { view: emptyAccessView(), caughtUp: () => Promise.reject(new Error('the log is lost')) },
    tokens: { verify: () => ({ clientId: 'cli_1', scopes: ['sync:read'], expiresAt: Number.POSITIVE_INFINITY }) },
  } as unknown as Services
})

function entrance(admitted: Promise<LimitState>) {
  const connection = { close: (code: number, reason: string) => void closed.push([code, reason]) }
  return createEntrance(services, connection, admitted, () => ({ onMessage: text => void got.push(text) }))
}

it('keeps what comes behind auth until that is answered, in order', async () => {
  const admitted = Promise.withResolvers<LimitState>()
  const waiting = entrance(admitted.promise)
  for (const text of [AUTH, 'one', undefined, 'two']) waiting.onMessage(text)
  expect(got).toEqual([])
  admitted.resolve(STATE)
  await expect.poll(() => got).toEqual(['one', undefined, 'two'])
  expect(closed).toEqual([])
})

it.each([
  ['messages', Array(33).fill('')],
  ['text', Array(2).fill('x'.repeat(32_769))],
])('does not keep more %s than a client has reason to send', async (_, texts) => {
  const waiting = entrance(new Promise(() => undefined))
  waiting.onMessage(AUTH)
  for (const text of texts.slice(0, -1)) waiting.onMessage(text)
  expect(closed).toEqual([])
  waiting.onMessage(texts.at(-1))
  expect(closed).toEqual([[4401, 'too much was sent before authenticated was answered']])
})

it('lets nobody in whose socket has closed meanwhile', async () => {
  const admitted = Promise.withResolvers<LimitState>()
  const waiting = entrance(admitted.promise)
  waiting.onMessage(AUTH)
  waiting.onMessage('more')
  waiting.end()
  admitted.resolve(STATE)
  await new Promise(resolve => setImmediate(resolve))
  expect([got, closed]).toEqual([[], []])
})

it('closes past the limit, whatever was sent', async () => {
  const waiting = entrance(Promise.resolve({ ...STATE, allowed: false }))
  waiting.onMessage(AUTH)
  await expect.poll(() => closed).toEqual([[4429, expect.stringContaining('more than 5 requests in a minute')]])
  expect(got).toEqual([])
})

it('says when it cannot find out whose key it is', async () => {
  const waiting = entrance(Promise.resolve(STATE))
  waiting.onMessage(JSON.stringify({ type: 'auth', payload: { api_key: 'sk_live_x' } }))
  await expect.poll(() => closed).toEqual([[1011, expect.stringContaining('connect again')]])
})
