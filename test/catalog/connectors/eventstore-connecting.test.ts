import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { status } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SourceBusy } from '../../../src/catalog/connectors/connector.ts'
import { createGuard } from '../../../src/catalog/reach/guard.ts'
import {
  dataOf,
  failureOf,
  jsonEvent,
  openTestStore,
  pagesOf,
  pull,
  pulling,
  revisionsOf,
  type TestStore,
} from '../../kit/eventstore-pulls.ts'
import { type EventStoreServer, startEventStoreServer, withKeys } from '../../kit/eventstore-server.ts'
import { property } from '../../kit/random.ts'
import { openRelay, type Relay } from '../../kit/relay.ts'

const FIELD = 'connector.config.connection_string'
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

describe('an event store that comes and goes', () => {
  let server: EventStoreServer
  let store: TestStore
  let relay: Relay
  let config: { connection_string: string; stream: string }

  beforeEach(async () => {
    server = await startEventStoreServer()
    store = openTestStore(`esdb://127.0.0.1:${server.port}?tls=false`)
    relay = await openRelay('127.0.0.1', server.port)
    config = { connection_string: `esdb://127.0.0.1:${relay.port}?tls=false`, stream: store.name() }
  })

  afterEach(async () => {
    await store.close()
    await relay.close()
    await server.stop()
  })

  it('is read on after every cut, and nothing is lost or comes twice', async () => {
    const events = numbers(2000).map(n => jsonEvent({ type: 'Counted', data: { n, text: 'x'.repeat(n % 500) } }))
    await store.client.appendToStream(config.stream, events)
    let cuts = 0
    await property(4, async random => {
      relay.cutAfter(150_000 + random.int(300_000))
      const run = pulling({ pageRows: 1 + random.int(50) })
      const pages = await pagesOf(config, undefined, run)
      expect(revisionsOf(pages)).toEqual(numbers(2000))
      cuts += run.told.length
      for (const { level, message } of run.told) {
        expect([level, message]).toEqual(['warning', 'the event store was lost; it is tried again'])
      }
    })
    expect(cuts).toBeGreaterThan(4)
  })

  it('is busy when it stays away, and what was read before is given first', async () => {
    await store.fill(config.stream, 3000)
    const run = pulling({ pageRows: 400 })
    const pages = []
    let failure: unknown
    try {
      for await (const page of pull(config, undefined, run)) {
        pages.push(page)
        await relay.up(false)
      }
    } catch (error) {
      failure = error
    }
    expect(failure).toBeInstanceOf(SourceBusy)
    expect((failure as SourceBusy).until).toBeUndefined()
    expect(run.told).toHaveLength(4)
    const read = revisionsOf(pages)
    expect(read.length).toBeGreaterThan(400)
    expect(read).toEqual(numbers(read.length))
    await relay.up(true)
    const rest = await pagesOf(config, pages.at(-1)!.state)
    expect([...read, ...revisionsOf(rest)]).toEqual(numbers(3000))
  })

  it('is busy when it answers nothing, and when it says that it is not ready', async () => {
    await store.fill(config.stream, 3)
    server.refuse = () => 'never'
    const silent = await failureOf(config, undefined, pulling({ answerMs: 150 }))
    expect(silent.error).toBeInstanceOf(SourceBusy)
    expect(silent.error.message).toContain('no answer within 150 ms')
    let left = 2
    server.refuse = () => (left-- > 0 ? { code: status.UNAVAILABLE, details: 'Server Is Not Ready' } : undefined)
    const run = pulling()
    expect(revisionsOf(await pagesOf(config, undefined, run))).toEqual([0, 1, 2])
    expect(run.told.map(({ metadata }) => metadata)).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('Server Is Not Ready') }),
      expect.objectContaining({ reason: expect.stringContaining('Server Is Not Ready') }),
    ])
  })

  it('is let go of when a run is stopped, and when nobody reads on', async () => {
    await store.client.appendToStream(
      config.stream,
      numbers(500).map(n => jsonEvent({ type: 'C', data: { n, t: 'x'.repeat(5000) } })),
    )
    const run = pulling({ pageRows: 10 })
    let pages = 0
    for await (const _ of pull(config, undefined, run)) if (++pages === 3) run.abort.abort()
    expect(pages).toBe(3)
    expect(run.told).toEqual([])
    for await (const _ of pull(config, undefined, pulling({ pageRows: 10 }))) break
    await expect.poll(() => relay.open).toBe(0)
  })

  it('ends a wait for it when the run is stopped', async () => {
    await relay.up(false)
    const run = pulling()
    const wait = pagesOf(config, undefined, run)
    await expect.poll(() => run.told.length).toBeGreaterThan(2)
    run.abort.abort()
    expect(await wait).toEqual([])
  })

  it.each([
    [{ code: status.PERMISSION_DENIED, details: 'Access Denied' }, FIELD],
    [{ code: status.UNIMPLEMENTED, details: 'Received HTTP status code 404' }, FIELD],
    [{ code: status.UNKNOWN, details: 'Unexpected ReadAllResult: InvalidPosition' }, 'connector.config.from'],
    [{ code: status.INVALID_ARGUMENT, details: 'no' }, 'connector.config.from'],
  ])('that answers %j fails the run, naming the field', async (failure, field) => {
    server.refuse = () => failure
    const { error } = await failureOf(config)
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field }] })
  })

  it('may say by a status that there is no stream', async () => {
    server.refuse = () => ({
      code: status.NOT_FOUND,
      details: 'x',
      metadata: withKeys({ exception: 'stream-not-found' }),
    })
    const run = pulling()
    expect(await pagesOf(config, undefined, run)).toEqual([])
    expect(run.told).toEqual([expect.objectContaining({ message: expect.stringContaining('no such stream') })])
  })

  it('fails the run with an event that is too large, after those before it', async () => {
    await store.fill(config.stream, 2)
    await store.client.appendToStream(config.stream, jsonEvent({ type: 'L', data: { t: 'x'.repeat(50_000) } }))
    // Whether or not it is the last of all.
    for (const more of [0, 1]) {
      await store.fill(config.stream, more)
      const { error, pages } = await failureOf(config, undefined, pulling({ answerBytes: 10_000 }))
      expect(revisionsOf(pages)).toEqual([0, 1])
      expect(error.message).toContain('MAX_SOURCE_ANSWER_BYTES')
    }
  })

  it('is not asked with a checkpoint that is not one, nor with that of another stream', async () => {
    await store.fill(config.stream, 3)
    for (const state of [{ revision: -2 }, { revision: 'x' }, 7, { commit: 1 }]) {
      const { error } = await failureOf(config, state)
      expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'state' }] })
    }
    const run = pulling()
    expect(revisionsOf(await pagesOf(config, { stream: 'another', revision: 1 }, run))).toEqual([0, 1, 2])
    expect(run.told).toEqual([expect.objectContaining({ metadata: { checkpoint_of: 'another' } })])
    expect(revisionsOf(await pagesOf(config, { revision: '1' }))).toEqual([2])
  })
})

