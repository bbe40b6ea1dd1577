import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { SourceBusy } from '../../../../src/catalog/connectors/connector.ts'
import { nextOf } from '../../../../src/catalog/connectors/rest-api/paginations/link-header.ts'
import { DomainError } from '../../../../src/kernel/errors.ts'
import { type Had, openSource, pages, pullAll, pullContext, pullWell, sendJson } from '../../../kit/source.ts'

const text = (id: number) => `{"id":${id},"n":1.0}`
const textsOf = (count: number) => Array.from({ length: count }, (_, i) => text(i + 1))
const list = (texts: readonly string[]) => `[${texts.join(',')}]`
const number = (request: Had, name: string, otherwise: number) =>
  Number(request.url.searchParams.get(name) ?? otherwise)

describe('the end', () => {
  /** Pulls from a source that has pages by number, with a limit of its own. */
  async function pullPaged(count: number, limit: number, most: number, more: object = {}, beyond = 200) {
    const rows = textsOf(count)
    const source = await openSource((request, response) => {
      const [page, asked] = [number(request, 'page', 99), number(request, 'limit', most)]
      const size = Math.min(asked, most)
      const found = rows.slice((page - 1) * size, page * size)
      if (found.length === 0 && beyond !== 200) response.writeHead(beyond)
      sendJson2(response, `{"count":${count},"rows":${list(found)}}`, beyond !== 200 && found.length === 0)
    })
    const pagination = { type: 'page', limit, ...more }
    const context = pullContext()
    const config = { base_url: source.url, endpoints: [{ path: '/x', data_path: '/rows', pagination }] }
    return { ...(await pullAll(config, undefined, context)), had: source.had, told: context.told }
  }

  function sendJson2(response: ServerResponse, body: string, begun: boolean): void {
    if (begun) response.end(body)
    else sendJson(response, body)
  }

  it('is not a page that is short because the source has a limit of its own', async () => {
    const { data, had } = await pullPaged(250, 1000, 100)
    expect(data).toEqual(textsOf(250))
    expect(had).toHaveLength(4)
  })

  it('is a page that is short, where the limit is kept', async () => {
    const { data, had } = await pullPaged(250, 100, 100)
    expect([data.length, had.length]).toEqual([250, 3])
  })

  it('is not a short page while the total says that there is more', async () => {
    const { data, had } = await pullPaged(250, 1000, 100, { total_path: '/count' })
    expect([data.length, had.length]).toEqual([250, 3])
  })

  it.each([404, 416])('may be a page that is not there: %i', async status => {
    const { data, error, told } = await pullPaged(200, 100, 100, {}, status)
    expect([data.length, error]).toEqual([200, undefined])
    expect(told).toContainEqual(expect.objectContaining({ level: 'warning', message: 'a page is taken for the end' }))
  })

  it('may be a refusal once all rows are there that the total speaks of, and not before', async () => {
    const good = await pullPaged(200, 100, 100, { total_path: '/count' }, 400)
    expect([good.data.length, good.error]).toEqual([200, undefined])
    expect(good.told.map(({ level }) => level)).toEqual(['info', 'info'])
    const bad = await pullPaged(200, 100, 100, {}, 400)
    expect(bad.data).toHaveLength(200)
    expect(bad.error).toBeInstanceOf(DomainError)
    expect(bad.error!.message).toMatch(/^GET \/x, page 3: it answered 400/)
  })

  it('is not a first page that is not there', async () => {
    const { error, pages: none } = await pullPaged(0, 100, 100, {}, 404)
    expect(none).toEqual([])
    expect(error).toBeInstanceOf(DomainError)
  })

  it('comes at once where the source has one page for any request', async () => {
    const source = await openSource((_, response) => sendJson(response, list(textsOf(3))))
    const pagination = { type: 'offset', page_param: 'page', limit_param: 'limit', limit: 100 }
    const { data } = await pullWell({ base_url: source.url, endpoints: [{ path: '/x', pagination }] })
    expect(data).toEqual(textsOf(3))
  })

  it('comes where a keyset includes its key', async () => {
    const source = await openSource((request, response) => {
      sendJson(response, list(textsOf(3).slice(Math.max(0, number(request, 'from', 1) - 1))))
    })
    const pagination = { type: 'keyset', key_param: 'from', key_field: 'id', limit: 100 }
    const { data } = await pullWell({ base_url: source.url, endpoints: [{ path: '/x', pagination }] })
    expect([...new Set(data)]).toEqual(textsOf(3))
  })
})

