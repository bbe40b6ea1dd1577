import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Item, type Page, type Problem, pushBatch, pushLines, readRecords } from '../kit/api.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const COUNT = 2345

interface Dataset {
  id: string
  name: string
  category: string | null
  quality_score: number | null
  records_count: number
  last_updated: string
}

let service: Service
/** Of the last push before the tests. */
let position: string
beforeAll(async () => {
  service = await startService()
  const row = (n: number) => ({ id: `r${n}`, data: { n, even: n % 2 === 0, word: n % 3 ? 'fizz' : 'buzz' } })
  const body = Array.from({ length: COUNT }, (_, n) => `${JSON.stringify(row(n))}\n`).join('')
  await pushLines(service, 'dataset=numbers', body)
  await pushBatch(service, '数据 集/1', [{ id: 'a', data: {} }])
  const kinds = [
    { id: 'missing', data: {} },
    { id: 'null', data: { v: null } },
    { id: 'true', data: { v: true } },
    { id: 'one', data: { v: 1 } },
    { id: 'text one', data: { v: '1' } },
    { id: 'half', data: { v: 0.5 } },
    { id: 'object', data: { v: { one: 1 } } },
    { id: 'odd name', data: { "it's; drop table": 1, 'a.b': 2, 'x[0]': 3 } },
  ]
  position = (await pushBatch(service, 'kinds', kinds)).body.position
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

/** A read that waits for everything pushed before the tests. */
function read<Body = Problem>(path: string) {
  return call<Body>(service, `${path}${path.includes('?') ? '&' : '?'}min_position=${position}`)
}

/** This position, so many events further on. */
function beyond(text: string, events: number): string {
  const [, head, offset] = /^(.*\.)([0-9a-z]+)$/.exec(text)!
  return head! + (Number.parseInt(offset!, 36) + events).toString(36)
}

describe('GET /datasets', () => {
  it('lists them in the documented shape', async () => {
    const { status, body } = await read<{ datasets: Dataset[] }>('/datasets')
    expect(status).toBe(200)
    expect(body.datasets.map(({ name }) => name)).toEqual(expect.arrayContaining(['kinds', 'numbers', '数据 集/1']))
    const numbers = body.datasets.find(({ name }) => name === 'numbers')!
    const fields = ['id', 'name', 'category', 'quality_score', 'records_count', 'last_updated']
    expect(Object.keys(numbers)).toEqual(fields)
    expect(numbers).toMatchObject({ id: expect.stringMatching(/^ds_/), records_count: COUNT })
    expect(new Date(numbers.last_updated).toISOString()).toBe(numbers.last_updated)
  })

  it('finds by search and category, and page by page', async () => {
    const namesOf = async (query: string) =>
      (await read<{ datasets: Dataset[] }>(`/datasets?${query}`)).body.datasets.map(({ name }) => name)
    expect(await namesOf('search=UMBER')).toEqual(['numbers'])
    expect(await namesOf('search=nothing-like-it')).toEqual([])
    expect(await namesOf('category=customer')).toEqual([])
    const first = await read<{ datasets: Dataset[]; next_cursor: string }>('/datasets?limit=1')
    const rest = await read<{ datasets: Dataset[] }>(`/datasets?cursor=${first.body.next_cursor}`)
    const names = [...first.body.datasets, ...rest.body.datasets].map(({ name }) => name)
    expect(names.sort()).toEqual((await namesOf('')).sort())
  })

  it.each(['1.5', '-0.1', 'good', '', '%20', '0x1'])('refuses quality_min=%s', async given => {
    const { status, body } = await read(`/datasets?quality_min=${given}`)
    expect([status, body.error.details[0]!.field]).toEqual([400, 'quality_min'])
  })

  it('gives one by name and by id, also when the name needs escapes', async () => {
    for (const name of ['numbers', '数据 集/1']) {
      const byName = await read<Dataset>(`/datasets/${encodeURIComponent(name)}`)
      expect([byName.status, byName.body.name]).toEqual([200, name])
      const byId = await read<Dataset>(`/datasets/${byName.body.id}`)
      expect(byId.body).toEqual(byName.body)
    }
  })

  it('knows one without records by its name, its title and its id', async () => {
    const set = await call<{ id: string }>(service, '/datasets/only-set', { method: 'PUT', body: { name: 'Only set' } })
    expect(set.status).toBe(200)
    for (const by of ['only-set', 'Only%20set', set.body.id]) {
      expect(await call(service, `/datasets/${by}`)).toMatchObject({ status: 200, body: { id: set.body.id } })
      const page = await call(service, `/datasets/${by}/records`)
      expect(page).toMatchObject({ status: 200, body: { items: [] } })
      expect((await call(service, `/datasets/${by}/records/a`)).status).toBe(404)
    }
  })

  it('answers 404 for one that is not there, and for its records', async () => {
    for (const path of [
      '/datasets/none',
      '/datasets/ds_none',
      '/datasets/none/records',
      '/datasets/numbers/records/none',
    ]) {
      const { status, body } = await read(path)
      expect([path, status, body.error.code]).toEqual([path, 404, 'NOT_FOUND'])
    }
  })
})

describe('GET /datasets/{id}/records', () => {
  it('covers all exactly once, whatever the page', async () => {
    for (const limit of [7, 100, 1000]) {
      const items = await readRecords(service, 'numbers', position, limit)
      expect(items).toHaveLength(COUNT)
      expect(new Set(items.map(({ id }) => id)).size).toBe(COUNT)
    }
    const { body } = await read<Page>('/datasets/numbers/records')
    expect(body.items).toHaveLength(20)
    expect(Object.keys(body.items[0]!)).toEqual(['id', 'data', 'version', 'updated_at', 'position'])
  })

  it('does not lose its place when rows come and go between pages', async () => {
    const push = (ids: number[], more: object) =>
      pushBatch(
        service,
        'moving',
        ids.map(n => ({ id: `m${100 + n}`, ...more })),
        { ack: 'projected' },
      )
    await push([0, 1, 2, 3, 4, 5], { data: {} })
    const first = await call<Page>(service, '/datasets/moving/records?limit=3')
    await push([0, 2], { op: 'delete' })
    await push([7], { data: {} })
    const rest = await call<Page>(service, `/datasets/moving/records?limit=3&cursor=${first.body.next_cursor}`)
    const last = await call<Page>(service, `/datasets/moving/records?limit=3&cursor=${rest.body.next_cursor}`)
    const ids = [first, rest, last].flatMap(({ body }) => body.items.map(({ id }) => id))
    expect(ids).toEqual(['m100', 'm101', 'm102', 'm103', 'm104', 'm105', 'm107'])
    expect(last.body.next_cursor).toBeNull()
  })

  it.each(['0', '-1', '10001', '1.5', 'ten', '', '1e3', '0x10', '%201'])('refuses limit=%s', async limit => {
    const { status, body } = await read(`/datasets/numbers/records?limit=${limit}`)
    expect([status, body.error?.details[0]?.field]).toEqual([400, 'limit'])
  })

  it.each(['!', 'abc', ' ', '%F0', ''])('refuses cursor=%s', async cursor => {
    const { status, body } = await read(`/datasets/numbers/records?cursor=${cursor}`)
    expect([status, body.error?.details[0]?.field]).toEqual([400, 'cursor'])
  })

  it.each<[where: string, ids: string[]]>([
    ['v=1', ['one']],
    ['v="1"', ['text one']],
    ['v>=0.5', ['half', 'one']],
    ['v<1', ['half']],
    ['v=true', ['true']],
    ['v=null', ['missing', 'null', 'odd name']],
    ['v!=null', ['half', 'object', 'one', 'text one', 'true']],
    ['v!=1', ['half', 'missing', 'null', 'object', 'odd name', 'text one', 'true']],
    ["it's; drop table=1", ['odd name']],
    ['a.b=2', ['odd name']],
    ['x[0]=3', ['odd name']],
    ['{"v":{"gt":0.1,"lte":1}}', ['half', 'one']],
    ['{"v":"1"}', ['text one']],
    ['{}', ['half', 'missing', 'null', 'object', 'odd name', 'one', 'text one', 'true']],
  ])('keeps to where: %s', async (where, ids) => {
    const { status, body } = await read<Page>(`/datasets/kinds/records?where=${encodeURIComponent(where)}`)
    expect([status, body.items?.map(({ id }) => id)]).toEqual([200, ids])
  })

  it('combines conditions, and pages by them', async () => {
    const where = encodeURIComponent('even=true,word=buzz,n>=600')
    const items: Item[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/datasets/numbers/records?limit=50&where=${where}${cursor ? `&cursor=${cursor}` : ''}`
      const { body }: { body: Page } = await read<Page>(path)
      items.push(...body.items)
      cursor = body.next_cursor
    }
    const expected = Array.from({ length: COUNT }, (_, n) => n).filter(n => n % 6 === 0 && n >= 600)
    expect(items.map(({ data }) => data.n as number).sort((a, b) => a - b)).toEqual(expected)
  })

  it.each(['v', '=1', 'v~1', '{"v":{"like":1}}', '{"v":', '{"v":[1]}', 'a"b=1', Array(21).fill('v=1').join(',')])(
    'refuses where=%s',
    async where => {
      const { status, body } = await read(`/datasets/kinds/records?where=${encodeURIComponent(where)}`)
      expect([status, body.error?.details[0]?.field]).toEqual([400, 'where'])
    },
  )
})

describe('min_position', () => {
  it('takes any position that was given out: receipts, records, the beginning', async () => {
    const { body } = await read<Item>('/datasets/kinds/records/one')
    const [log] = position.split('~')
    for (const given of [position, body.position, `${log}~`]) {
      expect((await call(service, `/datasets/kinds?min_position=${given}`)).status).toBe(200)
    }
  })

  it('makes every push visible to the read that waits for it', async () => {
    for (let n = 0; n < 30; n++) {
      const { body } = await pushBatch(service, 'own-writes', [{ id: 'a', data: { n } }])
      const record = await call<Item>(service, `/datasets/own-writes/records/a?min_position=${body.position}`)
      expect([record.status, record.body.data, record.body.position]).toEqual([200, { n }, body.position])
    }
  })

  it('covers a push all of whose rows were refused', async () => {
    const { body } = await pushBatch(service, 'refused', [{ data: {} }])
    expect((await call(service, `/datasets?min_position=${body.position}`)).status).toBe(200)
  })

  it.each(['garbage', '~', '', 'log.5', '%00', 'x'.repeat(1000)])('refuses %s', async given => {
    for (const path of ['/datasets', '/datasets/kinds', '/datasets/kinds/records', '/datasets/kinds/records/one']) {
      const { status, body } = await call(service, `${path}?min_position=${given}`)
      expect([path, status, body.error?.details[0]?.field]).toEqual([path, 400, 'min_position'])
    }
  })

  it('refuses a position that names a stream which is not there', async () => {
    const [log] = position.split('~') as [string]
    for (const stream of ['sync.nonsense-0', 'nonsense', 'sync.records-6', 'sync.records-00', 'sync.records-', '-0']) {
      for (const given of [`${log}~${stream}.5`, `${position}~${stream}.0`]) {
        const { status, body } = await call(service, `/datasets?min_position=${given}`)
        expect([given, status, body.error?.code]).toEqual([given, 400, 'VALIDATION_ERROR'])
        expect(body.error.details).toEqual([{ field: 'min_position', message: expect.stringContaining(`"${stream}"`) }])
      }
    }
  })

  it('takes one that names a stream of a topic which nobody projects', async () => {
    const [log] = position.split('~') as [string]
    for (const stream of ['sync.rejected-0', 'sync.access-0']) {
      expect((await call(service, `/datasets?min_position=${log}~${stream}.5`)).status).toBe(200)
    }
  })

  it('refuses a position of another log, naming both', async () => {
    const [log] = position.split('~') as [string]
    const { status, body } = await call(service, `/datasets?min_position=${position.replace(log, 'deadbeef')}`)
    expect([status, body.error.code]).toEqual([400, 'VALIDATION_ERROR'])
    expect(body.error.message).toContain('deadbeef')
    expect(body.error.message).toContain(log)
  })

  it('answers 504 past the end of the log, saying how far the read model is', async () => {
    const { status, headers, body } = await call(service, `/datasets?min_position=${beyond(position, 1_000_000)}`)
    expect([status, body.error.code]).toEqual([504, 'NOT_YET_PROJECTED'])
    expect(Object.keys(body.error).sort()).toEqual(['code', 'details', 'message', 'request_id'])
    expect(body.error.request_id).toBe(headers.get('x-request-id'))
    const reached = /it is at (\S+)$/.exec(body.error.message)![1]
    expect((await call(service, `/datasets?min_position=${reached}`)).status).toBe(200)
  })
})
