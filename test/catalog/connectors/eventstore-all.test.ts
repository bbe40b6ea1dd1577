import { beforeAll, expect, it } from 'vitest'
import type { PulledPage } from '../../../src/catalog/connectors/connector.ts'
import { eventstore } from '../../../src/catalog/connectors/eventstore.ts'
import { dataOf, onEachStore, pagesOf, pulling, type TestStore } from '../../kit/eventstore-pulls.ts'

const at = (pages: readonly PulledPage[]) => pages.at(-1)!.state

onEachStore('events of all streams', stores => {
  let store: TestStore
  let connection: TestStore['connection']

  beforeAll(() => {
    store = stores()
    connection = store.connection
  })

  it('go on after the state of any page, the own ones of the database left out', async () => {
    const [first] = await pagesOf({ ...connection, all: true, from: 'end' })
    const mine = new Set([store.name(), store.name()])
    for (let n = 0; n < 60; n++) await store.fill([...mine][n % 2]!, 1, n)
    await store.client.setStreamMetadata([...mine][0]!, { maxAge: 1_000_000 })
    const config = { ...connection, stream: '$all' }
    const begin = eventstore.begin!(first!.state)
    const numbers = (pages: PulledPage[]) =>
      dataOf(pages).flatMap(({ stream, data }) => (mine.has(stream) ? [data.n] : []))
    const run = pulling({ pageRows: 7 })
    const pages = await pagesOf(config, begin, run)
    expect(numbers(pages)).toEqual(Array.from({ length: 60 }, (_, n) => n))
    expect(dataOf(pages).filter(({ type }) => type.startsWith('$'))).toEqual([])
    for (const [index, page] of pages.entries()) {
      const rest = await pagesOf(config, page.state, run)
      expect(numbers([...pages.slice(0, index + 1), ...rest])).toEqual(Array.from({ length: 60 }, (_, n) => n))
    }
    // What has no row moves the state on as well.
    expect(numbers(await pagesOf(config, at(pages), run))).toEqual([])
    const system = await pagesOf({ ...config, system_events: true, resolve_links: false }, begin, run)
    expect(dataOf(system).some(({ type, stream }) => type === '$metadata' && mine.has(stream.slice(2)))).toBe(true)
  })

  it('begin at a position, which is itself read', async () => {
    const [begin] = await pagesOf({ ...connection, all: true, from: 'end' })
    const stream = store.name()
    await store.fill(stream, 3)
    const run = pulling({ pageRows: 1 })
    const pages = await pagesOf({ ...connection, all: true }, begin!.state, run)
    const index = pages.findIndex(page => dataOf([page])[0]?.data.n === 1)
    const { commit, prepare } = pages[index]!.state as { commit: number; prepare: number }
    for (const from of [{ commit, prepare }, `C:${commit}/P:${prepare}`, `${commit}/${prepare}`]) {
      const found = dataOf(await pagesOf({ ...connection, all: true, from }))
      expect(found.filter(each => each.stream === stream).map(({ data }) => data.n)).toEqual([1, 2])
      expect(found[0]).toMatchObject({ stream, data: { n: 1 } })
    }
  })
})
