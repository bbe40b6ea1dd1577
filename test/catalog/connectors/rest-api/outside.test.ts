import { createServer, type RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { OAuth2Server } from 'oauth2-mock-server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { restApi } from '../../../../src/catalog/connectors/rest-api/index.ts'
import { pullContext, pullWell } from '../../../kit/source.ts'

/*
 * Servers that are not ours: json-server and oauth2-mock-server.
 */

interface Row {
  id: number
  name: string
  at: string
  nested?: object
}

const jsonServer = createRequire(import.meta.url)('json-server') as {
  create(): { use(middleware: unknown): void } & RequestListener
  router(data: object): unknown
}

/** A json-server with these rows; `letIn` says who may read. */
async function openJsonServer(
  rows: Row[],
  letIn?: (authorization: string | undefined) => Promise<boolean>,
): Promise<string> {
  const app = jsonServer.create()
  app.use(jsonServer.router({ rows, one: { id: 1, name: 'only' } }))
  const server = createServer(async (request, response) => {
    if (!letIn || (await letIn(request.headers.authorization))) app(request, response)
    else response.writeHead(401).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const madeRows = (count: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    name: `row ${i} "ü"`,
    at: new Date(1_700_000_000_000 + Math.floor(i / 7) * 1000).toISOString(),
    ...(i % 5 === 0 ? { nested: { a: [i, null, { b: 1.5 }] } } : {}),
  }))

const parsed = (data: readonly string[]) => data.map(text => JSON.parse(text))

describe('json-server', () => {
  it.each<[string, object]>([
    ['page', { type: 'page', page_param: '_page', limit_param: '_limit', limit: 100 }],
    [
      'page, with the total',
      { type: 'page', page_param: '_page', limit_param: '_limit', limit: 100, total_header: 'X-Total-Count' },
    ],
    ['offset', { type: 'offset', offset_param: '_start', limit_param: '_limit', limit: 100 }],
    ['offset, counting pages', { type: 'offset', page_param: '_page', limit_param: '_limit', limit: 100 }],
    ['link_header', { type: 'link_header', limit_param: '_limit', limit: 100 }],
    ['keyset', { type: 'keyset', key_param: 'id_gte', key_field: 'id', limit_param: '_limit', limit: 100 }],
    ['none', { type: 'none' }],
  ])('%s', async (name, pagination) => {
    for (const count of [0, 1, 99, 100, 250, 300]) {
      const rows = madeRows(count)
      const params = name === 'link_header' ? { _page: 1 } : {}
      const config = { base_url: await openJsonServer(rows), endpoints: [{ path: 'rows', pagination, params }] }
      const { data, pages } = await pullWell(config)
      // Its keys are inclusive: what is at the end of a page is at the beginning of the next one too.
      const found = name === 'keyset' ? [...new Set(data)] : data
      expect(parsed(found), String(count)).toEqual(rows)
      if (name.includes('total')) expect(pages[0]!.total).toBe(count)
    }
  })

  it('an object is one record', async () => {
    const config = { base_url: await openJsonServer([]), endpoints: [{ path: '/one' }] }
    expect(parsed((await pullWell(config)).data)).toEqual([{ id: 1, name: 'only' }])
  })

  it('what is new, run after run', async () => {
    const rows = madeRows(100)
    const endpoint = {
      ...{ path: '/rows', cursor_field: 'at', cursor_param: 'at_gte', params: { _sort: 'at' } },
      pagination: { type: 'page', page_param: '_page', limit_param: '_limit', limit: 30 },
    }
    const config = { base_url: await openJsonServer(rows), endpoints: [endpoint] }
    let state: unknown
    const run = async () => {
      const { data, state: last } = await pullWell(config, state)
      state = restApi.begin!(last)
      return parsed(data).map(({ id }) => id)
    }
    expect(await run()).toHaveLength(100)
    expect(await run()).toEqual([])
    const last = rows.at(-1)!
    rows.push({ ...last, id: 101 }, { ...last, id: 102, at: new Date(1_800_000_000_000).toISOString() })
    expect(await run()).toEqual([101, 102])
    expect(await run()).toEqual([])
  })
})

describe('oauth2-mock-server', () => {
  async function openTokens() {
    const server = new OAuth2Server()
    await server.issuer.keys.generate('RS256')
    await server.start(0, '127.0.0.1')
    onTestFinished(() => server.stop())
    const keys = createLocalJWKSet({ keys: server.issuer.keys.toJSON() })
    let revoked = 0
    const letIn = async (authorization: string | undefined) => {
      const token = authorization?.replace('Bearer ', '') ?? ''
      if (token === '') return false
      const { payload } = await jwtVerify(token, keys)
      return Number(payload.n) > revoked
    }
    let signed = 0
    server.service.on('beforeTokenSigning', token => {
      token.payload.n = ++signed
    })
    const { port } = server.address()
    const revoke = () => {
      revoked = signed
    }
    return { server, letIn, revoke, signed: () => signed, token_url: `http://127.0.0.1:${port}/token` }
  }
  const endpoints = [
    { path: '/rows', pagination: { type: 'page', page_param: '_page', limit_param: '_limit', limit: 10 } },
  ]

  it('gives tokens to a client, and another when one is revoked in the middle of a run', async () => {
    const { letIn, revoke, signed, token_url } = await openTokens()
    const rows = madeRows(95)
    let asked = 0
    const base_url = await openJsonServer(rows, async authorization => {
      if (++asked === 5) revoke()
      return letIn(authorization)
    })
    const auth = {
      type: 'oauth2_client_credentials',
      token_url,
      client_id: 'me',
      client_secret: 'canary',
      scope: 'read',
    }
    const context = pullContext()
    expect(parsed((await pullWell({ base_url, auth, endpoints }, undefined, context)).data)).toEqual(rows)
    expect(signed()).toBe(2)
    expect(context.told.filter(({ level }) => level === 'warning')).toHaveLength(1)
  })

  it('gives tokens for refresh tokens, which it replaces', async () => {
    const { server, letIn, token_url } = await openTokens()
    const rows = madeRows(25)
    let current = 'refresh-0'
    let given = 0
    const kept: string[] = []
    server.service.on('beforeResponse', (answer, request) => {
      const { refresh_token } = request.body as { refresh_token?: string }
      if (refresh_token === current && answer.body) {
        current = `refresh-${++given}`
        answer.body = { ...(answer.body as object), refresh_token: current, expires_in: 0 }
      } else {
        answer.statusCode = 400
        answer.body = { error: 'invalid_grant' }
      }
    })
    const base_url = await openJsonServer(rows, letIn)
    const auth = { type: 'oauth2_refresh', token_url, client_id: 'me', refresh_token: 'refresh-0' }
    const context = pullContext({ keepSecret: async (_, value) => void kept.push(value) })
    expect(parsed((await pullWell({ base_url, auth, endpoints }, undefined, context)).data)).toEqual(rows)
    expect(kept).toEqual(['refresh-1', 'refresh-2', 'refresh-3'])
    expect(JSON.stringify(context.told)).not.toContain('refresh-')
  })
})
