/** A record's versions, and what is left of the past when it is not kept. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, pushBatch } from '../kit/api.ts'
import { pushOne, setPolicy } from '../kit/conflicts.ts'
import { refusal } from '../kit/graphql.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

interface Version {
  version: number
  operation: string | null
  data: unknown
  updated_at: string
  position: string
}
interface Versions extends Partial<Problem> {
  items: Version[]
  next_cursor: string | null
  earliest: { version: number; position: string } | null
}

const versionsOf = (service: Service, dataset: string, id: string, query = '') =>
  call<Versions>(service, `/datasets/${encodeURIComponent(dataset)}/records/${encodeURIComponent(id)}/history?${query}`)

describe('the versions of a record', () => {
  let service: Service
  /** What was pushed, null for a removal, and the position of each. */
  const pushed = ['{"a":1}', '{"a": 1.50, "n":12345678901234567890}', null, '{"b":"ä\\u0000"}', '{"b":2}', null]
  const positions: string[] = []
  beforeAll(async () => {
    service = await startService()
    for (const data of pushed) {
      const record = data === null ? '{"id":"r/1","op":"delete"}' : `{"id":"r/1","data":${data}}`
      positions.push(await pushOne(service, 'd', record))
      // Without a change there is no version.
      await pushOne(service, 'd', record)
    }
    await untilProjected(service, positions.at(-1)!)
  })
  afterAll(async () => {
    await service?.stop()
    removeData(service)
  })

  const OPERATIONS = ['create', 'update', 'delete', 'create', 'update', 'delete']

  it('are all of them, the oldest first, their data to the character, each with its place', async () => {
    const { status, text, body } = await versionsOf(service, 'd', 'r/1')
    expect([status, body.next_cursor, body.earliest]).toEqual([200, null, null])
    expect(Object.keys(body.items[0]!)).toEqual(['version', 'operation', 'data', 'updated_at', 'position'])
    expect(body.items.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6])
    expect(body.items.map(({ operation }) => operation)).toEqual(OPERATIONS)
    expect(body.items.map(({ position }) => position)).toEqual(positions)
    const texts = [...text.matchAll(/"data":(.*?),"updated_at"/g)].map(([, data]) => data)
    expect(texts).toEqual(pushed.map(data => data ?? 'null'))
    // The position of each names it again.
    for (const { position, data, version } of body.items) {
      const then = await call<Version>(service, `/datasets/d/records/r%2F1?as_of=${position}`)
      if (data === null) expect(then.status).toBe(404)
      else expect(then.body).toMatchObject({ data, version, position })
    }
  })

  it.each([1, 2, 3, 5, 6, 1000])('come in pages of %i', async limit => {
    const items: Version[] = []
    let cursor: string | null = ''
    for (let pages = 0; cursor !== null && pages < 10; pages++) {
      const { body }: { body: Versions } = await versionsOf(
        service,
        'd',
        'r/1',
        `limit=${limit}${cursor && `&cursor=${cursor}`}`,
      )
      expect(body.items.length).toBeLessThanOrEqual(limit)
      items.push(...body.items)
      cursor = body.next_cursor
    }
    expect(items.map(({ version, operation }) => [version, operation])).toEqual(
      OPERATIONS.map((each, n) => [n + 1, each]),
    )
  })

  it('go on from a cursor when there are more meanwhile', async () => {
    for (const n of [1, 2]) await pushBatch(service, 'd', [{ id: 'grows', data: { n } }], { ack: 'projected' })
    const { body } = await versionsOf(service, 'd', 'grows', 'limit=1')
    expect(body.items.map(({ version }) => version)).toEqual([1])
    await pushBatch(service, 'd', [{ id: 'grows', data: { n: 3 } }], { ack: 'projected' })
    const rest = await versionsOf(service, 'd', 'grows', `cursor=${body.next_cursor}`)
    expect(rest.body.items.map(({ version, operation }) => [version, operation])).toEqual([
      [2, 'update'],
      [3, 'update'],
    ])
  })

  it('are refused where there never was a record, and with what is no cursor or limit', async () => {
    const refused = async (dataset: string, id: string, query = '') => {
      const { status, body } = await versionsOf(service, dataset, id, query)
      return [status, body.error?.details[0]?.field]
    }
    expect(await refused('d', 'none')).toEqual([404, undefined])
    expect(await refused('none', 'r/1')).toEqual([404, undefined])
    for (const cursor of ['!', 'YQ', Buffer.from('1.2.3').toString('base64url')])
      expect(await refused('d', 'r/1', `cursor=${cursor}`)).toEqual([400, 'cursor'])
    for (const limit of ['0', '1001']) expect(await refused('d', 'r/1', `limit=${limit}`)).toEqual([400, 'limit'])
  })
})

describe('where earlier versions are not kept', () => {
  let service: Service
  beforeAll(async () => {
    service = await startService({ VERSION_KEEP_SECONDS: '0' })
  })
  afterAll(async () => {
    await service?.stop()
    removeData(service)
  })

  it('an as_of that needs them is 410 with the earliest position, and the last version says it is the earliest', async () => {
    await setPolicy(service, 'd', 'manual')
    const positions: string[] = []
    for (const n of [1, 2, 3]) positions.push((await pushBatch(service, 'd', [{ id: 'r', data: { n } }])).body.position)
    const path = (asOf: string) => `/datasets/d/records/r?as_of=${asOf}`
    const gone = await until('the first version to be forgotten', async () => {
      const answer = await call(service, path(positions[1]!))
      return answer.status === 410 && answer
    })
    expect(gone.body.error).toMatchObject({ code: 'GONE', details: [{ field: 'as_of' }] })
    const earliest = /the earliest position is (\S+)$/.exec(gone.body.error.message)![1]!
    expect(earliest).toBe(positions[2])
    expect((await call(service, path(earliest))).body).toMatchObject({ data: { n: 3 }, version: 3 })
    for (const other of ['/datasets', '/datasets/d', '/datasets/d/records', '/conflicts'])
      expect((await call(service, `${other}?as_of=${positions[0]}`)).status).toBe(410)
    const query = 'query Then($asOf: String) { record(dataset: "d", id: "r", asOf: $asOf) { version } }'
    expect(await refusal(service, query, { asOf: positions[1]! })).toMatchObject({ code: 'GONE', field: 'asOf' })
    const { body } = await versionsOf(service, 'd', 'r')
    expect(body).toMatchObject({
      items: [{ version: 3, operation: null }],
      earliest: { version: 3, position: positions[2] },
    })
    // Before all events there was nothing, whatever is kept.
    expect((await call(service, '/datasets?as_of=1999-01-01')).body).toMatchObject({ datasets: [] })
  })

  it('versions after a cursor that are gone are 410, and what was not changed is there', async () => {
    const rows = [1, 2, 3, 4].map(n => ({ id: 's', data: { n } }))
    for (const row of rows) await pushBatch(service, 'e', [row])
    const after = Buffer.from('0.1.0').toString('base64url')
    const answer = await until('the second version to be forgotten', async () => {
      const found = await versionsOf(service, 'e', 's', `cursor=${after}`)
      return found.status === 410 && found
    })
    expect(answer.body.error).toMatchObject({ code: 'GONE', details: [{ field: 'cursor' }] })
    expect(answer.body.error!.message).toMatch(/after 1 are no longer kept; the earliest is version \d at \S+~/)
    const { body } = await pushBatch(service, 'e', [{ id: 'new', data: {} }])
    expect((await call(service, `/datasets/e/records/new?as_of=${body.position}`)).status).toBe(200)
  })
})
