import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { WRITTEN_BACK_PAGES } from '../../src/store/sqlite-wal.ts'
import { until } from '../kit/processes.ts'

const PAGE_BYTES = 4096
const table = { name: 'things', columns: { id: 'text', data: 'text' }, key: ['id'] } as const

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sync-store-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

/** Commits rows of a page each. */
async function open() {
  const file = join(dir, 'read.db')
  const store = openSqliteStore({ file, cacheMb: 4, walThread: true })
  await store.declare([table])
  const { epoch } = await store.claim('p', 's')
  let offset = 0
  return {
    ...{ file, store },
    commit(pages: number) {
      const data = 'x'.repeat(PAGE_BYTES)
      const rows = Array.from({ length: pages }, (_, n) => ({ id: `${offset}-${String(n).padStart(9, '0')}`, data }))
      return store.commit([{ table, rows }], { projection: 'p', stream: 's', offset: offset++, epoch })
    },
  }
}

it('writes back what was committed once it is much, beside who commits, and all of it in the end', async () => {
  const { file, store, commit } = await open()
  await commit(WRITTEN_BACK_PAGES / 2)
  expect(statSync(file).size).toBe(PAGE_BYTES)
  await commit(WRITTEN_BACK_PAGES)
  await until('it to be written back', () => statSync(file).size > WRITTEN_BACK_PAGES * PAGE_BYTES)
  await store.stop()
  expect(existsSync(`${file}-wal`)).toBe(false)
  const again = openSqliteStore({ file, readOnly: true })
  expect(await again.count({ table, equal: {} })).toBe(1.5 * WRITTEN_BACK_PAGES)
  await again.stop()
})

it('the log does not grow without end while more is committed', async () => {
  const { file, store, commit } = await open()
  for (let n = 0; n < 100; n++) await commit(WRITTEN_BACK_PAGES / 10)
  // Ten times what is written back at once: it has begun anew, by the thread or by who commits.
  expect(statSync(`${file}-wal`).size).toBeLessThan(6 * WRITTEN_BACK_PAGES * PAGE_BYTES)
  await store.stop()
})

it.skipIf(!existsSync('/proc/locks'))('leaves the locks of others in this process alone when it stops', async () => {
  const { file, store, commit } = await open()
  await commit(1)
  const other = openSqliteStore({ file, readOnly: true })
  await other.count({ table, equal: {} })
  const { ino } = statSync(`${file}-shm`)
  const locks = () =>
    readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .filter(line => line.includes(`:${ino} `))
  expect(locks()).not.toEqual([])
  await store.stop()
  expect(locks()).not.toEqual([])
  await other.stop()
})
