import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createBodies } from '../../src/edge/bodies.ts'
import type { Exchange } from '../../src/edge/exchange.ts'
import { readStream } from '../../src/edge/ingest/stream.ts'
import type { Intake } from '../../src/intake/intake.ts'
import { playExchange } from '../kit/exchange.ts'

const REFUSED = { code: 'UNAVAILABLE', retryAfter: 1 }
const LIMIT = 10_000

describe('bytes of bodies that all requests hold', () => {
  it('are refused past the limit, and let in again when others have given theirs back', async () => {
    const open = createBodies(100)
    const [a, b] = [open(), open()]
    a.take(60)
    b.take(40)
    expect(() => b.take(1)).toThrow('100 bytes of bodies, the limit is 100')
    a.give(1)
    b.take(1)
    a.give()
    b.take(59)
    expect(() => a.take(1)).toThrow('the limit is 100')
    b.give()
    a.take(1)
  })

  it('may be more than the limit for one alone', () => {
    const open = createBodies(100)
    const [a, b] = [open(), open()]
    a.take(200)
    expect(() => b.take(1)).toThrow()
    a.take(200)
    a.give()
    b.take(1)
  })

  it('count what a zipped body becomes', async () => {
    const open = createBodies(LIMIT)
    open().take(1000)
    const zipped = gzipSync(Buffer.alloc(9500))
    const held = open()
    const { exchange, deliver } = playExchange(held, { 'content-encoding': 'gzip' })
    const body = exchange.body(LIMIT)
    deliver(zipped, true)
    await expect(body).rejects.toMatchObject(REFUSED)
    held.give()
    const again = playExchange(open(), { 'content-encoding': 'gzip' })
    const fits = again.exchange.body(LIMIT)
    again.deliver(gzipSync(Buffer.alloc(8000)), true)
    expect(await fits).toHaveLength(8000)
  })

  it('count a piece that comes before anybody reads, and once', async () => {
    const open = createBodies(LIMIT)
    const first = playExchange(open())
    first.deliver(Buffer.alloc(6000), false)
    const second = playExchange(open())
    second.deliver(Buffer.alloc(6000), false)
    await expect(second.exchange.body(LIMIT)).rejects.toMatchObject(REFUSED)
    const body = first.exchange.body(LIMIT)
    first.deliver(Buffer.alloc(4000), true)
    expect(await body).toHaveLength(10_000)
  })

  it('refuse a stream whose first piece could not be kept, rather than begin it in the middle', async () => {
    const open = createBodies(LIMIT)
    open().take(9000)
    const { exchange, deliver } = playExchange(open())
    deliver(Buffer.alloc(6000), false)
    await expect(streamed(exchange)).rejects.toMatchObject(REFUSED)
  })
})

function streamed(exchange: Exchange): Promise<void> {
  const options = { maxLineBytes: 1024, maxPendingBytes: 65_536, idleSeconds: 60 }
  const intake = { collected: 0, refused: 0, row: () => undefined, flush: () => undefined } as unknown as Intake
  return readStream({ exchange, intake, ...options, onDurable: () => undefined, blocked: () => false }).done
}
