import { join } from 'node:path'
import { parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, pushBatch, pushLines, tokenFor } from '../kit/api.ts'
import { openLogAt } from '../kit/logs.ts'
import { until } from '../kit/processes.ts'
import { head, openRaw } from '../kit/raw.ts'
import { retain } from '../kit/retention.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

interface Event {
  id: string
  topic: string
  type: string
  key: string
  position: string
  time: string
  payload: Record<string, unknown>
}
interface Page {
  items: Event[]
  next_cursor: string | null
}

const NDJSON = { accept: 'application/x-ndjson' }
const RECORDS = 250

let service: Service
let middle: string
let end: string
let before: number
beforeAll(async () => {
  service = await startService()
  const lines = (from: number) =>
    Array.from({ length: RECORDS }, (_, n) => JSON.stringify({ id: `r${from + n}`, data: { n: from + n } })).join('\n')
  middle = (await pushLines(service, 'dataset=first', lines(0))).body.position
  await untilProjected(service, middle)
  before = Date.now()
  while (Date.now() <= before + 2) await new Promise(resolve => setImmediate(resolve))
  end = (await pushLines(service, 'dataset=second', lines(RECORDS))).body.position
  await pushBatch(service, 'second', [{ data: {} }, { id: 'last', data: { wide: '9007199254740993.10' } }])
  await untilProjected(service, end)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function all(query: string, as?: string): Promise<Event[]> {
  const { status, text } = await call(service, `/events?${query}`, { headers: NDJSON, ...(as ? { as } : {}) })
  expect(status).toBe(200)
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

async function pages(query: string, limit: number): Promise<Event[]> {
  const found: Event[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { status, body } = await call<Page>(service, `/events?${query}&limit=${limit}${more}`)
    expect(status).toBe(200)
    found.push(...body.items)
    cursor = body.next_cursor
  }
  return found
}

/** RFC 4180, read the long way. */
function csvRows(text: string): string[][] {
  const fields = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/g
  const rows: string[][] = [[]]
  for (const [, field, end] of text.matchAll(fields)) {
    rows.at(-1)!.push(field!.startsWith('"') ? field!.slice(1, -1).replaceAll('""', '"') : field!)
    if (end !== ',') rows.push([])
  }
  return rows.slice(0, -1)
}

describe('history', () => {
  it('has every event with its place, type, key, time and payload', async () => {
    const records = await all('topic=sync.records')
    expect(records).toHaveLength(2 * RECORDS + 1)
    const { id, time, position, ...first } = records[0]!
    expect(first).toMatchObject({ topic: 'sync.records', type: 'RecordPushed', key: 'first\0r0' })
    expect(first.payload).toMatchObject({ dataset: 'first', id: 'r0', op: 'upsert', data: '{"n":0}' })
    expect([id, time]).toEqual([expect.stringMatching(/^evt_/), expect.stringMatching(/^\d{4}-.*Z$/)])
    expect(new Set(records.map(event => event.id)).size).toBe(records.length)
    expect(new Set(records.map(event => event.position)).size).toBe(records.length)
    const again = await all('topic=sync.records')
    expect(again).toEqual(records)
  })

  it('is in one order, whatever the topics', async () => {
    const both = await all('topic=sync.records,sync.changes')
    const offset = ({ position }: Event) => Number.parseInt(position.split('.').at(-1)!, 36)
    const offsets = both.map(offset)
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
    expect(both.filter(({ topic }) => topic === 'sync.changes')).toHaveLength(2 * RECORDS + 1)
  })

  it('comes in pages that fit together, of whatever size', async () => {
    const whole = await all('topic=sync.records&topic=sync.rejected')
    for (const limit of [7, 100, 1000]) expect(await pages('topic=sync.records,sync.rejected', limit)).toEqual(whole)
    // The last page is known as such, also when it is full.
    const cursors = [50, 51].map(async more => {
      const query = `topic=sync.records&from=${whole.at(-more - 2)!.position}&to=${whole.at(-2)!.position}`
      return (await call<Page>(service, `/events?${query}&limit=50`)).body.next_cursor
    })
    expect(await Promise.all(cursors)).toEqual([null, whole.at(-3)!.position])
  })

  it('waits for min_position, with what follows from it', async () => {
    const query = `topic=sync.changes&key=second%00r${2 * RECORDS - 1}&min_position=${end}`
    expect((await call<Page>(service, `/events?${query}`)).body.items).toHaveLength(1)
    const ahead = `${end.split('.')[0]}.zzzzzzz`
    for (const path of ['/events', '/topics']) {
      const answer = await call<Problem>(service, `${path}?min_position=${ahead}`)
      expect([path, answer.status, answer.body.error.code]).toEqual([path, 504, 'NOT_YET_PROJECTED'])
    }
    expect((await call(service, `/topics?as_of=${end}`)).status).toBe(400)
  })

  it('goes on after a position, and ends with one', async () => {
    const whole = await all('topic=sync.records')
    expect(await all(`topic=sync.records&from=${middle}`)).toEqual(whole.slice(RECORDS))
    expect(await all(`topic=sync.records&to=${middle}`)).toEqual(whole.slice(0, RECORDS))
    expect(await all(`topic=sync.records&from=${whole[9]!.position}&to=${whole[19]!.position}`)).toEqual(
      whole.slice(10, 20),
    )
    expect(await all(`topic=sync.records&from=${end}&to=${end}`)).toEqual([])
  })

  it('goes by time', async () => {
    const whole = await all('topic=sync.records')
    const time = new Date(before).toISOString()
    expect(await all(`topic=sync.records&from=${time}`)).toEqual(whole.slice(RECORDS))
    expect(await all(`topic=sync.records&to=${time}`)).toEqual(whole.slice(0, RECORDS))
    expect(await all('to=1999-01-01T00:00:00%2B02:00')).toEqual([])
    expect(await all('topic=sync.records&to=2999-01-01')).toEqual(whole)
  })

  it.each(['/events?limit=1&', '/events/export?'])('does not begin in the future: %s', async path => {
    const answer = await call(service, `${path}from=2999-01-01`, { headers: NDJSON })
    const message = '2999-01-01 is in the future'
    expect([answer.status, answer.body.error?.details]).toEqual([400, [{ field: 'from', message }]])
  })

  it('is asked by key and type', async () => {
    const [made] = await all('topic=sync.records&key=second%00last')
    expect(made!.payload.data).toBe('{"wide":"9007199254740993.10"}')
    const rejected = await all('type=RecordRejected')
    expect(rejected.map(({ topic }) => topic)).toEqual(['sync.rejected'])
    expect(Buffer.from(rejected[0]!.payload.original as string, 'base64').toString()).toBe('{"data":{}}')
    expect(await all('type=RecordRejected&topic=sync.records')).toEqual([])
    expect(await pages('key=second%00last', 1)).toHaveLength(2)
  })

  it('shows who came in to admins alone', async () => {
    const types = new Set((await all('')).map(({ topic }) => topic))
    expect(types.has('sync.access')).toBe(true)
    const { access_token } = await tokenFor(service, 'sync:read')
    const topics = new Set((await all('', access_token)).map(({ topic }) => topic))
    expect([topics.has('sync.access'), topics.has('sync.records')]).toEqual([false, true])
    const answer = await call(service, '/events?topic=sync.access', { as: access_token })
    expect([answer.status, answer.body.error.message]).toEqual([403, expect.stringContaining('sync:admin')])
  })

  it('is exported as NDJSON, csv and parquet, all the same', async () => {
    const whole = await all('topic=sync.records')
    const fetched = async (format: string) => {
      const query = `topic=sync.records&format=${format}`
      const headers = { authorization: `Bearer ${service.token}` }
      const answer = await fetch(`${service.url}/events/export?${query}`, { headers })
      expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="events.${format}"`)
      return Buffer.from(await answer.arrayBuffer())
    }
    const ndjson = (await fetched('ndjson')).toString().trimEnd().split('\n')
    expect(ndjson.map(line => JSON.parse(line))).toEqual(whole)
    const flat = whole.map(event => ({ ...event, payload: JSON.stringify(event.payload) }))
    const bytes = await fetched('parquet')
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
    expect(await parquetReadObjects({ file })).toEqual(flat)
    const rows: unknown[] = []
    const columns = Object.keys(flat[0]!)
    const [head, ...lines] = csvRows((await fetched('csv')).toString())
    expect(head).toEqual(columns)
    for (const line of lines) rows.push(Object.fromEntries(columns.map((column, n) => [column, line[n]])))
    expect(rows).toEqual(flat.map(row => ({ ...row, key: row.key.replace('\0', '\ufffd') })))
  })

  it('begins nowhere beyond its end: what came next would be left out without a word', async () => {
    const { body } = await call<{ items: { position: string }[] }>(service, '/events?topic=sync.records&limit=1')
    const beyond = `${body.items[0]!.position.split('~')[0]}~log.zzzzzz`
    for (const [query, headers] of [
      [`from=${beyond}`, {}],
      [`from=${beyond}`, { Accept: 'application/x-ndjson' }],
      [`cursor=${beyond}`, {}],
      [`from=${beyond}`, { Accept: 'text/event-stream' }],
      ['topic=sync.records', { Accept: 'text/event-stream', 'Last-Event-ID': beyond }],
    ] as [string, Record<string, string>][]) {
      const answer = await call(service, `/events?${query}`, { headers })
      expect([answer.status, answer.body.error.message]).toEqual([
        400,
        expect.stringContaining('beyond the end of the log'),
      ])
    }
  })

  it.each([
    ['topic=sync.everything', 'topic'],
    ['type=Nothing', 'type'],
    ['from=yesterday', 'from'],
    ['from=zzzzzzzz~log.1', 'from'],
    ['to=2026-13-40', 'to'],
    ['cursor=yesterday', 'cursor'],
    ['limit=0', 'limit'],
    ['order=desc', 'order'],
    ['from=2026-01-02&to=2026-01-01', 'from'],
  ])('refuses %s', async (query, field) => {
    const { status, body } = await call(service, `/events?${query}`)
    expect([status, body.error.details[0]?.field]).toEqual([400, field])
  })
})

it('is 410 where retention has taken what is asked for, with the earliest position', async () => {
  const own = await startService()
  try {
    const { position } = (await pushBatch(own, 'kept', [{ id: 'a', data: {} }])).body
    await untilProjected(own, position)
    await own.stop()
    const log = await openLogAt(`embedded:${join(own.dataDir, 'log.db')}`)
    await retain(log, 'sync.changes')
    await log.stop()
    const later = await startService({}, { dataDir: own.dataDir })
    try {
      const beginning = `${position.split('~')[0]}~`
      const gone = await call(later, `/events?topic=sync.changes&from=${beginning}`)
      expect([gone.status, gone.body.error.code]).toEqual([410, 'GONE'])
      const [earliest] = /\S+$/.exec(gone.body.error.message)!
      expect((await call(later, `/events?topic=sync.changes&from=${earliest}`)).status).toBe(200)
      expect((await call(later, `/events?topic=sync.records&from=${beginning}`)).status).toBe(200)
      expect((await call<Page>(later, '/events?topic=sync.changes')).body.items).toEqual([])
    } finally {
      await later.stop()
    }
  } finally {
    removeData(own)
  }
})

it('is read to its end by so many at once as may, and a HEAD reads nothing', async () => {
  const own = await startService({ MAX_HISTORY_READERS: '2' })
  try {
    const lines = Array.from({ length: 60_000 }, (_, n) => JSON.stringify({ id: `r${n}`, data: { n } })).join('\n')
    await untilProjected(own, (await pushLines(own, 'dataset=long', lines)).body.position)
    const readers = await Promise.all([openRaw(own), openRaw(own)])
    for (const reader of readers) {
      reader.write(head(own, 'GET /events/export'))
      await reader.untilReceived(/RecordPushed/)
      reader.stopReading()
    }
    const refused = await call(own, '/events', { headers: NDJSON })
    expect([refused.status, refused.body.error.code]).toEqual([503, 'UNAVAILABLE'])
    expect(refused.headers.get('retry-after')).toBe('10')
    expect((await call(own, '/events?limit=1')).status).toBe(200)
    for (const reader of readers) reader.reset()
    const again = () => call(own, '/events/export', { method: 'HEAD' })
    await until('there to be room again', async () => (await again()).status === 200)
    for (let n = 0; n < 5; n++) expect((await again()).status).toBe(200)
    expect((await call(own, '/events?topic=sync.records', { headers: NDJSON })).text.split('\n')).toHaveLength(60_001)
  } finally {
    await own.stop()
    removeData(own)
  }
})