describe('an address', () => {
  it('that may not be connected to is refused, however it is spelled', async () => {
    const server = await startEventStoreServer()
    const relay = await openRelay('127.0.0.1', server.port)
    for (const host of ['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '[::1]']) {
      for (const scheme of ['esdb', 'esdb+discover']) {
        const config = { connection_string: `${scheme}://${host}:${relay.port}?tls=false`, stream: 's' }
        const { error } = await failureOf(config, undefined, pulling({ guard: createGuard('') }))
        expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: FIELD }] })
        expect(error.message).toContain('is not a public address')
      }
    }
    expect(relay.connections).toBe(0)
    await relay.close()
    await server.stop()
  })

  it('of several that a name has is taken when it answers', async () => {
    const server = await startEventStoreServer()
    server.log.append('s-1', 'any', [
      { id: 'e', type: 'T', contentType: 'application/json', data: Buffer.from('{}'), metadata: Buffer.alloc(0) },
    ])
    const both = createGuard('1')
    const guard = {
      ...both,
      lookup: ((_name: string, _options: object, callback: (error: null, found: object[]) => void) =>
        callback(null, [
          { address: '::1', family: 6 },
          { address: '127.0.0.3', family: 4 },
          { address: '127.0.0.1', family: 4 },
        ])) as unknown as typeof both.lookup,
    }
    const run = pulling({ guard })
    const pages = await pagesOf(
      { connection_string: `esdb://store:${server.port}?tls=false`, stream: 's-1' },
      undefined,
      run,
    )
    expect(dataOf(pages)).toHaveLength(1)
    expect(run.told).toEqual([])
    await server.stop()
  })
})

describe('a service without such jobs', () => {
  it('does not load what they need', () => {
    const root = fileURLToPath(new URL('../../..', import.meta.url))
    const script = `
      import('./src/catalog/connectors/index.ts').then(() => {
        const loaded = Object.keys(require('node:module')._cache)
        console.log(loaded.filter(file => /grpc|db-client|protobuf/.test(file)).length, loaded.length > 0)
      })`
    const shown = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', '-e', script], { cwd: root })
    expect(shown.toString().trim()).toMatch(/^0 /)
  })
})
