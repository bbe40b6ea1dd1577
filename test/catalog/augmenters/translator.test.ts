import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Translator } from '../../../src/catalog/augmenters/index.ts'
import { openTranslator, type TranslatorOptions } from '../../../src/catalog/augmenters/translators/open.ts'
import { SourceBusy } from '../../../src/catalog/connectors/connector.ts'
import { createGuard } from '../../../src/catalog/reach/guard.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void
const opened: { close(): unknown }[] = []

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})

async function serverThat(answer: Answer): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    answer(request, response, body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  opened.push({
    close: () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(resolve))
    },
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function open(url: string, more: Partial<TranslatorOptions> = {}): Promise<Translator> {
  const signal = new AbortController().signal
  const options = {
    url,
    guard: createGuard('1'),
    signal,
    timeoutMs: 500,
    retries: 2,
    concurrency: 2,
    answerBytes: 10_000,
  }
  const translator = await openTranslator({ ...options, ...more })
  opened.push(translator)
  return translator
}

const PAIRS = { responseData: [{ sourceLanguage: 'eng', targetLanguage: 'spa' }] }
const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status).end(JSON.stringify(body))

/** An apertium-apy whose translations `translate` answers. */
const apertium = (translate: Answer) =>
  serverThat((request, response, body) => {
    if (request.url === '/listPairs') json(response, PAIRS)
    else if (request.url === '/translate') translate(request, response, body)
    else json(response, {}, 404)
  })

describe('a translator', () => {
  it('is found to be apertium-apy, and asked as it wants', async () => {
    const url = await apertium((request, response, body) => {
      expect(request.method).toBe('POST')
      const asked = new URLSearchParams(body)
      json(response, {
        responseData: { translatedText: `${asked.get('langpair')}: ${asked.get('q')} ${asked.get('markUnknown')}` },
      })
    })
    const translator = await open(url)
    expect(translator.kind).toBe('apertium-apy')
    expect([translator.can('en', 'es'), translator.can('es', 'en'), translator.can('en', 'fr')]).toEqual([
      true,
      false,
      false,
    ])
    expect(await translator.translate('a & b = ü', 'en', 'es')).toBe('eng|spa: a & b = ü no')
  })

  it('is found to be LibreTranslate, under a path, with a key', async () => {
    const url = await serverThat((request, response, body) => {
      if (request.url === '/lt/languages') json(response, [{ code: 'en', targets: ['es'] }, { code: 'es' }])
      else if (request.url === '/lt/translate') json(response, { translatedText: body })
      else json(response, {}, 404)
    })
    const translator = await open(`${url}/lt`, { apiKey: 'k' })
    expect(translator.kind).toBe('libretranslate')
    expect([translator.can('en', 'es'), translator.can('en', 'fr'), translator.can('es', 'en')]).toEqual([
      true,
      false,
      true,
    ])
    expect(JSON.parse((await translator.translate('hi', 'en', 'es'))!)).toEqual({
      ...{ q: 'hi', source: 'en', target: 'es', format: 'text' },
      api_key: 'k',
    })
  })

  it('is asked again after what may pass, and not after what will not', async () => {
    let calls = 0
    const flaky = await open(
      await apertium((_request, response) => {
        calls++
        if (calls < 3) json(response, {}, 503)
        else json(response, { responseData: { translatedText: 'at last' } })
      }),
    )
    expect(await flaky.translate('x', 'en', 'es')).toBe('at last')
    expect(calls).toBe(3)
    for (const status of [400, 200]) {
      let asked = 0
      const never = await open(
        await apertium((_request, response) => {
          asked++
          json(response, {}, status)
        }),
      )
      expect(await never.translate('x', 'en', 'es')).toBeUndefined()
      expect(asked).toBe(1)
    }
  })

  it('that hangs, breaks off, or answers too much gives no translation', async () => {
    const answers: Answer[] = [
      () => undefined,
      (_request, response) => response.destroy(),
      (_request, response) => json(response, { responseData: { translatedText: 'x'.repeat(20_000) } }),
      (_request, response) => response.end('<html>'),
    ]
    for (const answer of answers) {
      const translator = await open(await apertium(answer), { timeoutMs: 100, retries: 1 })
      expect(await translator.translate('x', 'en', 'es')).toBeUndefined()
    }
  })

  it('that answers nobody any more is not there, and one that refuses texts is', async () => {
    for (const [status, busy] of [
      [503, true],
      [400, false],
    ] as const) {
      const translator = await open(await apertium((_request, response) => json(response, {}, status)), { retries: 0 })
      const all = await Promise.allSettled(Array.from({ length: 9 }, () => translator.translate('x', 'en', 'es')))
      expect(all.filter(({ status }) => status === 'rejected').length > 0).toBe(busy)
      const failure = all.find(each => each.status === 'rejected')
      if (busy) expect(failure!.reason).toBeInstanceOf(SourceBusy)
    }
  })

  it('gets so many texts at once, and no more', async () => {
    const waiting: ServerResponse[] = []
    let most = 0
    const url = await apertium((_request, response) => {
      most = Math.max(most, waiting.push(response))
      // Nobody is answered before three ask: with fewer at once the test would never end.
      if (waiting.length < 3) return
      for (const each of waiting.splice(0)) json(each, { responseData: { translatedText: 'x' } })
    })
    const translator = await open(url, { concurrency: 3, timeoutMs: 10_000 })
    await Promise.all(Array.from({ length: 51 }, () => translator.translate('x', 'en', 'es')))
    expect(most).toBe(3)
  })

  it('stops with the run', async () => {
    const stop = new AbortController()
    const translator = await open(await apertium(() => stop.abort(new Error('cancelled'))), {
      signal: stop.signal,
      timeoutMs: 60_000,
    })
    await expect(translator.translate('x', 'en', 'es')).rejects.toThrow('cancelled')
    await expect(translator.translate('x', 'en', 'es')).rejects.toThrow('cancelled')
  })

  it('is refused where it may not be, is not, or is something else', async () => {
    const other = await serverThat((_request, response) => json(response, { hello: 1 }))
    await expect(open(other)).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'TRANSLATE_URL' }] })
    await expect(open(other, { guard: createGuard('') })).rejects.toThrow('127.0.0.1 is not a public address')
    const named = other.replace('127.0.0.1', 'localhost')
    await expect(open(named, { guard: createGuard('') })).rejects.toThrow('is not a public address')
    await expect(open('ftp://x.example')).rejects.toThrow('expected an http')
    await expect(open('http://127.0.0.1:1')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const broken = await serverThat((_request, response) => json(response, {}, 500))
    await expect(open(broken)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
