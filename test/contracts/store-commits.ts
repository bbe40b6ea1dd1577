import { beforeEach, describe, expect, it } from 'vitest'
import type { Row, Table } from '../../src/kernel/projection.ts'
import type { Store } from '../../src/store/store.ts'
import { thing } from './store-fields.ts'

/** The part of the store's contract that is about commits: whole, once, and when what they wait for is done. */
export function commits(
  context: () => { store: Store; open(): Promise<Store>; things: Table; names: Table; projection: string },
): void {
  describe('commit', () => {
    let store: Store
    let things: Table
    let names: Table
    let projection: string
    beforeEach(() => {
      ;({ store, things, names, projection } = context())
    })

    const at = (offset: number, stream = 's-0') => ({ projection, stream, offset, epoch: 1 })
    const put = (...rows: Row[]) => store.commit([{ table: things, rows }], at(0))
    const all = (table: Table) => store.page({ table, equal: {}, limit: 2000 })
    const ids = (rows: readonly Row[]) => rows.map(row => row.id)

    it('writes the rows of all tables and the checkpoint', async () => {
      await store.commit(
        [
          { table: things, rows: [thing('x')] },
          { table: names, rows: [{ name: 'n', note: 'm' }] },
        ],
        at(5),
      )
      expect(await all(things)).toEqual([thing('x')])
      expect(await all(names)).toEqual([{ name: 'n', note: 'm' }])
      expect(await store.checkpoints([projection])).toEqual(new Map([['s-0', 5]]))
    })

    it('writes over what is there after all in a table whose rows are all new', async () => {
      const added: Table = { ...names, name: `${names.name}_added`, appended: true }
      await store.declare([added])
      const commit = (offset: number, note: string, ...keys: string[]) =>
        store.commit(
          [
            { table: names, rows: [{ name: 'n', note }] },
            { table: added, rows: keys.map(name => ({ name, note })) },
          ],
          at(offset),
        )
      await commit(1, 'first', 'a', 'b')
      await commit(2, 'second', 'b', 'c')
      const notes = async (table: Table) => (await all(table)).map(({ name, note }) => `${name}: ${note}`)
      expect(await notes(added)).toEqual(['a: first', 'b: second', 'c: second'])
      expect(await notes(names)).toEqual(['n: second'])
      expect(await store.checkpoints([projection])).toEqual(new Map([['s-0', 2]]))
    })

    it('writes a checkpoint alone', async () => {
      await store.commit([], at(6))
      await store.commit([{ table: things, rows: [] }], at(7))
      expect(await store.checkpoints([projection])).toEqual(new Map([['s-0', 7]]))
    })

    it('refuses whoever had the checkpoint before, and writes nothing of theirs', async () => {
      const first = await store.claim(projection, 's-9')
      await store.commit([{ table: names, rows: [{ name: 'a', note: 'first' }] }], {
        ...at(4, 's-9'),
        ...first,
        offset: 4,
      })
      const second = await store.claim(projection, 's-9')
      expect(second).toEqual({ epoch: first.epoch + 1, offset: 4 })
      const late = store.commit([{ table: names, rows: [{ name: 'a', note: 'late' }] }], {
        ...at(5, 's-9'),
        epoch: first.epoch,
      })
      await expect(late).rejects.toMatchObject({ code: 'CONFLICT' })
      expect(await all(names)).toEqual([{ name: 'a', note: 'first' }])
      await store.commit([], { ...at(6, 's-9'), epoch: second.epoch })
      expect((await store.checkpoints([projection])).get('s-9')).toBe(6)
    })

    it('keeps a checkpoint for each projection and stream', async () => {
      await store.commit([], at(1, 's-0'))
      await store.commit([], at(Number.MAX_SAFE_INTEGER, 's-1'))
      await store.claim(`${projection}b`, 's-0')
      await store.commit([], { projection: `${projection}b`, stream: 's-0', offset: 3, epoch: 1 })
      expect(await store.checkpoints([projection])).toEqual(
        new Map([
          ['s-0', 1],
          ['s-1', Number.MAX_SAFE_INTEGER],
        ]),
      )
      expect(await store.checkpoints([`${projection}b`])).toEqual(new Map([['s-0', 3]]))
      expect(await store.checkpoints([`${projection}c`])).toEqual(new Map())
    })

    it('writes over what has the same key, every column', async () => {
      await put(thing('x', { data: '{"a":1}', count: 1, order: 'first' }), thing('y', { count: 2 }))
      await put(thing('x', { data: null, count: null, order: null }))
      expect(await all(things)).toEqual([thing('x', { data: null, count: null }), thing('y', { count: 2 })])
    })

    it.each([0, 1, 19, 20, 39, 42])('leaves neither rows nor checkpoint when row %i of 43 fails', async bad => {
      await store.commit([{ table: things, rows: [thing('r05', { count: -1 })] }], at(1))
      const rows = Array.from({ length: 43 }, (_, n) =>
        thing(`r${`${n}`.padStart(2, '0')}`, { count: n === bad ? 'not a number' : n }),
      )
      const first = { table: names, rows: [{ name: 'n', note: null }] }
      await expect(store.commit([first, { table: things, rows }], at(2))).rejects.toThrow()
      expect(await all(names)).toEqual([])
      expect(await all(things)).toEqual([thing('r05', { count: -1 })])
      expect(await store.checkpoints([projection])).toEqual(new Map([['s-0', 1]]))
      await store.commit([{ table: things, rows: [thing('after')] }], at(3))
      expect(await store.checkpoints([projection])).toEqual(new Map([['s-0', 3]]))
    })

    it.each([1, 19, 20, 21, 40, 41, 59, 1003])('writes %i rows, each as it is', async count => {
      const rows = Array.from({ length: count }, (_, n) =>
        thing(`${n}`.padStart(5, '0'), { data: `{"n":${n}}`, count: n % 7 === 0 ? null : n, order: `o${n}` }),
      )
      await put(...rows)
      expect(await all(things)).toEqual(rows)
      const changed = rows.map(row => ({ ...row, order: `new ${row.order}` }))
      await put(...changed)
      expect(await all(things)).toEqual(changed)
    })

    it('writes nothing until what it waits for is done, and then all', async () => {
      const reader = await context().open()
      await store.commit([{ table: things, rows: [thing('old')] }], at(1))
      const before = Promise.withResolvers<void>()
      const commit = store.commit(
        [{ table: things, rows: [thing('new'), thing('old', { count: 9 })] }],
        at(2),
        before.promise,
      )
      expect(await reader.page({ table: things, equal: {}, limit: 9 })).toEqual([thing('old')])
      expect(await reader.checkpoints([projection])).toEqual(new Map([['s-0', 1]]))
      // What is asked of this store meanwhile has its answer from before the commit or from after, never from within.
      const meanwhile = store.load(things, [
        ['o', 'new'],
        ['o', 'old'],
      ])
      const next = store.commit([{ table: things, rows: [thing('next')] }], at(3))
      before.resolve()
      await Promise.all([commit, next])
      expect([0, 1]).toContain((await meanwhile).filter(row => row.id === 'new' || row.count === 9).length / 2)
      expect(ids(await reader.page({ table: things, equal: {}, limit: 9 }))).toEqual(['new', 'next', 'old'])
      expect(await reader.checkpoints([projection])).toEqual(new Map([['s-0', 3]]))
      await reader.stop()
    })

    it('writes nothing when what it waits for fails, and fails with it', async () => {
      await store.commit([{ table: things, rows: [thing('old')] }], at(1))
      const before = Promise.withResolvers<void>()
      const commit = store.commit([{ table: things, rows: [thing('new')] }], at(2), before.promise)
      const failed = expect(commit).rejects.toThrow('the log is away')
      // By now the commit is under way, in an adapter that does it in this thread too.
      await new Promise(resolve => setImmediate(resolve))
      const other: Table = { ...names, name: `${names.name}_other` }
      const declared = store.declare([other])
      const next = store.commit([{ table: names, rows: [{ name: 'next', note: null }] }], at(8, 's-1'))
      before.reject(new Error('the log is away'))
      await Promise.all([failed, declared, next])
      expect(ids(await all(things))).toEqual(['old'])
      expect(await all(names)).toEqual([{ name: 'next', note: null }])
      expect(await all(other)).toEqual([])
      expect(await store.checkpoints([projection])).toEqual(
        new Map([
          ['s-0', 1],
          ['s-1', 8],
        ]),
      )
    })

    it('keeps the commits of many streams apart', async () => {
      const streams = Array.from({ length: 6 }, (_, n) => `s-${n}`)
      const commits = streams.map((stream, n) => {
        const before = n % 3 === 2 ? Promise.reject(new Error('the log is away')) : Promise.resolve()
        before.catch(() => undefined)
        const rows = Array.from({ length: 30 }, (_, i) => thing(`${stream} ${i}`, { owner: stream }))
        return store.commit([{ table: things, rows }], at(n, stream), before)
      })
      const settled = await Promise.allSettled(commits)
      expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, true, false])
      const kept = ['s-0', 's-1', 's-3', 's-4']
      expect(new Set((await all(things)).map(row => row.owner))).toEqual(new Set(kept))
      expect(await all(things)).toHaveLength(120)
      expect(await store.checkpoints([projection])).toEqual(
        new Map(kept.map(stream => [stream, Number(stream.at(-1))])),
      )
    })

    it('is seen whole or not at all by another reader', async () => {
      const reader = await context().open()
      await put(...Array.from({ length: 500 }, (_, n) => thing(`${n}`, { count: 0 })))
      for (let round = 1; round <= 5; round++) {
        const rows = Array.from({ length: 500 }, (_, n) => thing(`${n}`, { count: round }))
        const reads = Array.from({ length: 3 }, () => reader.page({ table: things, equal: {}, limit: 1000 }))
        const [, ...pages] = await Promise.all([put(...rows), ...reads])
        for (const page of pages) expect(new Set(page.map(row => row.count)).size).toBe(1)
      }
      expect((await reader.load(things, [['o', '7']]))[0]!.count).toBe(5)
      await reader.stop()
    })
  })
}
