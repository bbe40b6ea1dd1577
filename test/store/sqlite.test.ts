import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, vi } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { storeContract } from '../contracts/store.ts'
import { pastTable } from '../kit/past.ts'

storeContract('sqlite', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-store-'))
  return {
    open: async () => openSqliteStore({ file: join(dir, 'read.db'), cacheMb: 4 }),
    end: async () => rmSync(dir, { recursive: true }),
  }
})

it('keeps no more than a few hundred statements prepared, whatever is asked', async () => {
  const store = openSqliteStore({ file: ':memory:' })
  const table = { name: 'things', columns: { id: 'text', data: 'text' }, key: ['id'] } as const
  await store.declare([table])
  const { epoch } = await store.claim('p', 's')
  const rows = [{ id: 'a', data: '{"n":1}' }]
  await store.commit([{ table, rows }], { projection: 'p', stream: 's', offset: 0, epoch })
  const preparing = vi.spyOn(DatabaseSync.prototype, 'prepare')
  const ask = (count: number) => {
    const condition = { column: 'data', field: 'n', comparison: '=', value: 1 } as const
    return store.page({ table, equal: {}, limit: 1, fields: Array.from({ length: count }, () => condition) })
  }
  for (const count of [1, 1]) expect(await ask(count)).toEqual(rows)
  expect(preparing).toHaveBeenCalledTimes(1)
  for (let count = 2; count <= 510; count++) await ask(count)
  preparing.mockClear()
  expect(await ask(1)).toEqual(rows)
  expect(preparing).toHaveBeenCalledTimes(1)
  preparing.mockRestore()
  await store.stop()
})

it('has no past before where it was when the first version that keeps one took over', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-store-'))
  const file = join(dir, 'read.db')
  const db = new DatabaseSync(file)
  // As a version without a past has left it.
  db.exec(`create table checkpoints(projection text, stream text, "offset" integer not null,
    epoch integer not null default 0, primary key(projection, stream)) strict, without rowid;
    insert into checkpoints values ('p', 's-0', 41, 3), ('q', 's-1', -1, 1)`)
  const store = openSqliteStore({ file })
  const table = pastTable('things')
  await store.declare([table, table.versions])
  const row = { owner: 'o', id: 'a', kind: 'k', data: '{}', count: 0, stream: 's-0', offset: 7 }
  const { epoch } = await store.claim('p', 's-0')
  await store.claim('q', 's-1')
  await store.commit([{ table, rows: [row] }], { projection: 'p', stream: 's-0', offset: 50, epoch })
  expect(await store.floors()).toEqual(new Map([['s-0', 41]]))
  const at = (offset: number) => store.page({ table, equal: {}, limit: 9, asOf: new Map([['s-0', offset]]) })
  await expect(at(40)).rejects.toMatchObject({ code: 'GONE' })
  expect(await at(41)).toEqual([row])
  await store.claim('p', 's-0')
  expect(await store.floors()).toEqual(new Map([['s-0', 41]]))
  // It comes back, writes without keeping any, and is followed again.
  db.exec(`update checkpoints set epoch = epoch + 1, "offset" = 60 where projection = 'p'`)
  expect(await store.floors()).toEqual(new Map([['s-0', 60]]))
  await store.claim('p', 's-0')
  expect(await store.floors()).toEqual(new Map([['s-0', 60]]))
  db.close()
  await store.stop()
  rmSync(dir, { recursive: true })
})
