import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Behaviour = 'well' | 'silent' | 'broken'

export interface TranslateServer {
  readonly url: string
  /** Texts that it was asked for. */
  readonly asked: string[]
  /** It answers this way, from now on or after so many texts more: as it should, not at all, or that it is out of order. */
  behave(how: Behaviour, after?: number): void
  stop(): Promise<void>
}

/** A LibreTranslate for English and Spanish, as far as it says: what goes there and back has "indeed" at its end. */
export async function startTranslateServer(): Promise<TranslateServer> {
  const asked: string[] = []
  let how: Behaviour = 'well'
  let then: { how: Behaviour; asked: number } | undefined
  const json = (response: ServerResponse, body: unknown, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (then && asked.length >= then.asked) how = then.how
    if (how === 'silent') return
    if (how === 'broken') return json(response, { error: 'out of order' }, 503)
    if (request.url === '/languages')
      return json(response, [
        { code: 'en', targets: ['es'] },
        { code: 'es', targets: ['en'] },
      ])
    if (request.url !== '/translate') return json(response, {}, 404)
    const { q, source } = JSON.parse(body) as { q: string; source: string }
    asked.push(q)
    json(response, { translatedText: source === 'en' ? `¡${q}` : `${q.replace(/^¡/, '')} indeed` })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    behave(now, after = 0) {
      if (after === 0) how = now
      then = after === 0 ? undefined : { how: now, asked: asked.length + after }
    },
    stop() {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}
