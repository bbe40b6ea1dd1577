import { beforeEach, describe, expect, it } from 'vitest'
import type { Row, Table } from '../../src/kernel/projection.ts'
import type { Store } from '../../src/store/store.ts'
import { thing } from './store-fields.ts'

/** The part of the store's contract that is about pages: their order, where they begin, and how many rows there are. */
export function pages(
  context: () => {
    store: Store
    open(): Promise<Store>
    things: Table
    put(table: Table, rows: readonly Row[]): Promise<void>
  },
): void {
  describe('a page', () => {
    let store: Store
    let things: Table
    beforeEach(() => {
      ;({ store, things } = context())
    })
    const put = (...rows: Row[]) => context().put(things, rows)
    const ids = (rows: readonly Row[]) => rows.map(row => row.id)

    /** In the order of their code points, which is that of their UTF-8 bytes and not of JavaScript's strings. */
    const ORDERED = ['', ' ', '-', '10', '9', 'A', 'Z', 'a', 'a ', 'aa', 'z', '~', 'ä', '你', '～', '😀']

    it('is in the order of the last key column, by code point', async () => {
      await put(...[...ORDERED].reverse().map(id => thing(id)))
      expect(ids(await store.page({ table: things, equal: { owner: 'o' }, limit: 100 }))).toEqual(ORDERED)
    })

    it.each([1, 3, 16, 17])('of the newest %i has the last ones, in the same order', async limit => {
      await put(...ORDERED.map(id => thing(id)), thing('b', { owner: 'other' }))
      const query = { table: things, equal: { owner: 'o' }, limit, newest: true }
      expect(ids(await store.page(query))).toEqual(ORDERED.slice(-limit))
    })

    it.each([1, 3, 16, 17])('after page of %i, every row comes once', async limit => {
      await put(...ORDERED.map(id => thing(id)), thing('b', { owner: 'other' }))
      const found: unknown[] = []
      let after: string | undefined
      // Bounded, so that a store whose pages do not move on fails instead of going round.
      for (let pages = 0; pages <= ORDERED.length; pages++) {
        const query = { table: things, equal: { owner: 'o' }, ...(after === undefined ? {} : { after }), limit }
        const page = await store.page(query)
        expect(page.length).toBeLessThanOrEqual(limit)
        found.push(...ids(page))
        if (page.length < limit) break
        after = page.at(-1)!.id as string
      }
      expect(found).toEqual(ORDERED)
    })

    it.each([1, 5, 16, 17])('passes over as many rows as it is told, in pages of %i', async limit => {
      await put(...ORDERED.map(id => thing(id)), thing('b', { owner: 'other' }))
      for (let offset = 0; offset <= ORDERED.length + 1; offset++) {
        const page = await store.page({ table: things, equal: { owner: 'o' }, limit, offset })
        expect(ids(page)).toEqual(ORDERED.slice(offset, offset + limit))
      }
    })

    it('passes over rows that fit, after the place it begins at', async () => {
      await put(...ORDERED.map((id, n) => thing(id, { count: n % 2, data: `{"n":${n}}` })))
      const odd = { table: things, equal: { count: 1 }, limit: 3 }
      expect(ids(await store.page({ ...odd, offset: 2 }))).toEqual(['A', 'a', 'aa'])
      expect(ids(await store.page({ ...odd, after: '10', offset: 1 }))).toEqual(['a', 'aa', '~'])
      const fields = [{ column: 'data', field: 'n', comparison: '>=' as const, value: 12 }]
      expect(ids(await store.page({ table: things, equal: {}, fields, limit: 9, offset: 1 }))).toEqual([
        '你',
        '～',
        '😀',
      ])
    })

    it.each([
      ['a letter of one byte', 'x'],
      ['a letter of two bytes', 'ä'],
    ])('that is cut because its text is long, of %s, goes on where it was cut', async (_, letter) => {
      const long = letter.repeat(3_000_000)
      await put(...['a', 'b', 'c', 'd', 'e', 'f'].map(id => thing(id, { data: long })))
      const first = await store.page({ table: things, equal: {}, limit: 6 })
      // By the length of the text, which is what a reader knows it by.
      expect(first).toHaveLength(3)
      const rest = await store.page({ table: things, equal: {}, limit: 6, offset: first.length })
      expect(ids([...first, ...rest])).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
      const newest = await store.page({ table: things, equal: {}, limit: 5, newest: true, offset: 1 })
      expect(ids(newest)).toEqual(['a', 'b', 'c'])
    })

    it('has the rows whose columns equal what was asked', async () => {
      await put(thing('a', { count: 1, order: 'x' }), thing('b', { count: 2 }), thing('c', { count: 1 }))
      expect(ids(await store.page({ table: things, equal: { count: 1 }, limit: 9 }))).toEqual(['a', 'c'])
      expect(ids(await store.page({ table: things, equal: { count: 1, order: 'x' }, limit: 9 }))).toEqual(['a'])
      expect(ids(await store.page({ table: things, equal: { owner: "o' or 1=1 --" }, limit: 9 }))).toEqual([])
    })
  })

  describe('a count', () => {
    it('is a number: of all rows, or of those whose columns equal what was asked', async () => {
      const { store, things, put } = context()
      const count = (equal: Row) => store.count({ table: things, equal })
      expect(await count({})).toBe(0)
      const rows = Array.from({ length: 2500 }, (_, n) => thing(`${n}`, { owner: `o${n % 2}`, count: n % 5 }))
      await put(things, rows)
      expect(await count({})).toBe(2500)
      expect(await count({ owner: 'o1' })).toBe(1250)
      expect(await count({ owner: 'o1', count: 3 })).toBe(250)
      expect(await count({ count: 9 })).toBe(0)
      expect(await count({ owner: "o' or 1=1 --" })).toBe(0)
    })

    it('sees whole commits, and writing over a row does not change it', async () => {
      const { store, things, put, open } = context()
      await put(things, [thing('a'), thing('b')])
      await put(things, [thing('a', { count: 1 })])
      const reader = await open()
      expect([
        await store.count({ table: things, equal: {} }),
        await reader.count({ table: things, equal: {} }),
      ]).toEqual([2, 2])
      await reader.stop()
    })
  })

  describe('a table with indexes', () => {
    const indexed = (things: Table): Table => ({
      ...things,
      name: `${things.name}_indexed`,
      indexes: [['count', 'id'], ['order', 'id'], ['order']],
    })

    it('is declared again without harm, and answers as one without', async () => {
      const { store, things, put } = context()
      const table = indexed(things)
      await store.declare([table, things])
      await store.declare([table])
      const rows = Array.from({ length: 300 }, (_, n) =>
        thing(`${n}`.padStart(4, '0'), { count: n % 3, order: n % 4 === 0 ? null : `o"${n % 4}` }),
      )
      await put(table, rows)
      await put(things, rows)
      const asked: Row[] = [{}, { count: 1 }, { order: 'o"2' }, { count: 2, order: 'o"3' }, { order: 'none' }]
      for (const equal of asked) {
        for (const more of [{}, { after: '0100' }, { offset: 7 }, { after: '0050', offset: 3 }]) {
          const [with_, without] = await Promise.all(
            [table, things].map(each => store.page({ table: each, equal, limit: 20, ...more })),
          )
          expect(with_).toEqual(without)
        }
        expect(await store.count({ table, equal })).toBe(await store.count({ table: things, equal }))
      }
    })

    it('gets those that it lacks, when it was made without them', async () => {
      const { store, things, put } = context()
      const { indexes, ...before } = indexed(things)
      await store.declare([before])
      await put(before, [thing('a', { count: 1 }), thing('b', { count: 2 })])
      const table = { ...before, indexes: indexes! }
      await store.declare([table])
      expect(ids(await store.page({ table, equal: { count: 2 }, limit: 9 }))).toEqual(['b'])
      await put(table, [thing('c', { count: 2 })])
      expect(ids(await store.page({ table, equal: { count: 2 }, limit: 9 }))).toEqual(['b', 'c'])
    })

    const ids = (rows: readonly Row[]) => rows.map(row => row.id)
  })
}
