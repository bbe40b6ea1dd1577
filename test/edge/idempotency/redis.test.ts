import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openKeeper } from '../../../src/edge/idempotency/keeper.ts'
import type { Claim, Keys } from '../../../src/edge/idempotency/keys.ts'
import { openSharedKeys } from '../../../src/edge/idempotency/redis.ts'
import { openOwnKeys } from '../../../src/edge/idempotency/sqlite.ts'
import { openSharedRedis, type SharedRedis } from '../../../src/edge/redis.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { keysContract } from '../../contracts/idempotency.ts'
import { until } from '../../kit/processes.ts'
import { type Redis, startRedis } from '../../kit/redis.ts'

const LEASE_MS = 600
/** However slow the machine is, a Redis that runs is not taken for one that is lost. */
const PATIENT_MS = 30_000

let server: Redis
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server?.stop())

interface Edge extends Keys {
  readonly redis: SharedRedis
}

/** The keys of one edge, with a DATA_DIR of its own. */
async function openEdge(seconds: number, timeoutMs = PATIENT_MS): Promise<Edge> {
  const dir = mkdtempSync(join(tmpdir(), 'sync-keys-'))
  const file = join(dir, 'keys.db')
  const keeper = openKeeper({ file, seconds, maxBytes: 2 ** 30 })
  const own = openOwnKeys({ file, keep: keeper.keep, onDropped: () => undefined })
  const redis = openSharedRedis({
    url: server.url,
    timeoutMs,
    logger: createLogger('silent'),
    onChange: () => undefined,
  })
  await redis.known
  const keys = openSharedKeys({ redis, own, seconds, leaseMs: LEASE_MS })
  return {
    ...keys,
    redis,
    async stop() {
      await keys.stop()
      redis.stop()
      await keeper.stop()
      rmSync(dir, { recursive: true })
    },
  }
}

async function empty(): Promise<void> {
  const client = createClient({ url: server.url })
  await client.connect()
  await client.flushAll()
  await client.close()
}

// A restart is another DATA_DIR here: what is done must come from Redis.
keysContract('redis', async () => {
  await empty()
  return {
    open: seconds => openEdge(seconds),
    others: () => Promise.all([openEdge(3600), openEdge(3600)]),
    end: async () => undefined,
  }
})

describe('keys of several edges', () => {
  const edges: Edge[] = []
  afterEach(async () => {
    await Promise.all(edges.splice(0).map(edge => edge.stop()))
    await empty()
  })

  async function open(timeoutMs = PATIENT_MS): Promise<Edge> {
    const edge = await openEdge(3600, timeoutMs)
    edges.push(edge)
    return edge
  }

  async function claim(from: Keys, hash: string): Promise<Claim> {
    const begun = await from.begin(hash)
    if (begun.state !== 'fresh') throw new Error(`${hash} is ${begun.state}`)
    return begun.claim
  }

  const kept = (answer: string) => ({ fingerprint: 'f', answer })

  it('what runs for many leases is running all the while', async () => {
    const [one, two] = [await open(), await open()]
    const claimed = await claim(one, 'a')
    const end = Date.now() + 4 * LEASE_MS
    while (Date.now() < end) {
      expect((await two.begin('a')).state).toBe('running')
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    await claimed.finish(kept('long'))
    expect(await two.begin('a')).toEqual({ state: 'done', kept: kept('long') })
  })

  it('who was away for longer than its lease overwrites nothing of who took over', async () => {
    const [one, two] = [await open(), await open()]
    const first = await claim(one, 'a')
    await empty()
    const second = await claim(two, 'a')
    await first.release()
    expect((await one.begin('a')).state).toBe('running')
    await second.finish(kept('second'))
    expect(await one.begin('a')).toEqual({ state: 'done', kept: kept('second') })

    const third = await claim(one, 'b')
    await empty()
    await (await claim(two, 'b')).finish(kept('taken over'))
    await third.finish(kept('late'))
    expect(await two.begin('b')).toEqual({ state: 'done', kept: kept('taken over') })
    // Its caller was given this answer.
    expect(await one.begin('b')).toEqual({ state: 'done', kept: kept('late') })
  })

  it('Redis forgets what runs, and is told again', async () => {
    const [one, two] = [await open(), await open()]
    await claim(one, 'a')
    await empty()
    const client = createClient({ url: server.url })
    await client.connect()
    await until('the claim to be there again', async () => (await client.keys('superinsight:key:*')).length === 1)
    await client.close()
    expect((await two.begin('a')).state).toBe('running')
  })

  it('Redis is lost: each goes on with its own, and remembers that when Redis is back', async () => {
    const [one, two] = [await open(), await open()]
    const before = await claim(one, 'before')
    await server.stop()
    await until('both to have noticed', () => !one.redis.up && !two.redis.up)
    await before.finish(kept('before'))
    const during = await claim(one, 'during')
    expect((await one.begin('during')).state).toBe('running')
    await during.finish(kept('during'))
    const still = await claim(one, 'still')
    await (await claim(two, 'during')).release()

    await server.start()
    await until('both to have noticed', () => one.redis.up && two.redis.up)
    for (const hash of ['before', 'during']) {
      expect(await one.begin(hash)).toEqual({ state: 'done', kept: kept(hash) })
    }
    await still.finish(kept('still'))
    expect(await two.begin('still')).toEqual({ state: 'done', kept: kept('still') })
  })

  it('Redis hangs: nobody waits for longer than it takes to notice, and nothing fails', async () => {
    const one = await open(250)
    const before = await claim(one, 'before')
    server.pause()
    try {
      await before.finish(kept('before'))
      await (await claim(one, 'during')).finish(kept('during'))
    } finally {
      server.resume()
    }
    await until('it to answer again', () => one.redis.up)
    for (const hash of ['before', 'during']) {
      expect(await one.begin(hash)).toEqual({ state: 'done', kept: kept(hash) })
    }
  })
})
