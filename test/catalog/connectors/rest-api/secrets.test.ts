import { describe, expect, it } from 'vitest'
import { restApi } from '../../../../src/catalog/connectors/rest-api/index.ts'
import { createRedactor } from '../../../../src/catalog/connectors/rest-api/redact.ts'
import { isSensitive, valueAt } from '../../../../src/catalog/connectors/rest-api/secrets.ts'
import { openSource, pullAll, pullContext, sendJson } from '../../../kit/source.ts'

const canary = (name: string) => `canary ${name} "<&>/+é`
const hidden = (text: string) =>
  !text.includes('canary') && !text.includes(Buffer.from('canary').toString('base64').slice(0, 7))

describe('secrets', () => {
  it('are found by their place', () => {
    const paths = restApi.secrets!({
      auth: { type: 'oauth2_refresh', token_url: 'x', client_id: 'id', client_secret: 'a', refresh_token: 'b' },
      headers: { Authorization: 'c', 'X-Api-Key': 'd', Accept: 'e', 'Ocp-Apim-Subscription-Key': 'f' },
      params: { api_key: 'g', token: 'h', page: 1, token_list: ['i'], q: 'j' },
      endpoints: [
        { path: '/a' },
        {
          headers: { cookie: 'k' },
          params: { password: 'l', limit: 3 },
          body: { user: 'm', auth: { client_secret: 'n', deep: [{ apiKey: 'o' }] } },
        },
      ],
    })
    expect(paths.map(path => path.join('.'))).toEqual([
      ...['auth.client_secret', 'auth.refresh_token'],
      ...['headers.Authorization', 'headers.X-Api-Key', 'headers.Ocp-Apim-Subscription-Key'],
      ...['params.api_key', 'params.token', 'params.token_list.0'],
      ...['endpoints.1.headers.cookie', 'endpoints.1.params.password'],
      ...['endpoints.1.body.auth.client_secret', 'endpoints.1.body.auth.deep.0.apiKey'],
    ])
  })

  it.each<[object, string[]]>([
    [{ type: 'bearer', token: 'a' }, ['token']],
    [{ type: 'basic', username: 'a', password: 'b' }, ['password']],
    [{ type: 'api_key', in: 'query', name: 'k', value: 'b' }, ['value']],
    [{ type: 'oauth2_client_credentials', client_id: 'a', client_secret: 'b' }, ['client_secret']],
    [{ type: 'none' }, []],
    [{ type: 'bearer', token: 5 }, []],
    [{ type: 'other', token: 'a' }, []],
  ])('of auth: %o', (auth, fields) => {
    expect(restApi.secrets!({ auth })).toEqual(fields.map(field => ['auth', field]))
  })

  it('are looked for in what may be wrong in any way', () => {
    const deep: Record<string, unknown> = {}
    let at = deep
    for (let i = 0; i < 100_000; i++) at = at.token = {} as Record<string, unknown>
    const wrong = [
      undefined,
      null,
      5,
      'x',
      [],
      {},
      { auth: 'x', endpoints: {} },
      { endpoints: [null, 5, { headers: [] }] },
    ]
    for (const config of wrong) expect(restApi.secrets!(config)).toEqual([])
    expect(restApi.secrets!({ params: deep })).toEqual([])
    expect(valueAt({ a: [{ b: 'c' }] }, ['a', 0, 'b'])).toBe('c')
    expect(valueAt({ a: 5 }, ['a', 0, 'b'])).toBeUndefined()
  })

  it.each([
    'Authorization',
    'proxy-authorization',
    'Set-Cookie',
    'X-API-Key',
    'apikey',
    'api_key',
    'key',
    'access_token',
    'PASSWORD',
    'pwd',
    'X-Amz-Signature',
    'sessionid',
    'X-Auth',
    'client-secret',
  ])('%s names one', name => expect(isSensitive(name)).toBe(true))

  it.each(['Accept', 'q', 'page', 'limit', 'keyword', 'author', 'X-Tenant', 'since'])('%s names none', name =>
    expect(isSensitive(name)).toBe(false),
  )

  it('are taken out in every spelling', () => {
    const redactor = createRedactor()
    redactor.add(canary('a'))
    redactor.add('Bearer abcdefghij')
    redactor.add('ab')
    const spellings = [
      canary('a'),
      encodeURIComponent(canary('a')),
      new URLSearchParams({ q: canary('a') }).toString(),
      JSON.stringify({ q: canary('a') }),
      canary('a').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
      'the token abcdefghij is wrong',
    ]
    for (const text of spellings) expect(redactor.text(`ab ${text} ab`), text).toMatch(/^ab .*\*\*\*.* ab$/)
    expect(spellings.map(redactor.text).every(hidden)).toBe(true)
    const url = new URL(`https://u:p@a.example/x?q=1&token=t&b=${encodeURIComponent(canary('a'))}#z`)
    expect(redactor.url(url)).toBe('https://a.example/x?q=1&token=***&b=***')
  })

  it('are in no error, no log line and no state, whatever a source says', async () => {
    const sent = ['header', 'access'].map(name => `canary-${name}"<&>/+`)
    const secrets = [canary('client'), sent[0], canary('param'), canary('own'), canary('body'), sent[1]] as string[]
    const [, header, param, own, inBody, access] = secrets as [string, string, string, string, string, string]
    const all = secrets.map(encodeURIComponent).join('/')
    const begins = { answered: 0 }
    const echo = (request: { headers: object; url: URL; body: string }) =>
      JSON.stringify([request.headers, request.url.href, request.body, secrets])
    const answers: ((request: Parameters<typeof echo>[0], response: Parameters<typeof sendJson>[0]) => void)[] = [
      (request, response) =>
        response.writeHead(500, { 'content-type': secrets.map(encodeURI).join() }).end(echo(request)),
      (request, response) => response.writeHead(400).end(echo(request)),
      (request, response) => response.writeHead(401).end(echo(request)),
      (request, response) => response.writeHead(200).end(`<html>${echo(request)}`),
      (request, response) => response.writeHead(200).end(`{"a":nope ${echo(request)}`),
      (request, response) => response.writeHead(200).end(JSON.stringify(echo(request))),
      (_, response) => response.writeHead(302, { location: `gopher://${all}` }).end(),
      (_, response) =>
        response.writeHead(302, { location: `http://127.0.0.2/${all}?token=${encodeURIComponent(access)}` }).end(),
      (_, response) => response.writeHead(429, { 'retry-after': encodeURI(access) }).end(),
      (request, response) => {
        const next = `/y?page=2&api_key=${encodeURIComponent(param)}&other=${encodeURIComponent(own)}&a=${encodeURIComponent(access)}`
        if (request.url.pathname === '/x') sendJson(response, { next, rows: [{ id: 1 }] })
        else if (request.url.searchParams.get('api_key') !== param) response.writeHead(403).end()
        else sendJson(response, { rows: [{ id: 2 }] })
      },
      (_, response) => sendJson(response, { next: `/${all}`, rows: [{ id: 1 }] }),
      (_, response) => sendJson(response, { next: `gopher://${all}`, rows: [{ id: 1 }] }),
    ]
    for (const answer of answers) {
      const server = await openSource((_, response) => sendJson(response, { access_token: access }))
      const source = await openSource((request, response) => {
        begins.answered++
        answer(request, response)
      })
      const auth = {
        type: 'oauth2_client_credentials',
        token_url: `${server.url}/t`,
        client_id: 'me',
        client_secret: secrets[0],
      }
      const config = {
        ...{
          base_url: source.url,
          auth,
          headers: { 'X-Api-Key': header },
          params: { api_key: param },
        },
        endpoints: [
          {
            ...{ path: '/x', method: 'POST', params: { secret: own }, body: { password: inBody } },
            ...{ data_path: '/rows', pagination: { type: 'next_url', next_path: '/next' } },
          },
        ],
      }
      const context = pullContext()
      const { error, pages } = await pullAll(config, undefined, context)
      const told = JSON.stringify([error?.message, error?.stack, error, context.told, pages.map(page => page.state)])
      expect(hidden(told), told).toBe(true)
    }
    expect(begins.answered).toBeGreaterThan(answers.length)
  })
})
