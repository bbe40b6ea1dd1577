import { pipeline } from 'node:stream/promises'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { DomainError } from '../../../../src/kernel/errors.ts'
import { openSource, pullAll, pullContext, pullWell, sendJson } from '../../../kit/source.ts'

const ROWS = ['{"id":1}', '{"id":2}']
const BODY = `[${ROWS}]`
const configOf = (base_url: string, more: object = {}) => ({ base_url, endpoints: [{ path: '/x' }], ...more })

describe('what does not pass', () => {
  const failing = async (answer: Parameters<typeof openSource>[0], more: object = {}, context = pullContext()) => {
    const source = await openSource(answer)
    const { error, rows } = await pullAll(configOf(source.url, more), undefined, context)
    expect(error).toBeInstanceOf(DomainError)
    expect((error as DomainError).code).toBe('VALIDATION_ERROR')
    expect([source.had.length, rows.length]).toEqual([1, 0])
    return error!.message
  }

  it.each([400, 401, 403, 404, 405, 410, 418, 422, 451])('%i', async status => {
    const message = await failing((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"error":"that is\\n wrong"}')
    })
    expect(message).toBe(`GET /x, page 1: it answered ${status} (application/json): {"error":"that is\\n wrong"}`)
  })

  it('a refusal of which only the beginning is read', async () => {
    const message = await failing((_, response) => response.writeHead(400).end('x'.repeat(5_000_000)))
    expect(message).toBe(`GET /x, page 1: it answered 400 (no content type): ${'x'.repeat(200)}…`)
  })

  it.each([304, 300, 302])('%i without a place to go', async status => {
    expect(await failing((_, response) => response.writeHead(status).end())).toBe(
      `GET /x, page 1: it answered ${status}`,
    )
  })

  it('HTML', async () => {
    const html = `<!DOCTYPE html>\n<html>\n  <head><title>Log in</title></head><body>${'please '.repeat(100)}</body></html>`
    const message = await failing((_, response) =>
      sendJson(response, html, { 'content-type': 'text/html; charset=utf-8' }),
    )
    const begins =
      '<!DOCTYPE html> <html> <head><title>Log in</title></head><body>please please please please please pl…'
    expect(message).toBe(`GET /x, page 1: it answered 200 with text/html; charset=utf-8 instead of JSON: ${begins}`)
  })

  it('HTML that is called JSON, and JSON that is broken', async () => {
    expect(await failing((_, response) => sendJson(response, '<p>no</p>'))).toMatch(
      /with application\/json instead of JSON: <p>no<\/p>$/,
    )
    const broken = await failing((_, response) => sendJson(response, '[{"id":1},{"id":},{"id":3},{"id":4}]'))
    expect(broken).toMatch(
      /200 with application\/json that is no JSON: unexpected "}" where a value was expected at byte 16; it begins/,
    )
  })

  it('JSON that is called HTML is taken', async () => {
    const source = await openSource((_, response) => sendJson(response, BODY, { 'content-type': 'text/html' }))
    expect((await pullWell(configOf(source.url))).data).toEqual(ROWS)
  })

  it('an answer of 1 GB, of which no more is held than there may be', async () => {
    const [most, chunk] = [8_388_608, Buffer.alloc(1_048_576, ' ')]
    let sent = 0
    let before = 0
    const message = await failing(
      async (_, response) => {
        before = process.memoryUsage().rss
        response.writeHead(200, { 'content-type': 'application/json' })
        const chunks = function* () {
          for (; sent < 1_073_741_824; sent += chunk.length) yield chunk
        }
        await expect(pipeline(chunks, response)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' })
      },
      {},
      pullContext({ answerBytes: most }),
    )
    expect(message).toBe(
      `GET /x, page 1: the answer has more than ${most} bytes, which is the most that MAX_SOURCE_ANSWER_BYTES allows`,
    )
    expect(sent).toBeLessThan(64 * 1_048_576)
    expect(process.memoryUsage().rss - before).toBeLessThan(96 * 1_048_576)
  })

  it('an answer that says it has 1 GB, before any of it', async () => {
    const message = await failing((_, response) => {
      response.writeHead(200, { 'content-length': 1_073_741_824 })
      response.flushHeaders()
    })
    expect(message).toMatch(/^GET \/x, page 1: the answer has more than 8388608 bytes/)
  })

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ])('%s that becomes 64 MB', async (coding, compress) => {
    const bomb = compress(Buffer.alloc(67_108_864, ' '))
    expect(bomb.length).toBeLessThan(100_000)
    const message = await failing((_, response) => sendJson2(response, bomb, coding))
    expect(message).toMatch(/^GET \/x, page 1: the answer has more than 8388608 bytes/)
  })

  it('a coding that nobody knows', async () => {
    const message = await failing((_, response) => sendJson2(response, Buffer.from(BODY), 'zstd'))
    expect(message).toBe('GET /x, page 1: the answer is encoded as zstd, which is not known here')
    await failing((_, response) => sendJson2(response, Buffer.from(BODY), 'gzip, gzip, gzip, gzip'))
  })

  function sendJson2(response: Parameters<typeof sendJson>[0], body: Buffer, coding: string): void {
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': coding }).end(body)
  }

  it.each([
    ['gzip', gzipSync(BODY)],
    ['x-gzip', gzipSync(BODY)],
    ['br', brotliCompressSync(BODY)],
    ['deflate', deflateSync(BODY)],
    ['deflate', deflateRawSync(BODY)],
    ['deflate, gzip', gzipSync(deflateSync(BODY))],
    ['identity', Buffer.from(BODY)],
  ])('%s is understood', async (coding, body) => {
    const source = await openSource((_, response) => sendJson2(response, body, coding))
    expect((await pullWell(configOf(source.url))).data).toEqual(ROWS)
    expect(source.had[0]!.headers['accept-encoding']).toBe('gzip, br, deflate')
  })

  it('a certificate that nobody vouches for, or none', async () => {
    const source = await openSource((_, response) => sendJson(response, BODY))
    const { error } = await pullAll(configOf(source.url.replace('http:', 'https:')))
    expect(error!.message).toMatch(/^GET \/x, page 1: no secure connection: /)
    expect(error).toBeInstanceOf(DomainError)
  })
})
