import { beforeEach, describe, expect, it } from 'vitest'
import { type Row, type Table, versionsOf } from '../../src/kernel/projection.ts'
import { beside, type Differences, type Generation, type Key, storeBeside } from '../../src/store/generations.ts'
import { isReplaced, type Store } from '../../src/store/store.ts'
import { property } from '../kit/random.ts'

/** The part of the store's contract that is about rows that are made anew: see src/store/generations.ts. */
export function generations(
  context: () => { store: Store; open(): Promise<Store>; things: Table; names: Table; projection: string },
): void {
  describe('generations', () => {
    let store: Store
    let names: Table
    let things: Table
    let projection: string
    const epochs = new Map<string, number>()
    beforeEach(async () => {
      ;({ store, names, things, projection } = context())
      epochs.clear()
      await store.generations.adopt([{ name: projection, version: 7, tables: [names, things] }])
    })

    const row = (name: string, note: string) => ({ name, note })
    const all = (table: Table, from: Store = store) => from.page({ table, equal: {}, limit: 10_000 })
    const ours = async () => (await store.generations.list()).filter(each => each.projection === projection)
    const plan = (rebuild: string, tables = [names, things]) => ({ projection, version: 8, tables, rebuild, at: 5 })
    const live = (epoch = 1) => ({ projection, stream: 's-0', offset: 4, epoch })
    const put = (...rows: Row[]) => store.commit([{ table: names, rows }], live())

    async function made(rebuild: string, rows: readonly Row[], table = names): Promise<Generation> {
      const generation = await store.generations.begin(plan(rebuild, [table, things]))
      const below = storeBeside(store, generation.number, epochs)
      const { epoch } = await below.claim(projection, 's-0')
      await below.commit([{ table, rows }], { ...live(epoch), offset: 4 })
      return generation
    }

    async function swap(generation: Generation, result = '{}'): Promise<void> {
      const held = await store.generations.hold(projection, [names, things])
      await held.swap(generation, epochs, result)
    }

    it('knows which version has filled the rows: this one where there were none, the first where that is not known', async () => {
      // The contract has claimed checkpoints before.
      expect(await ours()).toMatchObject([{ version: 1, number: 1, state: 'live' }])
      const [fresh, tables] = [`${projection}f`, [names]]
      for (const version of [7, 9]) await store.generations.adopt([{ name: fresh, version, tables }])
      const found = (await store.generations.list()).filter(each => each.projection === fresh)
      expect(found).toMatchObject([{ version: 7, rebuild: null, tables: [names.name] }])
    })

    it('begins beside the live rows, which stay as they are', async () => {
      await put(row('a', 'live'))
      const generation = await made('r1', [row('a', 'made')])
      expect(await all(names)).toEqual([row('a', 'live')])
      const below = storeBeside(store, generation.number, epochs)
      expect(await below.load(names, [['a']])).toEqual([row('a', 'made')])
      const state = { state: 'filling', version: 8, rebuild: 'r1', startedAt: 5, offsets: new Map([['s-0', 4]]) }
      expect((await ours()).find(({ number }) => number === generation.number)).toMatchObject(state)
      expect(await store.checkpoints([projection])).toEqual(new Map([['s-0', 4]]))
    })

    it('takes the place of the live rows, whose checkpoints stay, also for who has read before', async () => {
      await put(row('a', 'live'), row('b', 'live'))
      const reader = await context().open()
      // Its columns are in another order, and one more.
      const table: Table = { ...names, columns: { extra: 'integer', note: 'text', name: 'text' } }
      const before = [await reader.load(names, [['a']]), await all(names, reader)]
      expect(before).toEqual([[row('a', 'live')], [row('a', 'live'), row('b', 'live')]])
      const generation = await made('r1', [{ ...row('a', 'made'), extra: 3 }], table)
      await swap(generation, '{"rows":1}')
      for (const each of [store, reader]) {
        expect(await each.load(names, [['a'], ['b']])).toEqual([row('a', 'made')])
        expect(await all(names, each)).toEqual([row('a', 'made')])
        expect(await all(table, each)).toEqual([{ ...row('a', 'made'), extra: 3 }])
        expect(await each.checkpoints([projection])).toEqual(new Map([['s-0', 4]]))
      }
      const states = (await ours()).map(({ number, state, version, result }) => [number, state, version, result])
      expect(states.sort()).toEqual([
        [1, 'old', 1, null],
        [generation.number, 'live', 8, '{"rows":1}'],
      ])
      await reader.stop()
    })

    it('refuses who wrote before a swap, and tells them that it was one; they may go on', async () => {
      const zombie = await store.claim(projection, 's-0')
      const holder = await store.claim(projection, 's-0')
      await swap(await made('r1', [row('a', 'made')]))
      const refusalOf = (epoch: number) =>
        store.commit([{ table: names, rows: [row('z', 'late')] }], live(epoch)).then(
          () => 'none',
          error => (isReplaced(error) ? 'replaced' : error.code),
        )
      expect(await refusalOf(holder.epoch)).toBe('replaced')
      expect(await refusalOf(zombie.epoch)).toBe('CONFLICT')
      await swap(await made('r2', [row('b', 'made')]))
      expect(await refusalOf(holder.epoch)).toBe('replaced')
      const again = await store.claim(projection, 's-0')
      expect(again).toEqual({ epoch: holder.epoch + 1, offset: -1 })
      expect(await refusalOf(holder.epoch)).toBe('CONFLICT')
      expect(await all(names)).toEqual([row('b', 'made')])
      expect(await refusalOf(again.epoch)).toBe('none')
    })

    it('is not put in when somebody else has begun to fill it', async () => {
      await put(row('a', 'live'))
      const generation = await made('r1', [row('a', 'made')])
      await storeBeside(store, generation.number, new Map()).claim(projection, 's-0')
      await expect(swap(generation)).rejects.toMatchObject({ code: 'CONFLICT' })
      expect(await all(names)).toEqual([row('a', 'live')])
      await put(row('a', 'live still'))
      expect((await ours()).filter(({ state }) => state === 'live')).toMatchObject([{ number: 1 }])
    })

    it('is not put in, nor changed, by who is still at it when it has been put in, given up or removed', async () => {
      await put(row('a', 'live'))
      const first = await made('r1', [row('a', 'first')])
      await swap(first)
      const refused = async (generation: Generation) => {
        const marking = store.generations.mark(generation, 'swapping')
        await expect(marking).rejects.toMatchObject({ code: 'CONFLICT' })
        await expect(swap(generation)).rejects.toMatchObject({ code: 'CONFLICT' })
      }
      await refused(first)
      expect(await store.generations.removeSome(first)).toBe(false)
      const removed = await made('r2', [row('b', 'removed')])
      while (await store.generations.removeSome(removed));
      await refused(removed)
      const givenUp = await made('r3', [row('c', 'given up')])
      // It has the other one's number.
      await refused(removed)
      await made('r4', [row('d', 'made')])
      await refused(givenUp)
      expect(await all(names)).toEqual([row('a', 'first')])
      const states = (await ours()).map(({ number, state }) => [number, state])
      expect(states.filter(([number]) => number !== 1).sort()).toEqual([
        [first.number, 'live'],
        [givenUp.number, 'old'],
        [givenUp.number + 1, 'filling'],
      ])
      const { epoch } = await store.claim(projection, 's-0')
      await store.commit([{ table: names, rows: [row('a', 'live still')] }], live(epoch))
    })

    it('waits with commits and claims while it is held, not with reads nor with those of another generation', async () => {
      await put(row('a', 'live'))
      const generation = await made('r1', [])
      const below = storeBeside(store, generation.number, epochs)
      const held = await store.generations.hold(projection, [names, things])
      expect(held.checkpoints).toEqual(new Map([['s-0', 4]]))
      let waited = 2
      const late = [put(row('a', 'late')), store.claim(projection, 's-5')].map(each => each.then(() => waited--))
      const { epoch } = await below.claim(projection, 's-0')
      await below.commit([{ table: names, rows: [row('n', 'made')] }], live(epoch))
      expect(await all(names)).toEqual([row('a', 'live')])
      expect(waited).toBe(2)
      await held.release()
      await Promise.all(late)
      expect(await all(names)).toEqual([row('a', 'late')])
    })

    it('leaves nothing behind: what was begun before is old, and goes away in pieces', async () => {
      const rows = Array.from({ length: 12_000 }, (_, n) => row(String(n).padStart(5, '0'), 'made'))
      await made('r1', rows)
      await swap(await made('r2', [row('a', 'made')]))
      await made('r3', rows)
      const old = (await ours()).filter(({ state }) => state === 'old')
      expect(old.map(({ number }) => number).sort()).toEqual([1, 2])
      for (const each of old) while (await store.generations.removeSome(each));
      expect((await ours()).map(({ number, state }) => [number, state]).sort()).toEqual([
        [3, 'live'],
        [4, 'filling'],
      ])
      await expect(storeBeside(store, 2, epochs).load(names, [['a']])).rejects.toThrow()
      expect(await all(names)).toEqual([row('a', 'made')])
    })

    it('finds every difference of two tables, in stretches of any size', () =>
      property(5, async random => {
        const keys = ['a', 'B', 'ä', 'é', '\u{1f600}', '\uffee', 'zz', '0', '00', 'a1', 'a2', 'a3', 'a4', 'a5']
        const [left, right] = [new Map<string, Row>(), new Map<string, Row>()]
        for (const owner of ['o1', 'o2', 'ö'])
          for (const id of keys) {
            const rowOf = (count: number | null, data: string | null) => ({ owner, id, data, count, order: null })
            const same = rowOf(random.int(3), random.pick([null, '{"a":1}']))
            if (random.chance(0.7)) left.set(`${owner} ${id}`, same)
            if (random.chance(0.7))
              right.set(`${owner} ${id}`, random.chance(0.8) ? same : rowOf(random.pick([null, 9]), 'x'))
          }
        const generation = await store.generations.begin(plan(`r${random.int(1e9)}`))
        const below = storeBeside(store, generation.number, epochs)
        const { epoch } = await below.claim(projection, 's-0')
        await below.commit([{ table: things, rows: [...right.values()] }], live(epoch))
        const { epoch: ownEpoch } = await store.claim(`${projection}x`, 's-0')
        const other = { ...things, name: `${things.name}x${generation.number}` }
        await store.declare([other])
        await store.commit([{ table: other, rows: [...left.values()] }], {
          ...live(ownEpoch),
          projection: `${projection}x`,
        })
        const snapshot = await store.generations.snapshot()
        const found = { live: 0, made: 0, changed: 0, liveOnly: 0, madeOnly: 0 }
        const named = new Set<string>()
        let next: Key | undefined
        const limit = 1 + random.int(8)
        do {
          const part: Differences = await snapshot.differences(
            other,
            beside(things, generation.number),
            new Map(),
            next,
            limit,
          )
          for (const name of Object.keys(found) as (keyof typeof found)[]) found[name] += part[name]
          for (const key of part.keys) named.add(key.join(' '))
          next = part.next
        } while (next)
        const both = [...left.keys()].filter(key => right.has(key))
        const changed = both.filter(key => JSON.stringify(left.get(key)) !== JSON.stringify(right.get(key)))
        expect(found).toEqual({
          ...{ live: left.size, made: right.size, changed: changed.length },
          ...{ liveOnly: left.size - both.length, madeOnly: right.size - both.length },
        })
        const unlike = new Set([
          ...changed,
          ...[...left.keys()].filter(key => !right.has(key)),
          ...[...right.keys()].filter(key => !left.has(key)),
        ])
        expect([...named].filter(key => !unlike.has(key))).toEqual([])
        expect(named.size).toBeGreaterThan(0)
        const ordered: string[] = []
        for (let after: Key | undefined; ; ) {
          const rows = await snapshot.rows(other, after, 4)
          ordered.push(...rows.map(each => `${each.owner} ${each.id}`))
          if (rows.length < 4) break
          after = [rows.at(-1)!.owner!, rows.at(-1)!.id!]
        }
        expect(ordered).toEqual([...left.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
        await snapshot.close()
      }))

    it('compares no versions from before the floor, and takes over the floors of what it puts in', async () => {
      const stream = `${projection}-0`
      const own: Table = {
        name: `${names.name}_kept`,
        columns: { id: 'text', stream: 'text', offset: 'integer' },
        key: ['id'],
      }
      const kept = { ...own, versions: versionsOf(own) }
      await store.declare([kept])
      const versions = [1, 2, 3].map(offset => ({ id: 'a', stream, offset, until: offset + 1 }))
      const changes = [
        { table: kept, rows: [{ id: 'a', stream, offset: 4 }] },
        { table: kept.versions, rows: versions },
      ]
      const { epoch } = await store.claim(projection, stream)
      await store.commit(changes, { ...live(epoch), stream })
      expect(await store.forget(kept, { projection, stream, epoch }, 3, 10)).toBe(2)
      const generation = await store.generations.begin(plan('r1', [kept]))
      const below = storeBeside(store, generation.number, epochs)
      const claim = await below.claim(projection, stream)
      await below.commit(changes, { ...live(claim.epoch), stream })
      const snapshot = await store.generations.snapshot()
      const floors = await snapshot.floors()
      expect(floors.get(stream)).toBe(3)
      const compare = (from: ReadonlyMap<string, number>) =>
        snapshot.differences(kept.versions, beside(kept.versions, generation.number), from, undefined, 10)
      expect(await compare(floors)).toMatchObject({ live: 1, made: 1, changed: 0, liveOnly: 0, madeOnly: 0 })
      expect(await compare(new Map())).toMatchObject({ live: 1, made: 3, madeOnly: 2 })
      await snapshot.close()
      const early = () => store.load(kept, [['a']], new Map([[stream, 1]])).catch(error => error.code)
      expect(await early()).toBe('GONE')
      const held = await store.generations.hold(projection, [kept])
      // From one or the other: never that of one by the floor of the other.
      const reading = early()
      await held.swap(generation, epochs, '{}')
      expect(['GONE', [{ id: 'a', stream, offset: 1 }]]).toContainEqual(await reading)
      expect((await store.floors()).get(stream)).toBeUndefined()
      await store.claim(projection, stream)
      expect((await store.floors()).get(stream)).toBeUndefined()
      expect(await early()).toEqual([{ id: 'a', stream, offset: 1 }])
      await expect(store.forget(kept, { projection, stream, epoch }, 3, 10)).rejects.toMatchObject({ code: 'CONFLICT' })
    })

    it('sees everything as it was when a snapshot was taken', async () => {
      await put(row('a', 'then'))
      const snapshot = await store.generations.snapshot()
      await store.commit([{ table: names, rows: [row('a', 'now')] }], { ...live(), offset: 5 })
      expect(await snapshot.rows(names, undefined, 10)).toEqual([row('a', 'then')])
      expect(await snapshot.checkpoints([projection])).toEqual(new Map([['s-0', 4]]))
      await snapshot.close()
      expect(await all(names)).toEqual([row('a', 'now')])
    })
  })
}
