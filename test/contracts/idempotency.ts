import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Begun, Claim, Keys } from '../../src/edge/idempotency/keys.ts'
import { until } from '../kit/processes.ts'

export interface KeysContext {
  /** Opens the keys as a new process does; they are kept for `seconds`. */
  open(seconds: number): Promise<Keys>
  /** Opens them in other processes that share them; none when they are one process's own. */
  others(): Promise<Keys[]>
  end(): Promise<void>
}

/** What every adapter of the keys' port must do. */
export function keysContract(name: string, start: () => Promise<KeysContext>): void {
  describe(`idempotency keys: ${name}`, () => {
    let context: KeysContext
    let keys: Keys
    beforeEach(async () => {
      context = await start()
      keys = await context.open(3600)
    })
    afterEach(async () => {
      await keys.stop()
      await context.end()
    })

    /** The process ends, however it ends, and another takes its place. */
    async function restart(): Promise<void> {
      await keys.stop()
      keys = await context.open(3600)
    }

    async function claim(hash: string, from = keys): Promise<Claim> {
      const begun = await from.begin(hash)
      if (begun.state !== 'fresh') throw new Error(`${hash} is ${begun.state}`)
      return begun.claim
    }
    const state = async (hash: string) => (await keys.begin(hash)).state
    const kept = (answer: string, fingerprint = 'f') => ({ fingerprint, answer })

    it('a key is fresh once, runs, and is done with what was kept', async () => {
      const running = await claim('a')
      expect(await state('a')).toBe('running')
      await running.finish(kept('200\n{}', 'print'))
      const done: Begun = { state: 'done', kept: { fingerprint: 'print', answer: '200\n{}' } }
      expect(await keys.begin('a')).toEqual(done)
      expect(await keys.begin('a')).toEqual(done)
    })

    it('a key that was given back is fresh again, and another key always was', async () => {
      await (await claim('a')).release()
      const again = await claim('a')
      expect(await state('b')).toBe('fresh')
      await again.finish(kept('second'))
      expect(await keys.begin('a')).toMatchObject({ state: 'done', kept: { answer: 'second' } })
    })

    it('of many that begin one key at once, one is fresh', async () => {
      const everyone = [keys, ...(await context.others())]
      for (let round = 0; round < 20; round++) {
        const begun = await Promise.all(
          Array.from({ length: 30 }, (_, n) => everyone[n % everyone.length]!.begin(`raced ${round}`)),
        )
        const fresh = begun.filter(each => each.state === 'fresh')
        expect(fresh).toHaveLength(1)
        expect(begun.filter(each => each.state === 'running')).toHaveLength(29)
        await fresh[0]!.claim.finish(kept(String(round)))
        for (const each of everyone) {
          expect(await each.begin(`raced ${round}`)).toMatchObject({ state: 'done', kept: { answer: String(round) } })
        }
      }
      await Promise.all(everyone.slice(1).map(each => each.stop()))
    })

    it('a key that is done is done for all who begin it at once, beside others that are not', async () => {
      await (await claim('done')).finish(kept('first'))
      const begun = await Promise.all(['done', 'new', 'done', 'other', 'done'].map(hash => keys.begin(hash)))
      expect(begun.map(each => each.state)).toEqual(['done', 'fresh', 'done', 'fresh', 'done'])
    })

    it('what is done is done in the next life too', async () => {
      await (await claim('a')).finish(kept('first'))
      await restart()
      expect(await keys.begin('a')).toEqual({ state: 'done', kept: kept('first') })
    })

    it('what a process that died was doing can be done again', async () => {
      await claim('a')
      expect(await state('a')).toBe('running')
      await restart()
      const again = await until('the claim to be given up', async () => {
        const begun = await keys.begin('a')
        return begun.state === 'fresh' && begun.claim
      })
      await again.finish(kept('taken over'))
      expect(await keys.begin('a')).toEqual({ state: 'done', kept: kept('taken over') })
    })

    it('a key whose time is over is fresh, and can be done again', async () => {
      await keys.stop()
      keys = await context.open(1)
      await (await claim('a')).finish(kept('first'))
      await restart()
      const again = await until('its time to be over', async () => {
        const begun = await keys.begin('a')
        return begun.state === 'fresh' && begun.claim
      })
      await again.finish(kept('second'))
      expect(await keys.begin('a')).toEqual({ state: 'done', kept: kept('second') })
    })

    it('answers come back to the byte, long ones too', async () => {
      const answers = ['', '\n\n', 'd', 'r', '200\n{"ü":"日本語 🎉\\u0000"}\r\n', 'x'.repeat(900_000)]
      for (const [n, answer] of answers.entries()) await (await claim(`answer ${n}`)).finish(kept(answer))
      await restart()
      for (const [n, answer] of answers.entries()) {
        expect(await keys.begin(`answer ${n}`)).toEqual({ state: 'done', kept: kept(answer) })
      }
    })

    it('many that end at once each keep their own', async () => {
      const hashes = Array.from({ length: 500 }, (_, n) => `many ${n}`)
      await Promise.all(hashes.map(async hash => (await claim(hash)).finish(kept(`of ${hash}`, hash))))
      await restart()
      const begun = await Promise.all(hashes.map(hash => keys.begin(hash)))
      expect(begun).toEqual(hashes.map(hash => ({ state: 'done', kept: kept(`of ${hash}`, hash) })))
    })
  })
}
