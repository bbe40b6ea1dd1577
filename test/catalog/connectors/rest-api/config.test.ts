import { describe, expect, it } from 'vitest'
import { restApi } from '../../../../src/catalog/connectors/rest-api/index.ts'
import { createGuard } from '../../../../src/catalog/reach/guard.ts'
import { openSource, pullWell, sendJson } from '../../../kit/source.ts'

const good = { base_url: 'https://api.example.com', endpoints: [{ path: '/x' }] }
const endpoint = (more: object) => ({ ...good, endpoints: [{ path: '/x', ...more }] })

/** What is wrong with a configuration, as `path: message`. */
function faults(config: unknown): string[] {
  const { error } = restApi.config.safeParse(config)
  return (error?.issues ?? []).map(({ path, message, ...issue }) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : []
    return `${[...path, ...keys].join('.')}: ${message}`
  })
}

describe('configurations', () => {
  it('of the documentation are taken', () => {
    const documented = {
      base_url: 'https://api.example.com',
      auth: { type: 'bearer', token: 'xxx' },
      endpoints: [
        {
          path: '/customers',
          method: 'GET',
          pagination: { type: 'offset', page_param: 'page', limit_param: 'limit', limit: 100 },
        },
      ],
    }
    expect(restApi.config.parse(documented)).toMatchObject({ ...documented, headers: {}, params: {} })
    expect(restApi.config.parse(restApi.config.parse(documented))).toEqual(restApi.config.parse(documented))
  })

  it.each<[unknown, string]>([
    [5, ': Invalid input: expected object, received number'],
    [{ ...good, base_url: undefined }, 'base_url: Invalid input: expected string, received undefined'],
    [{ ...good, base_url: 'ftp://x' }, 'base_url: expected the address of an HTTP server, http://… or https://…'],
    [{ ...good, base_url: 'https://u:canary@x' }, 'base_url: expected no user and password: auth takes them'],
    [{ ...good, base_url: 'https://x?key=canary' }, 'base_url: expected no ? and no #: params takes the query'],
    [{ ...good, base_url: 'https://x?' }, 'base_url: expected no ? and no #: params takes the query'],
    [{ ...good, more: 1 }, 'more: Unrecognized key: "more"'],
    [{ ...good, endpoints: [] }, 'endpoints: Too small: expected array to have >=1 items'],
    [{ ...good, endpoints: Array(51).fill({}) }, 'endpoints: Too big: expected array to have <=50 items'],
    [{ ...good, timeout: 0 }, 'timeout: Too small: expected number to be >=0.1'],
    [{ ...good, max_calls: 0 }, 'max_calls: Too small: expected number to be >=1'],
    [
      { ...good, auth: { type: 'magic', token: 'canary' } },
      'auth.type: expected one of none, bearer, basic, api_key, oauth2_client_credentials, oauth2_refresh',
    ],
    [
      { ...good, auth: {} },
      'auth.type: expected one of none, bearer, basic, api_key, oauth2_client_credentials, oauth2_refresh',
    ],
    [{ ...good, auth: { type: 'bearer' } }, 'auth.token: Invalid input: expected string, received undefined'],
    [
      { ...good, auth: { type: 'bearer', token: 'canary\n' } },
      'auth.token: expected text without line breaks and control characters, in Latin-1',
    ],
    [{ ...good, auth: { type: 'bearer', token: 'a', tokn: 1 } }, 'auth.tokn: Unrecognized key: "tokn"'],
    [
      { ...good, auth: { type: 'api_key', name: 'Host', value: 'a' } },
      'auth.name: expected the name of a header that may be set',
    ],
    [{ ...good, auth: { type: 'basic', username: 'a:b', password: '' } }, 'auth.username: expected no colon'],
    [{ ...good, headers: { 'a b': 'x' } }, 'headers.a b: Invalid key in record'],
    [{ ...good, headers: { Host: 'x' } }, 'headers.Host: Invalid key in record'],
    [
      { ...good, headers: { a: 'x\r\nb: y' } },
      'headers.a: expected text without line breaks and control characters, in Latin-1',
    ],
    [{ ...good, params: { a: {} } }, 'params.a: expected text, a number, a boolean or a list of them'],
    [{ ...good, params: { api_key: 5 } }, 'params.api_key: expected text, because its name is that of a secret'],
    [endpoint({ method: 'DELETE' }), 'endpoints.0.method: Invalid option: expected one of "GET"|"POST"'],
    [endpoint({ path: 'https://other.example/x' }), 'endpoints.0.path: expected a path below base_url'],
    [
      endpoint({ path: '/x?api_key=canary' }),
      'endpoints.0.path: put api_key into params, where it is kept as a secret',
    ],
    [endpoint({ path: '/a b' }), 'endpoints.0.path: expected no white space, no # and no backslash'],
    [endpoint({ body: {} }), 'endpoints.0.body: a GET has no body'],
    [
      endpoint({ method: 'POST', send_in: 'body', body: [] }),
      'endpoints.0.body: expected an object, as send_in adds members to it',
    ],
    [endpoint({ data_path: 'data' }), 'endpoints.0.data_path: expected a JSON pointer: empty, or /name/name'],
    [endpoint({ data_path: '/a~2' }), 'endpoints.0.data_path: expected a JSON pointer: empty, or /name/name'],
    [endpoint({ cursor_param: 'since' }), 'endpoints.0.cursor_param: needs cursor_field'],
    [endpoint({ lag: 5 }), 'endpoints.0.lag: needs cursor_field'],
    [endpoint({ max_pages: 1_000_001 }), 'endpoints.0.max_pages: Too big: expected number to be <=1000000'],
    [
      endpoint({ pagination: { type: 'pages' } }),
      'endpoints.0.pagination.type: expected one of none, offset, page, cursor, link_header, next_url, keyset',
    ],
    [endpoint({ pagination: 'page' }), 'endpoints.0.pagination: Invalid input: expected object, received string'],
    [
      endpoint({ pagination: { type: 'page', offset_param: 'x' } }),
      'endpoints.0.pagination.offset_param: Unrecognized key: "offset_param"',
    ],
    [
      endpoint({ pagination: { type: 'page', limit: 0 } }),
      'endpoints.0.pagination.limit: Too small: expected number to be >=1',
    ],
    [
      endpoint({ pagination: { type: 'offset', offset_param: 'o', page_param: 'p' } }),
      'endpoints.0.pagination.page_param: expected offset_param, which counts rows, or page_param, which counts pages, not both',
    ],
    [
      endpoint({ pagination: { type: 'cursor' } }),
      'endpoints.0.pagination.cursor_path: Invalid input: expected string, received undefined',
    ],
    [
      endpoint({ pagination: { type: 'keyset', key_param: 'k' } }),
      'endpoints.0.pagination.key_field: Invalid input: expected string, received undefined',
    ],
  ])('%j is refused', (config, fault) => {
    expect(faults(config)).toContain(fault)
    expect(JSON.stringify(restApi.config.safeParse(config).error?.issues)).not.toContain('canary')
  })

  it('with bodies that are too large or too deep are refused', () => {
    let deep: unknown = 1
    for (let i = 0; i < 21; i++) deep = { a: deep }
    expect(faults(endpoint({ method: 'POST', body: deep }))).toEqual(['endpoints.0.body: expected at most 20 levels'])
    const large = { a: 'x'.repeat(100_000) }
    expect(faults(endpoint({ method: 'POST', body: large }))).toEqual([
      'endpoints.0.body: expected at most 100000 characters',
    ])
  })
})

