import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { keepOnlyRowsOf } from '../../src/store/sqlite-log.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sync-store-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

/** How far a read store of this log is when it is opened; then it is moved on to `offset`. */
async function openAndMove(log: string, offset: number): Promise<number> {
  const file = join(dir, 'read.db')
  keepOnlyRowsOf(log, file)
  const store = openSqliteStore({ file })
  const claimed = await store.claim('p', 's')
  await store.commit([], { projection: 'p', stream: 's', offset, epoch: claimed.epoch })
  await store.stop()
  return claimed.offset
}

it('a read store goes on in its own log, and begins anew in another', async () => {
  expect(await openAndMove('one', 7)).toBe(-1)
  expect(await openAndMove('one', 9)).toBe(7)
  expect(await openAndMove('two', 5)).toBe(-1)
  expect(await openAndMove('two', 6)).toBe(5)
  expect(await openAndMove('one', 8)).toBe(-1)
})

it('a read store that does not say whose rows it has begins anew', async () => {
  const file = join(dir, 'read.db')
  const store = openSqliteStore({ file })
  const { epoch } = await store.claim('p', 's')
  await store.commit([], { projection: 'p', stream: 's', offset: 3, epoch })
  await store.stop()
  expect(await openAndMove('one', 7)).toBe(-1)
})
