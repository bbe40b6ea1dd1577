import { describe, expect, it } from 'vitest'
import type { PulledPage, PulledRow } from '../../../../src/catalog/connectors/connector.ts'
import { restApi } from '../../../../src/catalog/connectors/rest-api/index.ts'
import { property, type Random } from '../../../kit/random.ts'
import { type Had, openSource, pages, pullAll, pullContext, pullWell, sendJson } from '../../../kit/source.ts'

/** A row that came out, so that two can be compared: its text, or the bytes that were refused. */
const shown = (row: PulledRow) => ('data' in row ? row.data : `refused ${Buffer.from(row.refused.original)}`)
const rowsOf = (all: readonly PulledPage[]) => all.flatMap(page => [...page.rows].map(shown))

/** Rows as sources have them: with numbers of any length, with white space, and some that are no rows. */
function madeRows(count: number, random: Random): string[] {
  return Array.from({ length: count }, (_, i) => {
    if (random.chance(0.1)) return random.pick([`"text ${i}"`, String(i), `[${i}]`, `"${i} ü"`])
    const extra = random.pick([
      '',
      ',"n":123456789012345678901234567890.10',
      ',"t":"a\\"b,]}é"',
      ',"o":{"a":[1,{}]}',
      `,"x":"${'x'.repeat(random.int(60))}"`,
    ])
    return `{"id":${i}${random.pick(['', ' '])},"at":${Math.floor(i / 3)}${extra}}`
  })
}

interface Kind {
  readonly pagination: object
  /** Where the rows of a request begin, and what else the answer has, given where they end. */
  from(request: Had): number
  more(to: number, size: number): { members?: object; link?: string }
}

const KINDS: readonly Kind[] = [
  {
    pagination: { type: 'page' },
    from: ({ url }) => (Number(url.searchParams.get('page')) - 1) * Number(url.searchParams.get('limit')),
    more: () => ({}),
  },
  { pagination: { type: 'offset' }, from: ({ url }) => Number(url.searchParams.get('offset')), more: () => ({}) },
  {
    pagination: { type: 'cursor', cursor_path: '/next' },
    from: ({ url }) => Number(url.searchParams.get('cursor')),
    more: to => ({ members: { next: to } }),
  },
  {
    pagination: { type: 'next_url', next_path: '/next' },
    from: ({ url }) => Number(url.searchParams.get('from')),
    more: (to, size) => ({ members: { next: `?from=${to}&limit=${size}` } }),
  },
  {
    pagination: { type: 'link_header' },
    from: ({ url }) => Number(url.searchParams.get('from')),
    more: (to, size) => ({ link: `<?from=${to}&limit=${size}>; rel="next"` }),
  },
]

/** A configuration with one to three endpoints of any kind, and the source for it. */
async function madeSource(random: Random, count: number) {
  const endpoints = Array.from({ length: 1 + random.int(3) }, (_, i) => {
    const kind = random.pick(KINDS)
    const incremental = random.chance(0.4) ? { cursor_field: 'at', lag: random.pick([0, 2]) } : {}
    const pagination = { ...kind.pagination, limit: 1 + random.int(9), total_path: '/total' }
    return {
      kind,
      rows: madeRows(random.int(count), random),
      config: { path: `/e${i}`, data_path: '/rows', pagination, ...incremental },
    }
  })
  let failing = 0
  const between = random.pick([',', ' ,\n'])
  const source = await openSource((request, response) => {
    if (failing > 0 && random.chance(failing)) return void response.writeHead(429, { 'retry-after': '0' }).end()
    const { kind, rows } = endpoints[Number(request.url.pathname.slice(2))]!
    const size = Number(request.url.searchParams.get('limit'))
    const from = kind.from(request)
    const { members = {}, link } = from + size < rows.length ? kind.more(from + size, size) : {}
    const body = `{"total":${rows.length},"rows":[${rows.slice(from, from + size).join(between)}],${JSON.stringify(members).slice(1)}`
    sendJson(response, body.replace(',}', '}'), link === undefined ? {} : { link })
  })
  const config = { base_url: source.url, endpoints: endpoints.map(each => each.config) }
  const all = endpoints.flatMap(({ rows }) => rows.map(row => (row.startsWith('{') ? row : `refused ${row}`)))
  const fail = (probability: number) => {
    failing = probability
  }
  return { config, all, fail }
}

const small = (random: Random) => ({ pageRows: 1 + random.int(4), pageBytes: random.pick([1, 100, 1_000_000]) })

