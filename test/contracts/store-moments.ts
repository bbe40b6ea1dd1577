import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Row } from '../../src/kernel/projection.ts'
import { type Moment, type PageQuery, rowBytes, type Store } from '../../src/store/store.ts'
import { pageOfPast, pastAt, pastTable, randomPast, writePast } from '../kit/past.ts'
import { property, type Random, seeded } from '../kit/random.ts'

/** The part of the store's contract that is about the past: rows as they were, and what is forgotten of them. */
export function moments(context: () => { store: Store }): void {
  describe('a moment', () => {
    let store: Store
    let run: string
    let streams: string[]
    beforeEach(() => {
      ;({ store } = context())
      run = randomBytes(4).toString('hex')
      streams = [`${run}-0`, `${run}-1`, `${run}-2`]
    })

    async function made(random: Random, count: number, ids: number, since = false) {
      const table = pastTable(`past_${randomBytes(4).toString('hex')}`, since)
      await store.declare([table, table.versions])
      const past = randomPast(random, streams, count, ids, since)
      await writePast(store, table, past, `p_${table.name}`, random)
      return { table, past }
    }

    const momentIn = (random: Random, past: readonly Row[]): Moment =>
      new Map(
        [...streams, 'other-0'].flatMap(stream => {
          const most = Math.max(
            0,
            ...past.filter(row => row.stream === stream || stream === 'other-0').map(({ offset }) => offset as number),
          )
          return random.chance(0.1) ? [] : [[stream, random.int(most + 3) - 1] as const]
        }),
      )

    function queryIn(random: Random, past: readonly Row[]): Omit<PageQuery, 'table'> {
      const some = () => random.pick(past).id as string
      return {
        equal: {
          ...(random.chance(0.3) ? { owner: `o${random.int(3)}` } : {}),
          ...(random.chance(0.3) ? { kind: `k${random.int(4)}` } : {}),
          ...(random.chance(0.4) ? { count: random.int(4) } : {}),
        },
        ...(random.chance(0.4) ? { after: some() } : {}),
        ...(random.chance(0.2) ? { upTo: some() } : {}),
        ...(random.chance(0.3)
          ? { fields: [{ column: 'data', field: 'n', comparison: '=' as const, value: random.int(5) }] }
          : {}),
        limit: 1 + random.int(random.pick([3, 30, 3000])),
        newest: random.chance(0.3),
        ...(random.chance(0.3) ? { offset: random.int(random.pick([3, 200])) } : {}),
      }
    }

    it.each([
      ['its event', false],
      ['another place', true],
    ])('gives the rows as they were, each from %s on', (_, since) =>
      property(3, async random => {
        const { table, past } = await made(random, 1 + random.int(400), 1 + random.int(60), since)
        for (let n = 0; n < 25; n++) {
          const asOf = momentIn(random, past)
          const rows = pastAt(past, asOf)
          const query = queryIn(random, past)
          expect(await store.page({ table, asOf, ...query })).toEqual(pageOfPast(rows, query))
          const { equal } = query
          expect(await store.count({ table, equal, asOf })).toBe(pageOfPast(rows, { equal, limit: 9999 }).length)
          const keys = [...new Set(past.map(({ id }) => id as string))]
            .sort()
            .map(id => [`o${Number(id.slice(1)) % 2}`, id])
          expect(await store.load(table, [...keys, ['o0', 'none']], asOf)).toEqual(rows)
        }
      }),
    )

    it('passes over any number of rows that were not there yet, and rows that were different', async () => {
      const random = seeded(1)
      const table = pastTable(`past_${run}`)
      await store.declare([table, table.versions])
      const row = (id: number, offset: number, count: number): Row => ({
        ...{
          owner: 'o0',
          id: `r${String(id).padStart(5, '0')}`,
          kind: 'k',
          data: '{}',
          count,
          stream: streams[0]!,
          offset,
        },
      })
      // The last ids are the oldest; each has been changed since.
      const ids = Array.from({ length: 21_000 }, (_, n) => 20_999 - n)
      const past = [...ids.map((id, offset) => row(id, offset, 1)), ...ids.map((id, n) => row(id, 21_000 + n, 2))]
      await writePast(store, table, past, `p_${run}`, random)
      const asOf = (offset: number): Moment => new Map([[streams[0]!, offset]])
      const found = await store.page({ table, equal: { owner: 'o0' }, limit: 10, asOf: asOf(4) })
      expect(found).toEqual([20_995, 20_996, 20_997, 20_998, 20_999].map(id => row(id, 20_999 - id, 1)))
      // Only the last one in the order of ids had been changed by then.
      const one = { table, equal: { owner: 'o0', count: 2 }, limit: 3, asOf: asOf(21_000) }
      expect((await store.page(one)).map(({ id }) => id)).toEqual(['r20999'])
      expect(await store.page({ ...one, offset: 1 })).toEqual([])
      const skipped = await store.page({ ...one, equal: { count: 1 }, offset: 20_500, limit: 2 })
      expect(skipped.map(({ id }) => id)).toEqual(['r20500', 'r20501'])
      const newest = await store.page({ ...one, equal: { count: 1 }, offset: 20_400, limit: 2, newest: true })
      expect(newest.map(({ id }) => id)).toEqual(['r00597', 'r00598'])
      expect(await store.page({ table, equal: {}, limit: 10_000, asOf: asOf(-1) })).toEqual([])
    })

    it.each([
      ['a letter of one byte', 'x'],
      ['a letter of two bytes', 'ä'],
    ])('cuts a page where its text is long, of %s', async (_, letter) => {
      const table = pastTable(`past_${run}`)
      await store.declare([table, table.versions])
      const at = { owner: 'o', kind: 'k', stream: streams[0]! }
      const text = letter.repeat(1 << 20)
      const past = Array.from({ length: 24 }, (_, n) => ({
        ...{ ...at, id: `r${String(n % 12).padStart(2, '0')}`, data: n < 12 ? text : '{}', count: 0, offset: n },
      }))
      await writePast(store, table, past, `p_${run}`, seeded(2))
      const asOf: Moment = new Map([[streams[0]!, 11]])
      const pages: Row[][] = []
      for (let after: string | undefined; pages.length < 6; after = pages.at(-1)!.at(-1)!.id as string) {
        const page = await store.page({ table, equal: {}, limit: 12, asOf, ...(after === undefined ? {} : { after }) })
        pages.push([...page])
        if (page.reduce((sum, row) => sum + rowBytes(row), 0) < 8 * 1024 * 1024) break
      }
      expect(pages.map(page => page.length)).toEqual([8, 4])
      expect(pages.flat()).toEqual(past.slice(0, 12))
      expect(
        await store.load(
          table,
          past.slice(0, 12).map(({ owner, id }) => [owner, id]),
          asOf,
        ),
      ).toEqual(past.slice(0, 8))
    })

    it('stays as it was while more is written', async () => {
      const random = seeded(3)
      const { table, past } = await made(random, 300, 40)
      const [earlier, later] = [past.slice(0, 150), past.slice(150)]
      const written = pastTable(`more_${run}`)
      await store.declare([written, written.versions])
      await writePast(store, written, earlier, `q_${run}`, random)
      const asOf: Moment = new Map(
        streams.map(stream => [
          stream,
          Math.max(-1, ...earlier.filter(row => row.stream === stream).map(({ offset }) => offset as number)),
        ]),
      )
      const before = await store.page({ table: written, equal: {}, limit: 1000, asOf })
      await writePast(store, written, later, `q_${run}`, random)
      expect(await store.page({ table: written, equal: {}, limit: 1000, asOf })).toEqual(before)
      expect(await store.page({ table, equal: {}, limit: 1000, asOf })).toEqual(before)
    })
  })
}
