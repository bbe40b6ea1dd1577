import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openKeeper } from '../../../src/edge/idempotency/keeper.ts'
import type { Keeper, Keys } from '../../../src/edge/idempotency/keys.ts'
import { openOwnKeys } from '../../../src/edge/idempotency/sqlite.ts'
import { keysContract } from '../../contracts/idempotency.ts'
import { until } from '../../kit/processes.ts'

interface Opened extends Keys {
  readonly keeper: Keeper
  readonly dropped: () => number
}

function open(dir: string, { seconds = 3600, maxBytes = 2 ** 30 } = {}): Opened {
  const file = join(dir, 'keys.db')
  const keeper = openKeeper({ file, seconds, maxBytes })
  let dropped = 0
  const onDropped = (keys: number) => {
    dropped += keys
  }
  const keys = openOwnKeys({ file, keep: keeper.keep, onDropped })
  return {
    ...keys,
    keeper,
    dropped: () => dropped,
    async stop() {
      await keys.stop()
      await keeper.stop()
    },
  }
}

keysContract('sqlite', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-keys-'))
  return {
    open: async seconds => open(dir, { seconds }),
    others: async () => [],
    end: async () => rmSync(dir, { recursive: true }),
  }
})

describe('keys in a file', () => {
  let dir: string
  let keys: Opened
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sync-keys-'))
  })
  afterEach(async () => {
    await keys.stop()
    rmSync(dir, { recursive: true })
  })

  async function finish(hash: string, answer: string): Promise<void> {
    const begun = await keys.begin(hash)
    if (begun.state !== 'fresh') throw new Error(`${hash} is ${begun.state}`)
    await begun.claim.finish({ fingerprint: 'f', answer })
  }

  function rows(): number {
    const db = new DatabaseSync(join(dir, 'keys.db'), { readOnly: true })
    const { count } = db.prepare('select count(*) as count from keys').get() as { count: number }
    db.close()
    return count
  }

  it('take no more room than they may: the oldest are dropped, and counted', async () => {
    const maxBytes = 1024 * 1024
    keys = open(dir, { maxBytes })
    const answer = 'x'.repeat(2000)
    for (let n = 0; n < 60; n++) await Promise.all(Array.from({ length: 50 }, (_, i) => finish(`${n} ${i}`, answer)))
    expect(rows()).toBe(3000 - keys.dropped())
    expect(rows()).toBeGreaterThan(300)
    expect((await keys.begin('59 49')).state).toBe('done')
    expect((await keys.begin('0 0')).state).toBe('fresh')
    await keys.stop()
    expect(statSync(join(dir, 'keys.db')).size).toBeLessThan(maxBytes * 1.5)
    keys = open(dir, { maxBytes })
  })

  it('are deleted when their time is over, while others come and when none come', async () => {
    keys = open(dir, { seconds: 1 })
    await Promise.all(Array.from({ length: 1500 }, (_, n) => finish(`old ${n}`, 'a')))
    await until('the first of them to be over', async () => (await keys.begin('old 0')).state === 'fresh')
    await finish('new', 'a')
    await until('all to be gone', () => rows() === 0)
  })

  it('that are no keys are refused by name', () => {
    const file = join(dir, 'keys.db')
    writeFileSync(file, 'something else, and long enough to be looked at'.repeat(100))
    expect(() => openKeeper({ file, seconds: 1, maxBytes: 2 ** 30 })).toThrow(`${file}: file is not a database`)
    rmSync(file)
    keys = open(dir)
  })

  it('that cannot be kept are free again', async () => {
    keys = open(dir)
    const other = new DatabaseSync(join(dir, 'keys.db'))
    other.exec('drop table keys')
    const begun = await keys.begin('a').catch(error => error)
    expect(begun).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('no such table') })
    other.exec('create table keys(number integer primary key, hash text, until integer, fingerprint text, answer text)')
    const again = await keys.begin('a')
    if (again.state !== 'fresh') throw new Error(again.state)
    other.exec('drop table keys')
    await expect(again.claim.finish({ fingerprint: 'f', answer: 'a' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    other.exec('create table keys(number integer primary key, hash text, until integer, fingerprint text, answer text)')
    expect((await keys.begin('a')).state).toBe('fresh')
    other.close()
  })
})