describe('requests', () => {
  const ask = async (config: object, answer = '[]') => {
    const source = await openSource((_, response) => sendJson(response, answer))
    await pullWell({ base_url: source.url, endpoints: [{}], ...config })
    return source.had[0]!
  }

  it.each([
    ['', '', '/'],
    ['/', '/x', '/x'],
    ['/v1', 'x/y', '/v1/x/y'],
    ['/v1/', '/x', '/v1/x'],
    ['/v1', '', '/v1'],
    ['/v1', '?a=1', '/v1?a=1'],
    ['', '/x?a=1&a=2', '/x?a=1&a=2&b=3'],
    ['', '.evil.example/x', '/.evil.example/x'],
    ['', '@evil.example/x', '/@evil.example/x'],
    ['', '//evil.example/x', '//evil.example/x'],
    ['', '/../../x', '/x'],
  ])('base_url …%s and path %s', async (base, path, expected) => {
    const source = await openSource((_, response) => sendJson(response, '[]'))
    const params = expected.includes('b=3') ? { b: 3 } : {}
    await pullWell({ base_url: source.url + base, endpoints: [{ path, params }] })
    expect(source.had[0]!.url.href.slice(source.url.length)).toBe(expected)
  })

  it('have headers and parameters of all endpoints, and of theirs', async () => {
    const had = await ask({
      headers: { 'X-A': 'a', 'X-B': 'b' },
      params: { p: 'a', q: 'b' },
      endpoints: [{ headers: { 'x-b': 'c', Accept: 'text/json' }, params: { q: ['c', 5], r: false } }],
    })
    expect(had.headers).toMatchObject({
      'x-a': 'a',
      'x-b': 'c',
      accept: 'text/json',
      'user-agent': 'superinsight-sync',
    })
    expect(had.url.search).toBe('?p=a&q=c&q=5&r=false')
  })

  it.each<[object, string | undefined, string]>([
    [{}, undefined, ''],
    [{ body: { a: [1, null] } }, 'application/json', '{"a":[1,null]}'],
    [{ body: 'a=1&b', headers: { 'Content-Type': 'text/x' } }, 'text/x', 'a=1&b'],
    [{ body: [1] }, 'application/json', '[1]'],
    [
      { body: { a: 'ü', n: 5 }, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      'application/x-www-form-urlencoded',
      'a=%C3%BC&n=5',
    ],
    [
      { body: { a: 1, page: 0 }, send_in: 'body', pagination: { type: 'page', limit: 5 } },
      'application/json',
      '{"a":1,"page":1,"limit":5}',
    ],
    [{ send_in: 'body', pagination: { type: 'page' } }, 'application/json', '{"page":1}'],
  ])('POST %j', async (more, type, body) => {
    const had = await ask({ endpoints: [{ method: 'POST', ...more }] })
    expect([had.method, had.headers['content-type'], had.body]).toEqual(['POST', type, body])
    expect(had.url.search).toBe('')
  })

  it('send cursors and values in the body as they are', async () => {
    const bodies = [
      '{"next":"a\\"b","rows":[{"id":1,"at":12345678901234567890}]}',
      '{"next":9007199254740993,"rows":[]}',
      '{"rows":[]}',
    ]
    const source = await openSource((_, response) => sendJson(response, bodies.shift() ?? '{"rows":[]}'))
    const endpoints = [
      {
        ...{
          path: '/x',
          method: 'POST',
          send_in: 'body',
          data_path: '/rows',
          cursor_field: 'at',
          cursor_param: 'since',
        },
        pagination: { type: 'cursor', cursor_path: '/next' },
      },
    ]
    const { state } = await pullWell({ base_url: source.url, endpoints })
    await pullWell({ base_url: source.url, endpoints }, restApi.begin!(state))
    expect(source.had.map(({ body }) => body)).toEqual([
      '',
      '{"cursor":"a\\"b"}',
      '{"cursor":9007199254740993}',
      '{"since":12345678901234567890}',
    ])
  })
})

describe('what can be checked without a run', () => {
  const check = (config: object, allowed = '') =>
    restApi.check!(restApi.config.parse(config), { guard: createGuard(allowed) })
  const auth = {
    type: 'oauth2_client_credentials',
    token_url: 'http://127.0.0.1/t',
    client_id: 'a',
    client_secret: 'b',
  }

  it.each<[object, string, string]>([
    [{ ...good, base_url: 'http://10.0.0.1' }, 'base_url', '10.0.0.1 is not'],
    [{ ...good, base_url: 'http://[::ffff:10.0.0.1]' }, 'base_url', '::ffff:a00:1 is not'],
    [{ ...good, base_url: 'http://localhost:5' }, 'base_url', 'localhost, which is'],
    [{ ...good, base_url: 'http://1.1.1.1', auth }, 'auth.token_url', '127.0.0.1 is not'],
  ])('%j', async (config, field, message) => {
    const error = await check(config).catch(failure => failure)
    expect(error).toMatchObject({
      code: 'VALIDATION_ERROR',
      details: [{ field, message: expect.stringContaining(message) }],
    })
  })

  it('is all right where it is allowed, and where a name may be known one day', async () => {
    await check({ ...good, base_url: 'http://localhost', auth }, '1')
    await check({ ...good, base_url: 'http://no-such-name.invalid' })
  })
})
