import { randomBytes } from 'node:crypto'
import type { SharedRedis } from '../redis.ts'
import type { Begun, Claim, Keys } from './keys.ts'

const PREFIX = 'superinsight:key:'
/** How long a claim outlives its process. It is renewed three times as often, so one lost command ends nothing. */
const LEASE_MS = 15_000

/*
 * A key holds `r` and the token of whoever runs it, for as long as the lease, or `d`, the fingerprint, a line feed and
 * the answer. Whoever's token is gone, because it was away for longer than its lease, changes nothing of another's.
 */
const BEGIN = `local is = redis.call('GET', KEYS[1])
if is then return is end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`
const SET_IF_MINE = `local is = redis.call('GET', KEYS[1])
if is and is ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
const DELETE_IF_MINE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

export interface SharedKeysOptions {
  redis: SharedRedis
  /** This process's own: for its own pushes at once, and for everything while Redis is lost. */
  own: Keys
  seconds: number
  leaseMs?: number
}

/**
 * The keys of all edges, in Redis. While that is lost each edge has its own, and what became done meanwhile stays known to
 * the edge that did it. As durable as Redis is set up to be.
 */
export function openSharedKeys({ redis, own, seconds, leaseMs = LEASE_MS }: SharedKeysOptions): Keys {
  /** What runs here: the token by the key. */
  const running = new Map<string, string>()
  /** What Redis is being asked for, by the key. */
  const asking = new Map<string, Promise<Begun>>()
  const evaluate = (script: string, hash: string, ...args: string[]) =>
    redis.attempt(async client => ({
      answer: await client.eval(script, { keys: [PREFIX + hash], arguments: args }),
    }))
  const setIfMine = (hash: string, token: string, value: string, ms: number) =>
    evaluate(SET_IF_MINE, hash, token, value, String(ms))

  const renewing = setInterval(() => {
    // One that Redis has forgotten, as after its restart, is put there again.
    for (const [hash, token] of running) void setIfMine(hash, token, token, leaseMs)
  }, leaseMs / 3)

  function claimOf(hash: string, token: string, ours: Claim): Claim {
    running.set(hash, token)
    return {
      async finish(kept) {
        running.delete(hash)
        const value = `d${kept.fingerprint}\n${kept.answer}`
        const set = await setIfMine(hash, token, value, seconds * 1000)
        if (set?.answer === 1) await ours.release()
        else await ours.finish(kept)
      },
      async release() {
        running.delete(hash)
        await evaluate(DELETE_IF_MINE, hash, token)
        await ours.release()
      },
    }
  }

  async function ask(hash: string): Promise<Begun> {
    const ours = await own.begin(hash)
    if (ours.state !== 'fresh') return ours
    const token = `r${randomBytes(16).toString('base64url')}`
    const shared = await evaluate(BEGIN, hash, token, String(leaseMs))
    const is = shared?.answer as string | null | undefined
    if (is === null || is === undefined) return { state: 'fresh', claim: claimOf(hash, token, ours.claim) }
    await ours.claim.release()
    if (is.startsWith('r')) return { state: 'running' }
    const end = is.indexOf('\n')
    return { state: 'done', kept: { fingerprint: is.slice(1, end), answer: is.slice(end + 1) } }
  }

  return {
    async begin(hash) {
      // One after the other: to the second the first would look like one that runs, also when the key is done.
      const before = asking.get(hash)?.catch(() => undefined)
      const asked = before ? before.then(() => ask(hash)) : ask(hash)
      asking.set(hash, asked)
      try {
        return await asked
      } finally {
        if (asking.get(hash) === asked) asking.delete(hash)
      }
    },
    async stop() {
      clearInterval(renewing)
      await own.stop()
    },
  }
}