describe('a run that goes on', () => {
  it('after any page gives exactly the rest', async () => {
    await property(12, async random => {
      const { config, all } = await madeSource(random, 30)
      const limits = small(random)
      const whole = await pullWell(config, undefined, pullContext(limits))
      expect(rowsOf(whole.pages)).toEqual(all)
      let given = 0
      for (const page of whole.pages) {
        given += page.rows.length
        const rest = await pullWell(config, page.state, pullContext(small(random)))
        expect(rowsOf(rest.pages)).toEqual(all.slice(given))
        expect(page.rows.length).toBeLessThanOrEqual(limits.pageRows)
      }
    })
  })

  it('again and again, cut off anywhere and refused at times, gives every row once', async () => {
    await property(12, async random => {
      const { config, all, fail } = await madeSource(random, 60)
      fail(0.2)
      const got: string[] = []
      let state: unknown
      for (let over = false; !over; ) {
        let left = 1 + random.int(4)
        try {
          for await (const page of pages(config, state, pullContext(small(random)))) {
            got.push(...[...page.rows].map(shown))
            state = page.state
            if (--left === 0) break
          }
        } catch (error) {
          expect((error as Error).name).toBe('SourceBusy')
        }
        over = (state as { at?: unknown } | undefined)?.at === 'end'
      }
      expect(got).toEqual(all)
      // The next run knows of what was incremental, and begins with the rest.
      fail(0)
      const next = await pullWell(config, restApi.begin!(state))
      const incremental = config.endpoints.filter(endpoint => 'cursor_field' in endpoint)
      if (incremental.length === 0) expect(rowsOf(next.pages)).toEqual(all)
      else expect(next.data.length).toBeLessThanOrEqual(all.length)
    })
  })
})

describe('an answer with more than a page may have', () => {
  const rows = Array.from({ length: 10 }, (_, i) => `{"id":${i},"x":"${'x'.repeat(20)}"}`)
  const endpoints = [{ path: '/x', data_path: '/rows' }]
  const openChanging = (texts: string[]) =>
    openSource((_, response) => sendJson(response, `{"now":${Math.random()},"rows":[${texts}]}`))

  it('is cut by rows and by bytes', async () => {
    const source = await openChanging(rows)
    const sizes = async (more: object) =>
      (await pullWell({ base_url: source.url, endpoints }, undefined, pullContext(more))).pages.map(
        page => page.rows.length,
      )
    expect(await sizes({ pageRows: 4 })).toEqual([4, 4, 2])
    expect(await sizes({ pageRows: 10 })).toEqual([10])
    // Each row has 35 bytes, and a comma but for the last.
    expect(await sizes({ pageBytes: 35 + 36 + 36 })).toEqual([3, 3, 3, 1])
    expect(await sizes({ pageBytes: 34 + 36 + 36 })).toEqual([2, 2, 2, 2, 2])
    expect(await sizes({ pageBytes: 1 })).toEqual(Array(10).fill(1))
    expect(source.had).toHaveLength(5)
  })

  it('is asked for again, and what was taken is passed over; what came behind is not', async () => {
    const texts = [...rows]
    const source = await openChanging(texts)
    const config = { base_url: source.url, endpoints }
    const context = pullContext({ pageRows: 4 })
    const first = await pullWell(config, undefined, context)
    texts.push('{"id":10}')
    const rest = await pullWell(config, first.pages[0]!.state, context)
    expect(rest.data).toEqual([...rows.slice(4), '{"id":10}'])
    expect(context.told.filter(({ level }) => level === 'warning')).toEqual([])
  })

  it.each<[string, (texts: string[]) => void]>([
    ['has changed', texts => void texts.splice(1, 1, '{"id":"new"}')],
    ['has got a row before', texts => void texts.unshift('{"id":"new"}')],
    ['has lost rows', texts => void texts.splice(2)],
    ['has another order', texts => void texts.reverse()],
  ])('is taken whole when it %s, and the log says so', async (_, change) => {
    const texts = [...rows]
    const source = await openChanging(texts)
    const config = { base_url: source.url, endpoints }
    const first = await pullWell(config, undefined, pullContext({ pageRows: 4 }))
    change(texts)
    const context = pullContext({ pageRows: 4 })
    expect((await pullWell(config, first.pages[0]!.state, context)).data).toEqual(texts)
    expect(context.told.filter(({ level }) => level === 'warning')).toEqual([
      {
        level: 'warning',
        message: 'a page has changed since a part of it was taken: all of it is taken again',
        metadata: { endpoint: 'GET /x', page: 1, rows_before: 4 },
      },
    ])
  })
})

