import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { nextAddress } from '../../../../src/catalog/connectors/rest-api/http/redirect.ts'
import { createRedactor } from '../../../../src/catalog/connectors/rest-api/redact.ts'
import { createGuard } from '../../../../src/catalog/reach/guard.ts'
import { DomainError } from '../../../../src/kernel/errors.ts'
import { type Had, openSource, pullAll, pullContext, pullWell, sendJson } from '../../../kit/source.ts'

const BODY = '[{"id":1}]'
const SECRET = 'canary-4f1d2c'

/** A source that redirects /x, and answers everything else. */
const redirecting = (status: number, to: string | ((request: Had) => string)) =>
  openSource((request, response) => {
    const location = typeof to === 'string' ? to : to(request)
    if (request.url.pathname === '/x') response.writeHead(status, { location }).end('moved')
    else sendJson(response, BODY)
  })

const endpoints = [{ path: '/x' }]
const SECRETS = {
  auth: { type: 'api_key', in: 'query', name: 'appid', value: SECRET },
  headers: {
    Authorization: `Bearer ${SECRET}`,
    Cookie: `sid=${SECRET}`,
    'X-Shop': `shop-${SECRET}`,
    'Accept-Language': 'de',
  },
  params: { api_key: SECRET, q: 'a' },
}

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('%i within the source keeps the credentials', async status => {
    const source = await redirecting(status, '/y?p=1#top')
    expect((await pullWell({ base_url: source.url, endpoints, ...SECRETS })).data).toHaveLength(1)
    const [first, second] = source.had
    for (const had of [first!, second!]) {
      expect(had.headers).toMatchObject({ authorization: `Bearer ${SECRET}`, cookie: `sid=${SECRET}` })
      expect([had.url.searchParams.get('appid'), had.url.searchParams.get('api_key')]).toEqual([SECRET, SECRET])
    }
    expect([second!.url.pathname, second!.url.searchParams.get('p')]).toEqual(['/y', '1'])
    expect(second!.headers['x-shop']).toBe(`shop-${SECRET}`)
  })

  it.each([301, 302, 303, 307, 308])('%i to another origin has no credentials, also on the way back', async status => {
    let home = ''
    const other = await openSource((request, response) => {
      if (request.url.pathname === '/there') response.writeHead(status, { location: `${home}/back` }).end()
      else sendJson(response, BODY)
    })
    const source = await redirecting(
      status,
      request => `${other.url}/there?page=2&key=${request.url.searchParams.get('api_key')}`,
    )
    home = source.url
    expect((await pullWell({ base_url: source.url, endpoints, ...SECRETS })).data).toHaveLength(1)
    expect(JSON.stringify(source.had[0])).toContain(SECRET)
    expect(other.had.map(({ url }) => url.search)).toEqual(['?page=2'])
    expect(source.had[1]!.url.pathname).toBe('/back')
    for (const had of [other.had[0]!, source.had[1]!]) {
      expect(JSON.stringify(had)).not.toContain(SECRET)
      expect(had.headers).toMatchObject({ accept: 'application/json', 'accept-language': 'de' })
    }
  })

  it.each<[string, number, string]>([
    ['another port', 200, 'http://127.0.0.1:PORT'],
    ['another name', 0, 'http://localhost:PORT'],
  ])('%s is another origin', async (_, __, to) => {
    const other = await openSource((_request, response) => sendJson(response, BODY))
    const source = await redirecting(302, to.replace('PORT', String(other.port)))
    await pullWell({ base_url: source.url, endpoints, ...SECRETS }, undefined, pullContext({ guard: createGuard('1') }))
    expect(other.had).toHaveLength(1)
    expect(JSON.stringify(other.had)).not.toContain(SECRET)
  })

  it('a secret in the path of another origin is not sent', async () => {
    const other = await openSource((_, response) => sendJson(response, BODY))
    const source = await redirecting(302, `${other.url}/${SECRET}/z`)
    const { error } = await pullAll({ base_url: source.url, endpoints, ...SECRETS })
    expect(error!.message).toBe(`GET /x, page 1: it leads to ${other.url}/***/z, which has a secret of this job in it`)
    expect(other.had).toEqual([])
  })

  it('a body goes to another origin never, and with 303 to none', async () => {
    const other = await openSource((_, response) => sendJson(response, BODY))
    const post = [{ path: '/x', method: 'POST', body: { password: SECRET } }]
    for (const status of [307, 308]) {
      const source = await redirecting(status, `${other.url}/z`)
      const { error } = await pullAll({ base_url: source.url, endpoints: post })
      expect(error!.message).toBe(
        `GET /x, page 1: it leads to ${other.url}/z, another origin, to which no body is sent`.replace('GET', 'POST'),
      )
    }
    expect(other.had).toEqual([])
    const source = await redirecting(303, `${other.url}/z`)
    await pullWell({ base_url: source.url, endpoints: post })
    expect(other.had).toMatchObject([{ method: 'GET', body: '' }])
    expect(other.had[0]!.headers['content-type']).toBeUndefined()
    const within = await redirecting(307, '/z')
    await pullWell({ base_url: within.url, endpoints: post })
    expect(within.had[1]).toMatchObject({ method: 'POST', body: `{"password":"${SECRET}"}` })
  })

  it('five are followed and six are not', async () => {
    const hops = (most: number) =>
      openSource((request, response) => {
        const hop = Number(request.url.searchParams.get('hop') ?? 0)
        if (hop < most) response.writeHead(302, { location: `?hop=${hop + 1}` }).end()
        else sendJson(response, BODY)
      })
    const five = await hops(5)
    expect((await pullWell({ base_url: five.url, endpoints })).data).toHaveLength(1)
    const six = await hops(6)
    const { error } = await pullAll({ base_url: six.url, endpoints })
    expect(error!.message).toBe('GET /x, page 1: it was redirected more than 5 times')
    expect(six.had).toHaveLength(6)
  })

  it('that lead from https to http are refused, and what is no http address', () => {
    const [from, redactor] = [new URL('https://a.example/x'), createRedactor()]
    redactor.add(SECRET)
    expect(() => nextAddress(`http://a.example/?token=1&q=${SECRET}`, from, redactor)).toThrow(
      'it leads from https to http://a.example/?token=***&q=***, where everyone on the way can read along',
    )
    for (const text of ['file:///etc/passwd', 'javascript:alert(1)', 'http://', 'https://[::1', 'ftp://a/'])
      expect(() => nextAddress(text, from, redactor), text).toThrow(/^it leads to .*, which is no http address$/)
    expect(nextAddress('//user:pw@b.example/y#z', from, redactor).href).toBe('https://b.example/y')
  })
})

