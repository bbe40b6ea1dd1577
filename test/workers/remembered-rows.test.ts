import { afterEach, describe, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { schemas } from '../../src/events/index.ts'
import type { Row } from '../../src/kernel/projection.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { records, recordsProjection } from '../../src/projections/records.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startProjector } from '../../src/workers/projector.ts'
import { rowMemory } from '../../src/workers/remembered-rows.ts'
import { until } from '../kit/processes.ts'
import { pushInto } from '../kit/projected.ts'

const row = (id: string, stream = 's', text = ''): Row => ({ dataset: 'd', id, data: text, stream, offset: 1 })
const table = { ...records, name: 'plain', remembered: false }

describe('rows that are remembered', () => {
  it('are those that the stream has written, of tables that ask for it', () => {
    const { of } = rowMemory(1_000_000).begin([table, records], 's')
    expect([...of.keys()]).toEqual([records])
    const rows = of.get(records)!
    rows.keep('a', row('a'))
    rows.keep('b', row('b', 'another'))
    expect([rows.get('a'), rows.get('b'), rows.get('c')]).toEqual([row('a'), undefined, undefined])
    rows.keep('a', row('a', 's', 'later'))
    expect(rows.get('a')!.data).toBe('later')
  })

  it('take no more room than they may, shared among claims: those that were used last stay', () => {
    const memory = rowMemory(100_000)
    const [first, second] = ['s', 't'].map(stream => memory.begin([records], stream))
    const left = (claim = first!) => {
      const rows = claim.of.get(records)!
      rows.keep('used', row('used'))
      for (let n = 0; n < 1000; n++) {
        rows.keep(`${n}`, row(`${n}`, 's', 'x'.repeat(100)))
        const used = rows.get('used')
        if (used) rows.keep('used', used)
      }
      expect(rows.get('used')).toBeDefined()
      return Array.from({ length: 1000 }, (_, n) => rows.get(`${n}`)).flatMap((found, n) => (found ? [n] : []))
    }
    const half = left()
    expect(half.at(-1)).toBe(999)
    expect(half).toEqual(Array.from(half, (_, i) => 1000 - half.length + i))
    expect(half.length * 520).toBeGreaterThan(24_000)
    expect(half.length * 500).toBeLessThanOrEqual(50_000)
    second!.end()
    const whole = left()
    expect(whole.length * 520).toBeGreaterThan(49_000)
    expect(whole.length * 500).toBeLessThanOrEqual(100_000)
  })
})

describe('a projector that remembers rows', () => {
  const ends: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end()
  })

  async function start(): Promise<{ log: Log; store: Store; read: () => number }> {
    const log = openMemoryLog()
    await log.declare(readTopics(), schemas)
    const store = openSqliteStore({ file: ':memory:', cacheMb: 4 })
    ends.push(
      () => log.stop(),
      () => store.stop(),
    )
    await store.declare(recordsProjection.tables)
    let read = 0
    const counting: Store = {
      ...store,
      async load(of, keys) {
        if (of.name === records.name) read += keys.length
        return store.load(of, keys)
      },
    }
    const projector = await startProjector({
      ...{ log, store: counting, projection: recordsProjection, logger: createLogger('silent') },
      ...{ maxEvents: 100, maxBytes: 1_000_000, rememberedBytes: 1_000_000 },
      ...{ onHolding: () => undefined, onProgress: () => undefined },
    })
    ends.push(() => projector.stop())
    return { log, store, read: () => read }
  }

  const rowOf = async (store: Store, id: string) => (await store.load(records, [['orders', id]]))[0]
  const reached = (store: Store, id: string, version: number) =>
    until(`version ${version} of ${id}`, async () => {
      const found = await rowOf(store, id)
      return found?.version === version && found
    })

  it('reads a row once, and not before its later changes', async () => {
    const { log, store, read } = await start()
    for (let n = 1; n <= 5; n++) {
      await pushInto(log, { id: '1', data: `{"n":${n}}` }, { id: '2', data: `{"n":${-n}}` })
      expect((await reached(store, '1', n)).data).toBe(`{"n":${n}}`)
    }
    await reached(store, '2', 5)
    expect(read()).toBe(2)
  })

  it('reads again what another one may have written since it lost its claim', async () => {
    const { log, store } = await start()
    await pushInto(log, { id: '1', data: '{"n":1}' })
    const before = await reached(store, '1', 1)
    const stream = log.streams('sync.records').find(({ name }) => name === before.stream)!
    const { epoch, offset } = await store.claim('records', stream.name)
    const changes = [{ table: records, rows: [{ ...before, data: '{"n":70}', version: 70 }] }]
    await store.commit(changes, { projection: 'records', stream: stream.name, offset, epoch })
    await pushInto(log, { id: '1', data: '{"n":71}' })
    expect((await reached(store, '1', 71)).data).toBe('{"n":71}')
  })
})
