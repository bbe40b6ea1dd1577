import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { PullContext, PulledPage, PulledRow } from '../../src/catalog/connectors/connector.ts'
import { restApi } from '../../src/catalog/connectors/rest-api/index.ts'
import { createGuard } from '../../src/catalog/reach/guard.ts'
import { DEFAULT_LIMITS } from './limits.ts'

/** A request that a source has had. */
export interface Had {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface TestSource {
  readonly url: string
  readonly port: number
  readonly had: Had[]
}

/** A source on loopback, until the test is over. It answers what `answer` does with each request. */
export async function openSource(
  answer: (request: Had, response: ServerResponse) => unknown,
  host = '127.0.0.1',
): Promise<TestSource> {
  const had: Had[] = []
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const url = new URL(`http://${request.headers.host}${request.url}`)
    const each = { method: request.method!, url, headers: request.headers, body: Buffer.concat(chunks).toString() }
    had.push(each)
    await answer(each, response)
  }
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, host, resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://${host}:${port}`, port, had }
}

export function sendJson(
  response: ServerResponse,
  body: unknown,
  headers: Record<string, string | string[]> = {},
): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

export interface Told {
  readonly level: string
  readonly message: string
  readonly metadata: object
}

/** What a connector is pulled with in tests; loopback is allowed. `told` is its log. */
export function pullContext(more: Partial<PullContext> = {}): PullContext & { readonly told: Told[] } {
  const told: Told[] = []
  return {
    signal: new AbortController().signal,
    openFile: () => Promise.reject(new Error('there are no files here')),
    removeFile: () => Promise.reject(new Error('there are no files here')),
    log: (level, message, metadata = {}) => void told.push({ level, message, metadata }),
    pageRows: 1000,
    pageBytes: 4_194_304,
    formatLimits: DEFAULT_LIMITS,
    guard: createGuard('127.0.0.1/32'),
    answerBytes: 8_388_608,
    answerMs: 10_000,
    told,
    ...more,
  }
}

/** The pages that the connector gives, from a state on. States pass through JSON, as they do in an event. */
export async function* pages(config: object, state?: unknown, context = pullContext()): AsyncGenerator<PulledPage> {
  for await (const page of restApi.pull(restApi.config.parse(config), throughJson(state), context))
    yield { ...page, state: throughJson(page.state) }
}

export interface Pulled {
  readonly pages: PulledPage[]
  readonly rows: readonly PulledRow[]
  /** The texts of the rows that were not refused. */
  readonly data: readonly string[]
  /** What ended it, other than the end. */
  readonly error: Error | undefined
  readonly state: unknown
}

/** All that the connector gives, from a state on. */
export async function pullAll(config: object, state?: unknown, context = pullContext()): Promise<Pulled> {
  const all: PulledPage[] = []
  let error: Error | undefined
  try {
    for await (const page of pages(config, state, context)) all.push(page)
  } catch (failure) {
    error = failure as Error
  }
  const rows = all.flatMap(page => [...page.rows])
  const data = rows.flatMap(row => ('data' in row ? [row.data] : []))
  return { pages: all, rows, data, error, state: all.at(-1)?.state }
}

/** As pullAll, for what must come to its end. */
export async function pullWell(config: object, state?: unknown, context = pullContext()): Promise<Pulled> {
  const pulled = await pullAll(config, state, context)
  if (pulled.error) throw pulled.error
  return pulled
}

function throughJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}
