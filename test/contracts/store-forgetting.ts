import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Row, Table } from '../../src/kernel/projection.ts'
import type { Moment, Store } from '../../src/store/store.ts'
import { pastAt, pastTable, randomPast, writePast } from '../kit/past.ts'
import { property, seeded } from '../kit/random.ts'

/** The part of the store's contract that is about how far back the past goes. */
export function forgetting(context: () => { store: Store; open(): Promise<Store> }): void {
  describe('the past', () => {
    let store: Store
    let table: Table & { versions: Table }
    let projection: string
    let stream: string
    beforeEach(async () => {
      ;({ store } = context())
      const run = randomBytes(4).toString('hex')
      ;[table, projection, stream] = [pastTable(`past_${run}`), `p_${run}`, `${run}-0`]
      await store.declare([table, table.versions])
    })

    const asOf = (offset: number): Moment => new Map([[stream, offset]])
    const at = (moment: number) => store.page({ table, equal: {}, limit: 1000, asOf: asOf(moment) })
    const kept = () => store.page({ table: table.versions, equal: {}, limit: 10_000 })
    const floor = async () => (await store.floors()).get(stream)
    const row = (id: string, offset: number): Row => ({
      ...{ owner: 'o0', id, kind: 'k', data: `{"n":${offset}}`, count: 0, stream, offset },
    })

    it('is all there as long as nothing of it was forgotten', async () => {
      await writePast(store, table, [row('a', 0), row('a', 1)], projection, seeded(1))
      expect(await floor()).toBeUndefined()
      expect(await at(0)).toEqual([row('a', 0)])
      const { epoch } = await store.claim(projection, stream)
      expect(await store.forget(table, { projection, stream, epoch }, 0, 100)).toBe(0)
      expect(await floor()).toBeUndefined()
    })

    it('is refused before what was forgotten, by every read, and is right from there on', () =>
      property(3, async random => {
        const name = `${stream}${randomBytes(2).toString('hex')}`
        const past = randomPast(random, [name], 200, 20, false)
        const own = pastTable(`${table.name}_${name}`)
        await store.declare([own, own.versions])
        await writePast(store, own, past, projection, random)
        const { epoch } = await store.claim(projection, name)
        const end = past.at(-1)!.offset as number
        const through = random.int(end)
        const claimed = { projection, stream: name, epoch }
        let [gone, rounds] = [0, 0]
        for (let some = -1; some !== 0; rounds++) {
          some = await store.forget(own, claimed, through, 7)
          expect(some).toBeLessThanOrEqual(7)
          gone += some
        }
        expect(rounds).toBe(Math.ceil(gone / 7) + 1)
        const least = (await store.floors()).get(name) ?? -1
        expect(least).toBeLessThanOrEqual(through)
        const rest = await store.page({ table: own.versions, equal: {}, limit: 10_000 })
        expect(rest.every(({ until }) => (until as number) > through)).toBe(true)
        for (let offset = -1; offset <= end; offset++) {
          const moment: Moment = new Map([[name, offset]])
          const query = { table: own, equal: {}, limit: 1000, asOf: moment }
          if (offset === -1 || offset >= least) expect(await store.page(query)).toEqual(pastAt(past, moment))
          else {
            const reads = [store.page(query), store.count(query), store.load(own, [['o0', 'r00000']], moment)]
            await Promise.all(reads.map(read => expect(read).rejects.toMatchObject({ code: 'GONE' })))
          }
        }
      }))

    it('is refused before the first event of a stream too, where rows count from places in others on', async () => {
      const since = pastTable(`${table.name}_since`, true)
      await store.declare([since, since.versions])
      const from = [
        { from_stream: 'other-0', from_offset: 0 },
        { from_stream: null, from_offset: null },
      ] as const
      const past = from.map((place, offset) => ({ ...row('a', offset), ...place }))
      await writePast(store, since, past, projection, seeded(1))
      const before = (other: number): Moment =>
        new Map([
          ['other-0', other],
          [stream, -1],
        ])
      const then = () => store.page({ table: since, equal: {}, limit: 9, asOf: before(0) })
      expect(await then()).toEqual([past[0]])
      const { epoch } = await store.claim(projection, stream)
      expect(await store.forget(since, { projection, stream, epoch }, 1, 10)).toBe(1)
      await expect(then()).rejects.toMatchObject({ code: 'GONE' })
      expect(await store.page({ table: since, equal: {}, limit: 9, asOf: before(-1) })).toEqual([])
    })

    it('is forgotten by whoever has claimed the stream last, and by nobody else', async () => {
      await writePast(store, table, [row('a', 0), row('a', 1), row('a', 2)], projection, seeded(1))
      const first = await store.claim(projection, stream)
      const other = await context().open()
      const second = await other.claim(projection, stream)
      const late = store.forget(table, { projection, stream, epoch: first.epoch }, 2, 10)
      await expect(late).rejects.toMatchObject({ code: 'CONFLICT' })
      expect([await kept(), await floor()]).toMatchObject([[{ offset: 0 }, { offset: 1 }], undefined])
      expect(await other.forget(table, { projection, stream, epoch: second.epoch }, 1, 10)).toBe(1)
      expect([await kept(), await floor()]).toMatchObject([[{ offset: 1, until: 2 }], 1])
      await other.stop()
    })

    it('keeps its floor over claims', async () => {
      await writePast(store, table, [row('a', 0), row('a', 1), row('a', 2)], projection, seeded(1))
      const { epoch } = await store.claim(projection, stream)
      await store.forget(table, { projection, stream, epoch }, 2, 10)
      await store.claim(projection, stream)
      expect(await floor()).toBe(2)
    })

    it('is forgotten stream by stream', async () => {
      const others = [0, 1].map(offset => ({ ...row('b', offset), stream: `${stream}1` }))
      await writePast(store, table, [row('a', 0), row('a', 1), ...others], projection, seeded(1))
      const { epoch } = await store.claim(projection, stream)
      await store.forget(table, { projection, stream, epoch }, 100, 10)
      expect(await kept()).toMatchObject([{ id: 'b', stream: `${stream}1` }])
      const both: Moment = new Map([
        [stream, 1],
        [`${stream}1`, 0],
      ])
      expect(await store.page({ table, equal: {}, limit: 9, asOf: both })).toEqual([row('a', 1), others[0]])
    })

    it('has versions in the order of their places, each page from a number on', async () => {
      const offsets = [2, 9, 10, 11, 99, 100, 101]
      await writePast(
        store,
        table,
        offsets.map(offset => row('a', offset)),
        projection,
        seeded(1),
      )
      const page = (more: object) =>
        store.page({ table: table.versions, equal: { owner: 'o0', id: 'a' }, limit: 3, ...more })
      const places = async (more: object) => (await page(more)).map(({ offset }) => offset)
      expect(await places({})).toEqual([2, 9, 10])
      expect(await places({ after: '10' })).toEqual([11, 99, 100])
      expect(await places({ after: '99', upTo: '100' })).toEqual([100])
      expect(await places({ after: '100' })).toEqual([])
    })
  })
}
