import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DomainError } from '../../src/kernel/errors.ts'
import { createCaller, serveCalls } from '../../src/threads/rpc.ts'

describe.each([{ gather: false }, { gather: true }])('calls of another thread, %o', options => {
  let [port1, port2]: MessagePort[] = []
  let messages: { calls?: unknown[] }[]
  const handlers = {
    double: async (n: number) => 2 * n,
    size: async (bytes: Uint8Array) => bytes.length,
    fail: async (name: string) => {
      if (name === 'domain') throw new DomainError('UNAVAILABLE', 'not now', { retryAfter: 7 })
      throw new Error('a bug')
    },
  }
  beforeEach(() => {
    const channel = new MessageChannel()
    port1 = channel.port1
    port2 = channel.port2
    messages = []
    port1.on('message', message => messages.push(message))
    serveCalls(port1, handlers)
  })
  afterEach(() => {
    port1!.close()
    port2!.close()
  })

  it('are answered each with its own answer or failure, in any number at once', async () => {
    const caller = createCaller(port2!, options)
    const bytes = Buffer.from(new ArrayBuffer(1000))
    const size = caller.call('size', [bytes], [bytes.buffer])
    const fails = ['domain', 'other'].map(name => caller.call('fail', [name]).catch(error => error))
    const doubles = await Promise.all(Array.from({ length: 100 }, (_, n) => caller.call('double', [n])))
    expect(doubles).toEqual(Array.from({ length: 100 }, (_, n) => 2 * n))
    expect([await size, bytes.length]).toEqual([1000, 0])
    const [domain, other] = await Promise.all(fails)
    expect(domain).toMatchObject({ name: 'DomainError', code: 'UNAVAILABLE', message: 'not now', retryAfter: 7 })
    expect((other as Error).message).toContain('a bug')
    expect(messages.map(({ calls }) => calls!.length)).toEqual(options.gather ? [103] : Array(103).fill(1))
  })

  it('of which one cannot be sent fail and leave later ones alone', async () => {
    const caller = createCaller(port2!, options)
    await expect(caller.call('double', [() => 1])).rejects.toThrow('could not be cloned')
    expect(await caller.call('double', [4])).toBe(8)
  })

  it('are refused when the other side has gone', async () => {
    const caller = createCaller(port2!, options)
    const asked = caller.call('double', [1])
    port2!.close()
    await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