describe('a configuration that has changed during a run', () => {
  it('begins an endpoint anew whose pagination is another, and the run when the endpoint is gone', async () => {
    const source = await openSource((request, response) => {
      const page = Number(request.url.searchParams.get('page') ?? 1 + Number(request.url.searchParams.get('offset')))
      sendJson(response, page > 3 ? '[]' : `[{"page":${page}}]`)
    })
    const endpoint = { path: '/x', pagination: { type: 'page' } }
    const config = { base_url: source.url, endpoints: [{ path: '/a', pagination: { type: 'page' } }, endpoint] }
    const states = (await pullWell(config)).pages.map(page => page.state)
    const state = states.find(
      each => (each as { at: { endpoint: string; page: number } }).at.page === 2 && JSON.stringify(each).includes('/x'),
    )
    const context = pullContext()
    const other = {
      ...config,
      endpoints: [config.endpoints[0]!, { ...endpoint, pagination: { type: 'cursor', cursor_path: '/0/none' } }],
    }
    expect((await pullWell(other, state, context)).data).toEqual(['{"page":1}'])
    expect(context.told[0]).toMatchObject({
      level: 'warning',
      message: 'the pagination has changed: the endpoint begins anew',
    })
    const gone = pullContext()
    expect((await pullWell({ ...config, endpoints: [config.endpoints[0]!] }, state, gone)).data).toHaveLength(3)
    expect(gone.told[0]).toMatchObject({ message: 'the endpoint that the run was at is gone: the run begins anew' })
  })
})

describe('the state', () => {
  it.each<[unknown, string]>([
    ['x', 'state'],
    [{ cursor: {} }, 'state'],
    [{ cursors: { a: { field: 'x' } } }, 'state.cursors.a.value'],
    [{ at: { endpoint: 5 } }, 'state.at'],
  ])('%j that somebody has set is refused', async (state, field) => {
    const { error } = await pullAll({ base_url: 'http://127.0.0.1:1', endpoints: [{}] }, state)
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' })
    expect(error!.message.startsWith(field)).toBe(true)
    expect(() => restApi.begin!(state)).toThrow(/^state/)
  })

  it('may say no more than how far a cursor is', async () => {
    const source = await openSource((_, response) => sendJson(response, '[{"at":1},{"at":2},{"at":3}]'))
    const config = { base_url: source.url, endpoints: [{ path: '/x', cursor_field: 'at' }] }
    const { data } = await pullWell(config, { cursors: { 'GET /x': { field: 'at', value: '2' } } })
    expect(data).toEqual(['{"at":2}', '{"at":3}'])
  })

  it('is small', async () => {
    const source = await openSource((request, response) => {
      const page = Number(request.url.searchParams.get('page'))
      sendJson(response, page > 50 ? '[]' : `[${Array.from({ length: 20 }, (_, i) => `{"id":${page * 20 + i}}`)}]`)
    })
    const config = {
      base_url: source.url,
      endpoints: [{ path: '/x', cursor_field: 'id', pagination: { type: 'page', limit: 20 } }],
    }
    const { pages: all } = await pullWell(config)
    expect(Math.max(...all.map(page => JSON.stringify(page.state).length))).toBeLessThan(300)
  })

  it('is nothing at the beginning of a run that has no cursors', () => {
    expect(restApi.begin!(undefined)).toBeUndefined()
    expect(restApi.begin!({ cursors: {}, at: 'end' })).toBeUndefined()
  })
})

describe('calls', () => {
  it('are counted over a run, also those in vain, and bounded', async () => {
    let isDown = false
    const source = await openSource((request, response) => {
      const page = Number(request.url.searchParams.get('page'))
      if (isDown) response.writeHead(429).end()
      else sendJson(response, `[{"page":${page}}]`)
    })
    const config = { base_url: source.url, max_calls: 6, endpoints: [{ path: '/x', pagination: { type: 'page' } }] }
    let state: unknown
    for await (const page of pages(config)) {
      state = page.state
      if ([...page.rows].some(row => 'data' in row && row.data === '{"page":1}')) break
    }
    isDown = true
    for (let i = 0; i < 2; i++) {
      const waiting = await pullAll(config, state)
      expect([waiting.error!.name, waiting.rows.length, waiting.pages.length]).toEqual(['SourceBusy', 0, 1])
      state = waiting.state
    }
    isDown = false
    const { data, error } = await pullAll(config, state)
    expect(data).toEqual(['{"page":2}', '{"page":3}', '{"page":4}'])
    expect(error!.message).toBe('GET /x, page 5: the run has made 6 requests, which is all that max_calls allows')
    expect(source.had).toHaveLength(6)
  })
})
