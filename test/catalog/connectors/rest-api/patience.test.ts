import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SourceBusy } from '../../../../src/catalog/connectors/connector.ts'
import { restApi } from '../../../../src/catalog/connectors/rest-api/index.ts'
import { openSource, pullAll, pullContext, pullWell, sendJson } from '../../../kit/source.ts'

const ROWS = ['{"id":1}', '{"id":2}']
const BODY = `[${ROWS}]`
const configOf = (base_url: string, more: object = {}) => ({ base_url, endpoints: [{ path: '/x' }], ...more })

/** A source that answers the first requests with these, and then well. */
async function faltering(...answers: ((response: Parameters<typeof sendJson>[0]) => void)[]) {
  return openSource((_, response) => {
    const answer = answers.shift()
    if (answer) answer(response)
    else sendJson(response, BODY)
  })
}

const warnings = (context: ReturnType<typeof pullContext>) => context.told.filter(({ level }) => level === 'warning')

describe('what may pass', () => {
  it.each([500, 502, 503, 504, 408, 425])('%i is tried again', async status => {
    const source = await faltering(response => response.writeHead(status).end('oh no'))
    const context = pullContext()
    const { data } = await pullWell(configOf(source.url), undefined, context)
    expect(data).toEqual(ROWS)
    const metadata = { request: 'GET /x, page 1', attempt: 1, error: expect.stringContaining(`answered ${status}`) }
    expect(warnings(context)).toEqual([
      { level: 'warning', message: 'a request failed and is tried again', metadata: expect.objectContaining(metadata) },
    ])
  })

  it('a source that goes on failing is busy, within seconds', async () => {
    const source = await openSource((_, response) =>
      response.writeHead(500, { 'content-type': 'text/plain' }).end('boom'),
    )
    const context = pullContext()
    const begun = performance.now()
    const { error } = await pullAll(configOf(source.url), undefined, context)
    expect(error).toBeInstanceOf(SourceBusy)
    expect(error).toMatchObject({ until: undefined, message: 'GET /x, page 1: it answered 500 (text/plain): boom' })
    expect(performance.now() - begun).toBeLessThan(4000)
    expect([source.had.length, warnings(context).length]).toEqual([3, 2])
  })

  it('the run that waited goes on with the page that failed', async () => {
    let isDown = true
    const source = await openSource((request, response) => {
      const page = Number(request.url.searchParams.get('page'))
      if (isDown && page >= 3) response.writeHead(503).end()
      else sendJson(response, page > 4 ? '[]' : `[{"page":${page}}]`)
    })
    const config = configOf(source.url, { endpoints: [{ path: '/x', pagination: { type: 'page' } }] })
    const first = await pullAll(config)
    expect(first.error).toBeInstanceOf(SourceBusy)
    expect(first.data).toEqual(['{"page":1}', '{"page":2}'])
    isDown = false
    source.had.length = 0
    expect((await pullWell(config, first.state)).data).toEqual(['{"page":3}', '{"page":4}'])
    expect(source.had[0]!.url.search).toBe('?page=3')
  })

  it('a connection that is refused', async () => {
    const { error } = await pullAll(configOf('http://127.0.0.1:1'))
    expect(error).toBeInstanceOf(SourceBusy)
    expect(error!.message).toMatch(/^GET \/x, page 1: connect ECONNREFUSED/)
  })

  it('a name that nobody knows', async () => {
    const { error } = await pullAll(configOf('http://no-such-name.invalid'))
    expect(error).toBeInstanceOf(SourceBusy)
    expect(error!.message).toMatch(/ENOTFOUND|EAI_AGAIN/)
  })

  /** Answers each connection with these bytes and closes it. */
  async function rawSource(...answers: (string | Buffer)[]): Promise<string> {
    const sockets = new Set<Socket>()
    const server = createServer(socket => {
      sockets.add(socket)
      socket.once('data', () => socket.end(answers.length > 1 ? answers.shift()! : answers[0]!))
      socket.on('error', () => socket.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as { port: number }).port}`
  }
  const head = (more: string) => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}\r\n\r\n`
  const whole = `${head(`Content-Length: ${BODY.length}\r\nConnection: close`)}${BODY}`
  const zipped = gzipSync(BODY.repeat(1))

  it.each<[string, string | Buffer, RegExp]>([
    ['a length that is not reached', `${head('Content-Length: 100')}${BODY}`, /./],
    ['chunks without an end', `${head('Transfer-Encoding: chunked')}5\r\n[{"id\r\n`, /./],
    ['JSON that is cut off', `${head('Connection: close')}[{"id":1},{"id":`, /its answer is cut off after 16 bytes/],
    ['a string that is cut off', `${head('Connection: close')}[{"id":1},{"name":"Ann`, /a string is not closed/],
    ['nothing', head('Content-Length: 0'), /it answered 200 with nothing in it/],
    ['no answer at all', '', /./],
    ['what is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', /./],
    [
      'gzip that is cut off',
      Buffer.concat([Buffer.from(head('Content-Encoding: gzip\r\nConnection: close')), zipped.subarray(0, -9)]),
      /the gzip body is cut off or damaged/,
    ],
  ])('%s is tried again', async (_, answer, why) => {
    const context = pullContext()
    const { data } = await pullWell(configOf(await rawSource(answer, whole)), undefined, context)
    expect(data).toEqual(ROWS)
    expect(warnings(context)).toHaveLength(1)
    expect((warnings(context)[0]!.metadata as { error: string }).error).toMatch(why)
    const { error } = await pullAll(configOf(await rawSource(answer)))
    expect(error).toBeInstanceOf(SourceBusy)
  })

  it('an answer that takes too long is not waited for again', async () => {
    const source = await openSource(async (_, response) => {
      response.writeHead(200)
      for (let i = 0; i < 50 && !response.closed; i++) {
        response.write(' ')
        await delay(50)
      }
    })
    const slow = configOf(source.url, { timeout: 0.3 })
    const { error } = await pullAll(slow)
    expect(error).toBeInstanceOf(SourceBusy)
    expect(error!.message).toBe('GET /x, page 1: no whole answer within 0.3 s')
    expect(source.had).toHaveLength(1)
    const bound = await pullAll(configOf(source.url), undefined, pullContext({ answerMs: 200 }))
    expect(bound.error!.message).toBe('GET /x, page 1: no whole answer within 0.2 s')
  })
})

describe('a source that wants to be left alone', () => {
  const busy = async (status: number, headers: Record<string, string>) => {
    const source = await openSource((_, response) => response.writeHead(status, headers).end())
    const context = pullContext()
    const { error } = await pullAll(configOf(source.url), undefined, context)
    expect(error).toBeInstanceOf(SourceBusy)
    expect([source.had.length, warnings(context).length]).toEqual([1, 0])
    return { until: (error as SourceBusy).until, message: error!.message }
  }
  const soon = (until: number | undefined, seconds: number) => {
    expect(until).toBeGreaterThan(Date.now() + (seconds - 5) * 1000)
    expect(until).toBeLessThanOrEqual(Date.now() + (seconds + 2) * 1000)
  }

  it.each([429, 503])('%i says for how many seconds', async status => {
    const { until, message } = await busy(status, { 'retry-after': '120' })
    soon(until, 120)
    expect(message).toMatch(/^GET \/x, page 1: it answered \d+ and wants to be left alone until \d{4}-/)
  })

  it.each([429, 503])('%i says until when', async status => {
    const { until } = await busy(status, { 'retry-after': new Date(Date.now() + 90_000).toUTCString() })
    soon(until, 90)
  })

  it('goes by its own clock', async () => {
    const [date, after] = ['Tue, 01 Jan 2019 00:00:00 GMT', 'Tue, 01 Jan 2019 00:01:00 GMT']
    soon((await busy(429, { date, 'retry-after': after })).until, 60)
  })

  it('not for longer than a day, and not before now', async () => {
    soon((await busy(429, { 'retry-after': '99999999' })).until, 86_400)
    soon((await busy(429, { 'retry-after': 'Fri, 31 Dec 2100 23:59:59 GMT' })).until, 86_400)
    soon((await busy(429, { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' })).until, 0)
    soon((await busy(429, { 'retry-after': '0' })).until, 0)
  })

  it.each([{}, { 'retry-after': 'soon' }, { 'retry-after': '-5' }])(
    '429 with %o does not say until when',
    async headers => {
      expect(await busy(429, headers as Record<string, string>)).toEqual({
        until: undefined,
        message: 'GET /x, page 1: it answered 429',
      })
    },
  )
})

describe('a run that is stopped', () => {
  it.each([
    ['while it waits for an answer', () => undefined],
    ['while an answer comes', (response: Parameters<typeof sendJson>[0]) => void response.write('[{"id":1},')],
    ['between two tries', (response: Parameters<typeof sendJson>[0]) => void response.writeHead(500).end()],
  ])('%s stops at once', async (_, answer) => {
    const source = await openSource((_request, response) => answer(response))
    const stopping = new AbortController()
    const pulling = pullAll(configOf(source.url), undefined, pullContext({ signal: stopping.signal }))
    while (source.had.length === 0) await delay(5)
    await delay(100)
    const begun = performance.now()
    stopping.abort(new Error('paused'))
    const { error } = await pulling
    expect(performance.now() - begun).toBeLessThan(400)
    expect(error!.message).toBe('paused')
    expect(source.had).toHaveLength(1)
  })

  it('before it begins sends nothing', async () => {
    const source = await openSource((_, response) => sendJson(response, BODY))
    const { error } = await pullAll(
      configOf(source.url),
      undefined,
      pullContext({ signal: AbortSignal.abort(new Error('paused')) }),
    )
    expect(error!.message).toBe('paused')
    expect(source.had).toEqual([])
  })

  it('leaves a page that was asked for ahead alone', async () => {
    const source = await openSource((request, response) => {
      const page = Number(request.url.searchParams.get('page'))
      if (page < 3) sendJson(response, `[{"page":${page}}]`)
    })
    const config = restApi.config.parse(
      configOf(source.url, { endpoints: [{ path: '/x', pagination: { type: 'page' } }] }),
    )
    const context = pullContext()
    let count = 0
    for await (const _page of restApi.pull(config, undefined, context)) if (++count === 2) break
    const had = source.had.length
    await delay(100)
    expect([source.had.length, context.told]).toEqual([had, []])
  })
})
