import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Row, Table } from '../../src/kernel/projection.ts'
import type { Store } from '../../src/store/store.ts'
import { commits } from './store-commits.ts'
import { fieldConditions, thing } from './store-fields.ts'
import { forgetting } from './store-forgetting.ts'
import { generations } from './store-generations.ts'
import { moments } from './store-moments.ts'
import { pages } from './store-pages.ts'

/** The laws of `src/store/store.ts`, for any adapter. `open` opens the same store again when called again in one test. */
export function storeContract(
  name: string,
  open: () => Promise<{ open(): Promise<Store>; end(): Promise<void> }>,
): void {
  describe(`store: ${name}`, () => {
    let place: { open(): Promise<Store>; end(): Promise<void> }
    let store: Store
    let things: Table
    let names: Table
    let projection: string

    beforeEach(async () => {
      place = await open()
      store = await place.open()
      // Names of their own, so that tests may share a database.
      const run = randomBytes(4).toString('hex')
      projection = `p_${run}`
      const columns = { owner: 'text', id: 'text', data: 'text', count: 'integer', order: 'text' } as const
      things = { name: `things_${run}`, columns, key: ['owner', 'id'] }
      names = { name: `names_${run}`, columns: { name: 'text', note: 'text' }, key: ['name'] }
      await store.declare([things, names])
      for (let n = 0; n < 6; n++) await store.claim(projection, `s-${n}`)
    })
    afterEach(async () => {
      await store.stop()
      await place.end()
    })

    const at = (offset: number, stream = 's-0') => ({ projection, stream, offset, epoch: 1 })
    const put = (table: Table, ...rows: Row[]) => store.commit([{ table, rows }], at(0))
    const all = (table: Table) => store.page({ table, equal: {}, limit: 1000 })
    const ids = (rows: readonly Row[]) => rows.map(row => row.id)

    describe('tables', () => {
      it('are declared twice without harm', async () => {
        await put(names, { name: 'a', note: 'kept' })
        await store.declare([names, things])
        expect(await all(names)).toEqual([{ name: 'a', note: 'kept' }])
      })

      it('gain columns, in which rows from before have nothing', async () => {
        await put(names, { name: 'a', note: 'kept' })
        const wider: Table = { ...names, columns: { ...names.columns, count: 'integer', more: 'text' } }
        const newer = await place.open()
        await newer.declare([wider])
        await newer.commit([{ table: wider, rows: [{ name: 'b', note: null, count: 7, more: 'text' }] }], at(1))
        // Whoever still has the table as it was goes on writing it.
        await put(names, { name: 'c', note: 'old' })
        const rows = [
          { name: 'a', note: 'kept', count: null, more: null },
          { name: 'b', note: null, count: 7, more: 'text' },
          { name: 'c', note: 'old', count: null, more: null },
        ]
        expect(await newer.page({ table: wider, equal: {}, limit: 10 })).toEqual(rows)
        expect(await newer.load(wider, [['a'], ['b'], ['c']])).toEqual(rows)
        await newer.stop()
      })

      it('and checkpoints are there when the store is opened again', async () => {
        await store.commit([{ table: names, rows: [{ name: 'a', note: 'kept' }] }], at(41))
        await store.stop()
        store = await place.open()
        await store.declare([things, names])
        expect(await all(names)).toEqual([{ name: 'a', note: 'kept' }])
        expect(await store.checkpoints([projection])).toEqual(new Map([['s-0', 41]]))
      })
    })

    describe('load', () => {
      it('gives the rows of single keys that exist, in the order of the keys', async () => {
        await put(names, { name: 'a', note: '1' }, { name: 'b', note: null }, { name: 'c', note: '3' })
        expect(await store.load(names, [['c'], ['nobody'], ['b']])).toEqual([
          { name: 'c', note: '3' },
          { name: 'b', note: null },
        ])
        expect(await store.load(names, [['nobody']])).toEqual([])
        expect(await store.load(names, [])).toEqual([])
      })

      it('gives the rows of compound keys, whose parts belong together', async () => {
        const rows = [thing('x', { owner: 'a' }), thing('y', { owner: 'b' }), thing('y', { owner: 'a', count: 7 })]
        await put(things, ...rows)
        const found = await store.load(things, [
          ['a', 'y'],
          ['b', 'x'],
          ['b', 'y'],
          ['c', 'y'],
        ])
        expect(found).toEqual([rows[2], rows[1]])
      })

      it('tells keys apart to the character', async () => {
        const keys = ['a', 'A', 'a ', 'ä', 'a\u0308', '', "'", '"', '\\', '%', '😀', '[1]', 'null', '1']
        await put(things, ...keys.map(id => thing(id)))
        for (const id of keys) expect(ids(await store.load(things, [['o', id]]))).toEqual([id])
        expect(
          await store.load(
            things,
            keys.map(id => ['o', id]),
          ),
        ).toHaveLength(keys.length)
      })

      it('has nothing under a text with a NUL, and goes on after one', async () => {
        await put(things, thing('a'), thing('b'))
        expect(
          await store.load(
            things,
            [
              ['o', 'a\0'],
              ['\0', 'a'],
              ['o', 'b'],
            ].toSorted(),
          ),
        ).toHaveLength(1)
        expect(await store.page({ table: things, equal: { owner: 'o\0' }, limit: 9 })).toEqual([])
        expect(await store.count({ table: things, equal: { owner: '\0' } })).toBe(0)
        const page = (bounds: object) => store.page({ table: things, equal: {}, limit: 9, ...bounds })
        expect(ids(await page({ after: 'a\0' }))).toEqual(['b'])
        expect(ids(await page({ after: '\0' }))).toEqual(['a', 'b'])
        expect(ids(await page({ upTo: 'a\0' }))).toEqual(['a'])
      })

      it('reads a table that is nothing but its key', async () => {
        const table: Table = { name: 'only_keys', columns: { a: 'text', b: 'text' }, key: ['a', 'b'] }
        await store.declare([table])
        await put(table, { a: '1', b: '2' }, { a: '1', b: '3' })
        expect(
          await store.load(table, [
            ['1', '2'],
            ['2', '2'],
          ]),
        ).toEqual([{ a: '1', b: '2' }])
      })

      it('gives thousands of rows at once', async () => {
        const rows = Array.from({ length: 3000 }, (_, n) => thing(`${n}`, { owner: `o${n % 3}`, count: n }))
        await put(things, ...rows)
        const found = await store.load(things, [...rows.map(({ owner, id }) => [owner!, id!]), ['o1', 'nobody']])
        expect(found.map(row => row.count)).toEqual(rows.map(row => row.count))
      })

      it.each([
        ['ASCII', 'x'],
        ['text of more bytes than length', '你'],
      ])('stops where rows come to PAGE_BYTES and leaves nothing out before: %s', async (_, text) => {
        const rows = Array.from({ length: 14 }, (_, n) => thing(`${n + 10}`, { data: text.repeat(1 << 20) }))
        for (const row of rows) await put(things, row)
        const keys = rows.flatMap(({ id }) => [
          ['o', id!],
          ['o', `no ${id}`],
        ])
        const found = await store.load(things, keys)
        expect(found.length).toBeGreaterThanOrEqual(8)
        expect(found.length).toBeLessThan(14)
        expect(ids(found)).toEqual(ids(rows).slice(0, found.length))
        // The rest, asked for by itself.
        const rest = await store.load(things, keys.slice(2 * found.length))
        expect(ids(rest)).toEqual(ids(rows).slice(found.length))
      })
    })

    commits(() => ({ store, open: place.open, things, names, projection }))
    generations(() => ({ store, open: place.open, things, names, projection }))

    describe('values', () => {
      it.each([
        '',
        ' ',
        '  padded\t',
        `'"\`\\`,
        '%_?$1:name@x',
        'line\r\nline\n',
        '\u0001\u001f\u007f\u0085\u2028\ufeff',
        'ä e\u0301 你好 עִברִית',
        '😀 👩‍👩‍👧 \u{10ffff} \uffff',
        '{"a": 1.0, "a":9007199254740993}',
        'NULL',
        '0123',
        '1e5',
        '\\u0041\\x41',
      ])('text %j comes back to the character', async text => {
        await put(things, thing('x', { data: text, order: text }), thing(text, { owner: text }))
        const [row] = await store.load(things, [['o', 'x']])
        expect(row).toEqual(thing('x', { data: text, order: text }))
        expect(await store.load(things, [[text, text]])).toEqual([thing(text, { owner: text })])
      })

      it('texts of control characters, empty ones and null come back beside each other', async () => {
        const texts = ['', '\x01', '\x02', '\x01\x01', 'a\x01b', 'a\x02', ',', '\x1f\x1e', 'plain']
        const rows = texts.flatMap((data, n) =>
          [null, ...texts].map((order, m) => thing(`${n}-${m}`, { data, order, count: order === null ? null : m })),
        )
        const sorted = rows.toSorted((a, b) => (a.id! < b.id! ? -1 : 1))
        await put(things, ...sorted)
        const keys = sorted.map(({ id }) => ['o', id!])
        expect(await store.load(things, keys)).toEqual(sorted)
        // By themselves too: among all of them one that is taken for another is found by the rest.
        for (const row of sorted) expect(await store.load(things, [['o', row.id!]])).toEqual([row])
      })

      it('writes what is the same in all rows, and what is not', async () => {
        const same = Array.from({ length: 300 }, (_, n) => thing(`${n + 1000}`, { data: 'd', order: null, count: 1 }))
        await put(things, ...same)
        expect(await all(things)).toEqual(same)
        const other = same.map((row, n) => (n === 299 ? { ...row, order: 'o', count: null } : row))
        await put(things, ...other)
        expect(await all(things)).toEqual(other)
      })

      it('a text of a million characters comes back', async () => {
        const text = 'ä😀x'.repeat(300_000)
        await put(things, thing('x', { data: text }))
        expect((await store.load(things, [['o', 'x']]))[0]!.data === text).toBe(true)
      })

      it('whole numbers are exact, and numbers', async () => {
        const numbers = [0, 1, -1, 2 ** 31, -(2 ** 31), 1_750_000_000_000, Number.MAX_SAFE_INTEGER]
        await put(things, ...numbers.map((count, n) => thing(`${n}`, { count })))
        expect((await all(things)).map(row => row.count)).toEqual(numbers)
      })
    })

    moments(() => ({ store }))
    forgetting(() => ({ store, open: place.open }))
    pages(() => ({ store, open: place.open, things, put: (table, rows) => put(table, ...rows) }))
    fieldConditions(() => ({ store, things, put: rows => put(things, ...rows) }))
  })
}
