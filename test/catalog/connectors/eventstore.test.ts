import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import type { PulledPage } from '../../../src/catalog/connectors/connector.ts'
import { eventstore } from '../../../src/catalog/connectors/eventstore.ts'
import {
  binaryEvent,
  dataOf,
  failureOf,
  jsonEvent,
  onEachStore,
  pagesOf,
  pulling,
  revisionsOf,
  type TestStore,
  textsOf,
} from '../../kit/eventstore-pulls.ts'
import { property } from '../../kit/random.ts'

const at = (pages: readonly PulledPage[]) => pages.at(-1)!.state

onEachStore('events', stores => {
  let store: TestStore
  let connection: TestStore['connection']

  beforeAll(() => {
    store = stores()
    connection = store.connection
  })

  it('are records of their bytes, whatever a JavaScript number holds', async () => {
    const stream = store.name('käse ')
    const data = '{ "b": 12345678901234567890.10, "a": 1e400, "b": [1.0],\n "z": "\\u0041é" }'
    const ids = await store.appendRaw(stream, [
      { type: 'Exact "quoted"', data, metadata: '{"n":9007199254740993}' },
      { type: 'Empty', data: '' },
      { type: 'NotJson', data: '{"id":1},"id":2' },
      { type: 'Bytes', contentType: 'application/octet-stream', data: Buffer.from([0, 255, 1]), metadata: 'plain' },
      { type: 'BadText', data: Buffer.from([0x22, 0xff, 0x22]) },
    ])
    const run = pulling()
    const [page, ...more] = await pagesOf({ ...connection, stream }, undefined, run)
    expect(more).toEqual([])
    expect([...page!.rows].map(row => row.id)).toEqual(ids)
    const [first] = textsOf([page!])
    expect(first).toContain(`"data":${data},"metadata":{"n":9007199254740993}}`)
    const [exact, empty, notJson, bytes, badText] = dataOf([page!])
    expect(exact).toMatchObject({ id: ids[0], type: 'Exact "quoted"', stream, revision: 0 })
    expect(exact.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{7})?Z$/)
    expect(Math.abs(Date.parse(exact.created) - Date.now())).toBeLessThan(600_000)
    expect(empty).toMatchObject({ data: null, metadata: null, revision: 1 })
    expect(empty).not.toHaveProperty('content_type')
    const mislabelled = Buffer.from('{"id":1},"id":2').toString('base64')
    expect(notJson).toMatchObject({ id: ids[2], data: mislabelled, content_type: 'application/json' })
    expect(bytes).toMatchObject({ data: 'AP8B', content_type: 'application/octet-stream' })
    expect(bytes).toMatchObject({ metadata: 'cGxhaW4=', metadata_content_type: 'application/octet-stream' })
    expect(badText).toMatchObject({ data: 'Iv8i', content_type: 'application/json' })
    expect(run.told).toEqual([
      expect.objectContaining({ level: 'warning', metadata: { count: 2, first: `2@${stream}` } }),
    ])
    expect(page!.total).toBe(5)
  })

  it('go on after the state of any page, and no page is past its bounds', async () => {
    const stream = store.name()
    await store.client.appendToStream(
      stream,
      Array.from({ length: 300 }, (_, n) =>
        jsonEvent({ type: 'Sized', data: { n, text: 'x'.repeat((n * 37) % 900) } }),
      ),
    )
    const everything = textsOf(await pagesOf({ ...connection, stream }))
    expect(everything).toHaveLength(300)
    await property(8, async random => {
      const run = pulling({ pageRows: 1 + random.int(120), pageBytes: 300 + random.int(20_000) })
      const pages = await pagesOf({ ...connection, stream }, undefined, run)
      expect(textsOf(pages)).toEqual(everything)
      for (const page of pages) {
        const bytes = textsOf([page]).map(text => Buffer.byteLength(text))
        expect(page.rows.length).toBeLessThanOrEqual(run.context.pageRows)
        const isWithin = bytes.reduce((sum, each) => sum + each, 0) <= run.context.pageBytes || bytes.length === 1
        expect(isWithin).toBe(true)
        expect(page.total).toBe(300)
      }
      const taken = random.int(pages.length)
      const rest = await pagesOf({ ...connection, stream }, pages[taken]!.state, run)
      expect([...textsOf(pages.slice(0, taken + 1)), ...textsOf(rest)]).toEqual(everything)
      for (const page of rest) expect(page.total).toBe(300)
    })
  })

  it('are read by the next run from where the last one ended', async () => {
    const stream = store.name()
    await store.fill(stream, 5)
    const first = await pagesOf({ ...connection, stream })
    expect(revisionsOf(first)).toEqual([0, 1, 2, 3, 4])
    const begun = eventstore.begin!(at(first))
    expect(await pagesOf({ ...connection, stream }, begun)).toEqual([])
    await store.fill(stream, 3, 5)
    const second = await pagesOf({ ...connection, stream }, begun)
    expect(dataOf(second).map(({ data }) => data.n)).toEqual([5, 6, 7])
    expect(second[0]!.total).toBe(3)
  })

  it('begin at a revision, which is itself read', async () => {
    const stream = store.name()
    await store.fill(stream, 10)
    for (const from of [6, '6']) {
      expect(revisionsOf(await pagesOf({ ...connection, stream, from }))).toEqual([6, 7, 8, 9])
    }
    const run = pulling()
    expect(await pagesOf({ ...connection, stream, from: 40 }, undefined, run)).toEqual([])
    expect(run.told).toEqual([expect.objectContaining({ message: expect.stringContaining('after the end') })])
  })

  it('of the end are none, and those that come later', async () => {
    const stream = store.name()
    const config = { ...connection, stream, from: 'end' }
    for (const already of [0, 4]) {
      if (already > 0) await store.fill(stream, already)
      const first = await pagesOf(config)
      expect(first).toEqual([expect.objectContaining({ rows: [], state: expect.objectContaining({ stream }) })])
      const state = eventstore.begin!(at(first))
      expect(await pagesOf(config, state)).toEqual([])
      await store.fill(stream, 2, 100)
      const next = await pagesOf(config, state)
      expect(dataOf(next).map(({ data }) => data.n)).toEqual([100, 101])
    }
  })

  it('of a stream that is not there are none, and the run says so', async () => {
    const stream = store.name()
    const run = pulling()
    expect(await pagesOf({ ...connection, stream }, undefined, run)).toEqual([])
    expect(run.told).toEqual([
      { level: 'warning', message: expect.stringContaining('no such stream'), metadata: { stream, hint: undefined } },
    ])
  })

  it('of a deleted stream are none, and go on when it is made again', async () => {
    const stream = store.name()
    await store.fill(stream, 4)
    const state = eventstore.begin!(at(await pagesOf({ ...connection, stream })))
    await store.client.deleteStream(stream)
    const run = pulling()
    expect(await pagesOf({ ...connection, stream }, state, run)).toEqual([])
    expect(run.told.map(({ message }) => message)).toEqual([expect.stringContaining('the stream is deleted')])
    await store.fill(stream, 2, 50)
    const again = pulling()
    const pages = await pagesOf({ ...connection, stream }, state, again)
    expect(dataOf(pages).map(({ revision, data }) => [revision, data.n])).toEqual([
      [4, 50],
      [5, 51],
    ])
    expect(again.told).toEqual([])
  })

  it('of a stream that was deleted for good cannot be had', async () => {
    const stream = store.name()
    await store.fill(stream, 2)
    await store.client.tombstoneStream(stream)
    const { error, pages } = await failureOf({ ...connection, stream })
    expect(pages).toEqual([])
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'connector.config.stream' }] })
    expect(error.message).toContain(stream)
  })

  it.each([
    ['truncateBefore', 7],
    ['maxCount', 3],
  ])('that are gone by %s are passed over, and the run says which', async (setting, value) => {
    const stream = store.name()
    await store.fill(stream, 10)
    const state = { revision: 2 }
    await store.client.setStreamMetadata(stream, { [setting]: value })
    const run = pulling()
    const pages = await pagesOf({ ...connection, stream }, state, run)
    expect(revisionsOf(pages)).toEqual([7, 8, 9])
    expect(run.told).toEqual([
      expect.objectContaining({ level: 'warning', metadata: { stream, wanted: '3', first: '7' } }),
    ])
    expect(pages[0]!.total).toBe(3)
  })

  it('that links lead to are given, and links without an event are passed over', async () => {
    const [stream, target] = [store.name(), store.name()]
    await store.fill(target, 6)
    await store.client.setStreamMetadata(target, { truncateBefore: 2 })
    await store.link(
      stream,
      [0, 2, 1, 3, 99].map(revision => `${revision}@${target}`),
    )
    await store.link(stream, [`0@${store.name()}`])
    const run = pulling({ pageRows: 2 })
    const pages = await pagesOf({ ...connection, stream }, undefined, run)
    expect(dataOf(pages).map(({ stream: of, revision }) => `${revision}@${of}`)).toEqual([`2@${target}`, `3@${target}`])
    expect(at(pages)).toMatchObject({ stream, revision: 5 })
    expect(run.told.map(({ metadata }) => metadata)).toEqual([
      { count: 2, first: `0@${stream}` },
      { count: 2, first: `4@${stream}` },
    ])
    const raw = dataOf(await pagesOf({ ...connection, stream, resolve_links: false }))
    expect(raw).toHaveLength(6)
    expect(raw[1]).toMatchObject({ type: '$>', revision: 1, data: Buffer.from(`2@${target}`).toString('base64') })
  })

  it('of a category are those of its streams', async () => {
    const category = `cat${randomUUID().replaceAll('-', '')}`
    for (const n of [1, 2]) await store.fill(`${category}-${n}`, 3)
    let pages: PulledPage[] = []
    // The projection that fills the category's stream comes after the writing.
    for (let tries = 0; tries < 100 && revisionsOf(pages).length < 6; tries++) {
      if (tries > 0) await sleep(100)
      pages = await pagesOf({ ...connection, category })
    }
    expect(
      dataOf(pages)
        .map(({ stream }) => stream)
        .sort(),
    ).toEqual([1, 1, 1, 2, 2, 2].map(n => `${category}-${n}`))
    expect(at(pages)).toMatchObject({ stream: `$ce-${category}`, revision: 5 })
  })

  it('have ids of their own where the same event id is used twice', async () => {
    const streams = [store.name(), store.name()]
    const id = randomUUID()
    for (const stream of streams) {
      await store.client.appendToStream(stream, jsonEvent({ id, type: 'Copied', data: { stream } }))
    }
    for (const stream of streams) {
      const [byEvent] = await pagesOf({ ...connection, stream })
      expect([...byEvent!.rows][0]!.id).toBe(id)
      const [byPlace] = await pagesOf({ ...connection, stream, record_id: 'revision' })
      expect([...byPlace!.rows][0]!.id).toBe(`0@${stream}`)
    }
  })

  it('may be large, and are alone on their page', async () => {
    const stream = store.name()
    const text = 'y'.repeat(900_000)
    await store.client.appendToStream(stream, jsonEvent({ type: 'Small', data: {} }))
    await store.client.appendToStream(stream, jsonEvent({ type: 'Large', data: { text } }))
    await store.client.appendToStream(stream, binaryEvent({ type: 'Large', data: Buffer.alloc(900_000, 7) }))
    const pages = await pagesOf({ ...connection, stream }, undefined, pulling({ pageBytes: 100_000 }))
    expect(pages.map(page => page.rows.length)).toEqual([1, 1, 1])
    expect(dataOf(pages)[1].data.text).toBe(text)
    expect(Buffer.from(dataOf(pages)[2].data, 'base64')).toEqual(Buffer.alloc(900_000, 7))
  })
})