describe('sources that never end', () => {
  const failing = async (
    pagination: object,
    answer: (request: Had, response: ServerResponse) => void,
    more: object = {},
  ) => {
    let count = 0
    const source = await openSource((request, response) => {
      // Against a test that would never end.
      if (++count > 3000) response.writeHead(400).end()
      else answer(request, response)
    })
    const config = { base_url: source.url, endpoints: [{ path: '/x', data_path: '/rows', pagination, ...more }] }
    const pulled = await pullAll(config)
    expect(pulled.error).toBeInstanceOf(DomainError)
    expect(pulled.error).not.toBeInstanceOf(SourceBusy)
    return { ...pulled, message: pulled.error!.message, had: source.had }
  }
  let made = 0
  const row = () => text(++made)

  it('give a token again', async () => {
    const tokens = ['a', 'b', 'c', 'b']
    const { message, data } = await failing({ type: 'cursor', cursor_path: '/next' }, (request, response) => {
      const next = tokens[tokens.indexOf(request.url.searchParams.get('cursor') ?? '') + 1]
      sendJson(response, `{"next":"${next}","rows":[${row()}]}`)
    })
    expect(message).toBe('GET /x: the source goes round in a circle: page 5 is page 3 again')
    expect(data).toHaveLength(4)
  })

  it('give an address again', async () => {
    const { message } = await failing({ type: 'next_url', next_path: '/next' }, (_, response) =>
      sendJson(response, `{"next":"/x?page=2","rows":[${row()}]}`),
    )
    expect(message).toBe('GET /x: the source goes round in a circle: page 3 is page 2 again')
  })

  it('give new addresses for the same page', async () => {
    const { message, data } = await failing({ type: 'link_header' }, (request, response) => {
      const link = `<?page=${number(request, 'page', 1) + 1}>; rel=next`
      sendJson(response, `{"rows":[${text(1)},${text(2)}]}`, { link })
    })
    expect(message).toBe('GET /x: no progress: page 2 is the same as the one before')
    expect(data).toHaveLength(2)
  })

  it.each([{ type: 'page' }, { type: 'offset', limit: 2 }, { type: 'page', limit: 2 }])(
    'ignore what %o asks for',
    async pagination => {
      const { message } = await failing(pagination, (_, response) =>
        sendJson(response, `{"rows":[${text(1)},${text(2)}]}`),
      )
      expect(message).toBe('GET /x: no progress: page 2 is the same as the one before')
    },
  )

  it('give the same pages in a circle', async () => {
    const { message, data } = await failing({ type: 'page' }, (request, response) => {
      const at = (number(request, 'page', 1) - 1) % 4
      sendJson(response, `{"rows":[${text(at * 2)},${text(at * 2 + 1)}]}`)
    })
    expect(message).toBe('GET /x: the source goes round in a circle: page 7 is page 3 again')
    expect(data).toHaveLength(12)
  })

  it('do not go on by their keys', async () => {
    const keys = [5, 9, 9]
    const { message } = await failing({ type: 'keyset', key_param: 'k', key_field: 'id' }, (_, response) =>
      sendJson(response, `{"rows":[{"id":${keys.shift()},"n":${row()}}]}`),
    )
    expect(message).toBe('GET /x, page 3: id does not go on: after 9 came 9; key_param may be wrong')
    const ways = [5, 9, 7]
    const back = await failing({ type: 'keyset', key_param: 'k', key_field: 'id' }, (_, response) =>
      sendJson(response, `{"rows":[{"id":${ways.shift()},"n":${row()}}]}`),
    )
    expect(back.message).toBe('GET /x, page 3: id does not go on: after 9 came 7; key_param may be wrong')
  })

  it('have no key in their last row', async () => {
    const { message, data } = await failing({ type: 'keyset', key_param: 'k', key_field: 'id' }, (_, response) =>
      sendJson(response, '{"rows":[{"id":1},{"n":2}]}'),
    )
    expect(message).toBe('GET /x, page 1: the last row has no id, the key_field')
    expect(data).toHaveLength(2)
  })

  it('always have more', async () => {
    const { message, had, data } = await failing(
      { type: 'next_url', next_path: '/next' },
      (_, response) => sendJson(response, `{"next":"/x?page=${made}","rows":[${row()}]}`),
      { max_pages: 7 },
    )
    expect(message).toBe('GET /x: there may be more after 7 pages, which is all that max_pages allows')
    expect([had.length, data.length]).toEqual([7, 7])
  })

  it('have nothing but empty pages', async () => {
    const { message } = await failing({ type: 'cursor', cursor_path: '/next' }, (_, response) =>
      sendJson(response, `{"next":${++made},"rows":[]}`),
    )
    expect(message).toBe('GET /x: the last 1000 pages up to page 1001 had no rows, and there are more')
  })

  it('are noticed by a run that goes on', async () => {
    const source = await openSource((request, response) => {
      const page = Math.min(number(request, 'page', 1), 3)
      sendJson(response, list([text(page * 2), text(page * 2 + 1)]))
    })
    const config = { base_url: source.url, endpoints: [{ path: '/x', pagination: { type: 'page' } }] }
    const states: unknown[] = []
    const error = await (async () => {
      for await (const page of pages(config)) states.push(page.state)
    })().catch(failure => failure)
    expect(error.message).toBe('GET /x: no progress: page 4 is the same as the one before')
    const again = await pullAll(config, states.at(-1))
    expect(again.data).toEqual([])
    expect(again.error!.message).toBe('GET /x: no progress: page 4 is the same as the one before')
  })

  it('give what is no token, or an address that is none; their rows are taken', async () => {
    const token = await failing({ type: 'cursor', cursor_path: '/next' }, (_, response) =>
      sendJson(response, `{"next":{"a":1},"rows":[${row()}]}`),
    )
    expect(token.message).toBe('GET /x, page 1: the cursor at /next: expected text, a number or nothing, found object')
    expect(token.data).toHaveLength(1)
    const address = await failing({ type: 'next_url', next_path: '/next' }, (_, response) =>
      sendJson(response, `{"next":"ftp://x/","rows":[${row()}]}`),
    )
    expect(address.message).toBe('GET /x, page 1: it leads to ftp://x/, which is no http address')
    // A run that goes on after the page's rows meets the same again.
    expect(
      (await pullAll({ base_url: 'http://127.0.0.1:1', endpoints: [{ path: '/y' }] }, address.state)).rows,
    ).toEqual([])
  })
})

describe('the Link header', () => {
  it.each([
    ['<https://a/b?c=1,2>; rel="next"', 'https://a/b?c=1,2'],
    ['<a>; rel=prev, <b>; rel=next', 'b'],
    ['<a>;rel="prev";title="x; rel=next, <c>; rel=next", <b>; REL="Last NEXT"', 'b'],
    ['<a> ; rel = "next" ; x', 'a'],
    ['<a>; rel="previous nextish"', undefined],
    ['<a>; title=next', undefined],
    ['', undefined],
    ['rel="next"', undefined],
    [`<a${'>; x="'.repeat(20_000)}`, undefined],
  ])('%.60s', (header, target) => {
    expect(nextOf(header)).toBe(target)
  })
})