describe('addresses that may not be connected to', () => {
  /** Something that listens on an address and must not be connected to. */
  async function untouched(host: string): Promise<{ port: number; touched: () => boolean } | undefined> {
    let touched = false
    const server = createServer(socket => {
      touched = true
      socket.destroy()
    })
    const listens = await new Promise<boolean>(resolve => {
      server.on('error', () => resolve(false)).listen(0, host, () => resolve(true))
    })
    onTestFinished(() => void server.close())
    return listens ? { port: (server.address() as { port: number }).port, touched: () => touched } : undefined
  }
  const refusal = (host: string) => `${host} is not a public address; ALLOW_PRIVATE_ADDRESSES may allow it`

  it.each([
    ['127.0.0.2', '127.0.0.2', '127.0.0.2'],
    ['::1', '[::1]', '::1'],
    ['127.0.0.2', '[::ffff:127.0.0.2]', '::ffff:7f00:2'],
    ['127.0.0.2', '2130706434', '127.0.0.2'],
    ['127.0.0.2', '0x7f000002', '127.0.0.2'],
    ['127.0.0.2', '0177.0.0.02', '127.0.0.2'],
    ['127.0.0.2', '127.0.2', '127.0.0.2'],
    ['127.0.0.2', '127.0.0.2.', '127.0.0.2'],
    ['127.0.0.2', '①②⑦.0.0.2', '127.0.0.2'],
    ['0.0.0.0', '0', '0.0.0.0'],
    ['::', '[::]', '::'],
  ])('%s as %s', async (listening, host, shown) => {
    const other = await untouched(listening)
    const port = other?.port ?? 80
    const direct = await pullAll({ base_url: `http://${host}:${port}`, endpoints })
    expect(direct.error).toBeInstanceOf(DomainError)
    expect(direct.error!.message).toBe(`GET /x, page 1: ${refusal(shown)}`)
    const source = await redirecting(
      302,
      encodeURI(`http://${host}:${port}/y`).replaceAll('%5B', '[').replaceAll('%5D', ']'),
    )
    const redirected = await pullAll({ base_url: source.url, endpoints })
    expect(redirected.error!.message).toBe(`GET /x, page 1: ${refusal(shown)}`)
    expect(other?.touched() ?? false).toBe(false)
  })

  it.each(['169.254.169.254', '10.0.0.1', '[fe80::1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]'])(
    'a redirect to %s',
    async host => {
      const source = await redirecting(302, `http://${host}/latest/meta-data/`)
      const { error } = await pullAll({ base_url: source.url, endpoints })
      expect(error).toBeInstanceOf(DomainError)
      expect(error!.message).toBe(`GET /x, page 1: ${refusal(host.replace(/^\[(.*)\]$/, '$1'))}`)
    },
  )

  it('a name, at once and without another try', async () => {
    const other = await untouched('127.0.0.1')
    const context = pullContext({ guard: createGuard('') })
    const { error } = await pullAll({ base_url: `http://localhost:${other!.port}`, endpoints }, undefined, context)
    expect(error).toBeInstanceOf(DomainError)
    expect(error!.message).toMatch(/^GET \/x, page 1: localhost, which is (127\.0\.0\.1|::1), is not a public address/)
    expect([other!.touched(), context.told]).toEqual([false, []])
  })

  it('the next page of a source, which comes after the rows of the page before', async () => {
    const source = await openSource((_, response) =>
      sendJson(response, '{"next":"http://127.0.0.2/","rows":[{"id":1}]}'),
    )
    const pagination = { type: 'next_url', next_path: '/next' }
    const config = { base_url: source.url, endpoints: [{ path: '/x', data_path: '/rows', pagination }] }
    const { error, data } = await pullAll(config)
    expect(data).toHaveLength(1)
    expect(error!.message).toBe(`GET /x, page 2: ${refusal('127.0.0.2')}`)
  })

  it('a server of tokens', async () => {
    const other = await untouched('127.0.0.2')
    const auth = {
      type: 'oauth2_client_credentials',
      client_id: 'a',
      client_secret: SECRET,
      token_url: `http://127.0.0.2:${other?.port}/t`,
    }
    const { error } = await pullAll({ base_url: 'http://127.0.0.1:1', auth, endpoints })
    expect(error!.message).toBe(`auth: POST http://127.0.0.2:${other?.port}/t: ${refusal('127.0.0.2')}`)
    expect(other?.touched() ?? false).toBe(false)
  })
})
