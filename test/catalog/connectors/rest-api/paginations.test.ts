import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { paginations } from '../../../../src/catalog/connectors/rest-api/paginations/index.ts'
import { type Had, openSource, pullWell, sendJson } from '../../../kit/source.ts'

const text = (id: number) => `{"id":${id},"n":1.0}`
const textsOf = (count: number) => Array.from({ length: count }, (_, i) => text(i + 1))
const list = (texts: readonly string[]) => `[${texts.join(',')}]`

interface Kind {
  readonly pagination: Record<string, unknown>
  readonly data_path?: string
  /** Answers with the rows that a request asks for. */
  answer(request: Had, response: ServerResponse, rows: readonly string[]): void
  /** How many requests 5 rows at 2 a page take, 4, and 0. */
  readonly requests: readonly [number, number, number]
}

const number = (request: Had, name: string, otherwise: number) =>
  Number(request.url.searchParams.get(name) ?? otherwise)

/** Every kind of pagination with a source that has it. */
const KINDS: Record<string, Kind> = {
  none: {
    pagination: { type: 'none' },
    answer: (_, response, rows) => sendJson(response, list(rows)),
    requests: [1, 1, 1],
  },
  'offset, in rows': {
    pagination: { type: 'offset', offset_param: 'skip', limit_param: 'take', limit: 2 },
    answer(request, response, rows) {
      const skip = number(request, 'skip', 0)
      sendJson(response, list(rows.slice(skip, skip + number(request, 'take', 3))))
    },
    requests: [3, 3, 1],
  },
  'offset, in pages as in the documented example': {
    pagination: { type: 'offset', page_param: 'page', limit_param: 'limit', limit: 2 },
    answer(request, response, rows) {
      const [page, limit] = [number(request, 'page', 99), number(request, 'limit', 99)]
      sendJson(response, list(rows.slice((page - 1) * limit, page * limit)))
    },
    requests: [3, 3, 1],
  },
  'page, from 0': {
    pagination: { type: 'page', page_param: 'p', start_page: 0, limit: 2, total_path: '/total' },
    data_path: '/data',
    answer(request, response, rows) {
      const [page, limit] = [number(request, 'p', 99), number(request, 'limit', 99)]
      sendJson(response, `{"total":${rows.length},"data":${list(rows.slice(page * limit, (page + 1) * limit))}}`)
    },
    requests: [3, 3, 1],
  },
  'page, without a limit': {
    pagination: { type: 'page' },
    answer(request, response, rows) {
      const page = number(request, 'page', 99)
      sendJson(response, list(rows.slice((page - 1) * 2, page * 2)))
    },
    requests: [4, 3, 1],
  },
  'cursor, with numbers that a double cannot hold': {
    pagination: { type: 'cursor', cursor_param: 'after', cursor_path: '/meta/next', limit_param: 'n', limit: 2 },
    data_path: '/items',
    answer(request, response, rows) {
      const after = request.url.searchParams.get('after')
      const from = after === null ? 0 : Number(BigInt(after) - 9007199254740993n)
      const next = from + 2 < rows.length ? String(9007199254740993n + BigInt(from + 2)) : 'null'
      sendJson(response, `{"meta":{"next":${next}},"items":${list(rows.slice(from, from + 2))}}`)
    },
    requests: [3, 2, 1],
  },
  link_header: {
    pagination: { type: 'link_header', limit_param: 'per_page', limit: 2, total_header: 'X-Total' },
    answer(request, response, rows) {
      const [page, size] = [number(request, 'page', 1), number(request, 'per_page', 99)]
      const next = `<${request.url.pathname}?per_page=${size}&page=${page + 1}&q=a,b;c>; title="x, y"; rel="last next"`
      const link =
        page * size < rows.length ? [`<http://other.example/>; rel=prev`, next] : ['<http://o.example/>; rel=prev']
      sendJson(response, list(rows.slice((page - 1) * size, page * size)), { link, 'x-total': String(rows.length) })
    },
    requests: [3, 2, 1],
  },
  next_url: {
    pagination: { type: 'next_url', next_path: '/next' },
    data_path: '/results',
    answer(request, response, rows) {
      const page = number(request, 'page', 1)
      const next = page * 2 < rows.length ? `${page === 1 ? request.url.origin : ''}/rows?page=${page + 1}` : null
      sendJson(response, `{"next":${JSON.stringify(next)},"results":${list(rows.slice((page - 1) * 2, page * 2))}}`)
    },
    requests: [3, 2, 1],
  },
  keyset: {
    pagination: { type: 'keyset', key_param: 'id_gt', key_field: 'id', limit: 2 },
    answer(request, response, rows) {
      const after = number(request, 'id_gt', 0)
      sendJson(response, list(rows.slice(after, after + number(request, 'limit', 99))))
    },
    requests: [3, 3, 1],
  },
  'keyset, falling': {
    pagination: { type: 'keyset', key_param: 'before', key_field: '/id', limit: 2 },
    answer(request, response, rows) {
      const before = number(request, 'before', rows.length + 1)
      sendJson(
        response,
        list(
          rows
            .slice(0, before - 1)
            .reverse()
            .slice(0, 2),
        ),
      )
    },
    requests: [3, 3, 1],
  },
}

const ends: [string, Kind, number, number][] = Object.entries(KINDS).flatMap(([name, kind]) =>
  [5, 4, 0].map((count, i): [string, Kind, number, number] => [name, kind, count, kind.requests[i]!]),
)

function configOf(url: string, kind: Kind, more: object = {}) {
  const { pagination, data_path = '' } = kind
  return { base_url: url, endpoints: [{ path: '/rows', data_path, pagination, ...more }] }
}

describe('paginations', () => {
  it('are all tried', () => {
    const tried = new Set(Object.values(KINDS).map(({ pagination }) => pagination.type))
    expect([...tried].sort()).toEqual(paginations.map(({ type }) => type).sort())
  })

  it.each(ends)('%s: %3$i rows', async (name, kind, count, requests) => {
    const rows = textsOf(count)
    const source = await openSource((request, response) => kind.answer(request, response, rows))
    const { data, pages: all } = await pullWell(configOf(source.url, kind))
    expect(data).toEqual(name === 'keyset, falling' ? rows.toReversed() : rows)
    expect(source.had).toHaveLength(requests)
    if ('total_path' in kind.pagination || 'total_header' in kind.pagination)
      expect(all.filter(page => page.rows.length > 0).every(page => page.total === count)).toBe(true)
  })

  it.each(Object.entries(KINDS))('%s: goes on after every page, and is over after the last', async (_, kind) => {
    const rows = textsOf(7)
    const source = await openSource((request, response) => kind.answer(request, response, rows))
    const config = configOf(source.url, kind)
    const whole = await pullWell(config)
    let left = whole.data.length
    for (const [index, page] of whole.pages.entries()) {
      left -= page.rows.length
      const rest = await pullWell(config, page.state)
      expect(rest.data, `after page ${index + 1}`).toEqual(whole.data.slice(whole.data.length - left))
    }
    expect(left).toBe(0)
    const had = source.had.length
    expect((await pullWell(config, whole.state)).pages).toEqual([])
    expect(source.had).toHaveLength(had)
  })
})
