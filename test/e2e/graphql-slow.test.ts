import { afterAll, beforeAll, expect, it } from 'vitest'
import { metric, pushBatch, pushLines } from '../kit/api.ts'
import { type Feed, subscribe } from '../kit/graphql-feed.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const PUSHES = 5
const RECORDS = 3000
const TEXT = 'x'.repeat(2000)
const WANTED = Array.from({ length: PUSHES * RECORDS }, (_, n) => `r${Math.floor(n / RECORDS)}-${n % RECORDS}`)

interface Change {
  changes: { recordId: string; position: string }
}
interface Event {
  events: { payload: { id: string } }
}

const CHANGES = `subscription Changes($since: String) { changes(dataset: "slow", since: $since) {
  position ... on RecordChange { recordId changes } } }`
const EVENTS =
  'subscription Events($since: String) { events(topic: "sync.records", since: $since) { position payload } }'

let service: Service
let first: string
beforeAll(async () => {
  service = await startService({ MAX_SOCKET_BUFFER_BYTES: '65536' })
  first = (await pushBatch(service, 'slow', [{ id: 'first', data: {} }])).body.position
  await untilProjected(service, first)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function paused<Data>(query: string, variables: object = {}): Promise<Feed<Data>> {
  const feed = await subscribe<Data>(service, query, variables)
  await until('the feed to have begun', () => feed.text !== '')
  feed.pause()
  return feed
}

it('whoever is too slow for what changes is told where to go on, and misses nothing', async () => {
  const slow = await paused<Change>(CHANGES)
  let end = ''
  for (let push = 0; push < PUSHES; push++) {
    const ids = WANTED.slice(push * RECORDS, (push + 1) * RECORDS)
    const lines = ids.map(id => JSON.stringify({ id, data: { text: TEXT } }))
    end = (await pushLines(service, 'dataset=slow', lines.join('\n'))).body.position
  }
  await untilProjected(service, end)
  await until('it to have missed something', async () => (await metric(service, 'sync_websocket_resyncs_total')) > 0)
  slow.resume()
  const told = await slow.next(({ errors }) => errors !== undefined)
  const { code, resync_required } = told.errors![0]!.extensions as unknown as {
    code: string
    resync_required: { code: string; from: string }
  }
  expect([code, resync_required.code]).toEqual(['UNAVAILABLE', 'slow'])
  expect([await slow.closed, slow.complete]).toEqual(['ended', true])
  const rest = await subscribe<Change>(service, CHANGES, { since: resync_required.from })
  await rest.next(({ data }) => data?.changes.recordId === WANTED.at(-1), 60_000)
  rest.close()
  const ids = [...slow.results, ...rest.results].flatMap(({ data }) => data?.changes.recordId ?? [])
  expect(ids).toEqual(WANTED)
})

it('whoever reads nothing is waited for, in little memory, and then told everything', async () => {
  // A new process: what the first one has needed at most says nothing.
  await service.stop()
  service = await startService({ MAX_SOCKET_BUFFER_BYTES: '65536' }, { dataDir: service.dataDir })
  const readAll = async () => {
    const reader = await subscribe<Event>(service, EVENTS, { since: first })
    await reader.next(({ data }) => data?.events.payload.id === WANTED.at(-1), 60_000)
    reader.close()
  }
  await readAll()
  const before = service.peakMb()
  const feeds: Feed<Change & Event>[] = []
  // Each of them has 30 MB to be told.
  for (let n = 0; n < 20; n++) feeds.push(await paused(n % 2 ? CHANGES : EVENTS, { since: first }))
  // As much time as it takes to be told it.
  for (let n = 0; n < 3; n++) await readAll()
  expect(service.peakMb() - before).toBeLessThan(150)
  for (const feed of feeds.slice(2)) feed.close()
  for (const feed of feeds.slice(0, 2)) {
    feed.resume()
    const idOf = ({ changes, events }: Partial<Change & Event>) => changes?.recordId ?? events?.payload.id
    await feed.next(({ data }) => idOf(data ?? {}) === WANTED.at(-1), 60_000)
    expect(feed.results.map(({ data }) => idOf(data ?? {})).slice(0, WANTED.length)).toEqual(WANTED)
    feed.close()
  }
})
