import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A REST API of our own with rows in pages by offset and limit, at /rows. */
export interface Source {
  readonly url: string
  /** Every request so far, with its headers. */
  readonly requests: readonly { path: string; query: URLSearchParams; headers: IncomingMessage['headers'] }[]
  stop(): Promise<void>
}

export interface SourceOptions {
  /** JSON texts of the rows; asked anew for each request. */
  rows: () => readonly string[]
  /** May answer instead: true when it has. `n` counts requests from 1. */
  instead?: (request: IncomingMessage, response: ServerResponse, n: number) => boolean | Promise<boolean>
}

export async function startSource({ rows, instead }: SourceOptions): Promise<Source> {
  const requests: { path: string; query: URLSearchParams; headers: IncomingMessage['headers'] }[] = []
  const server = createServer(async (request, response) => {
    const { pathname: path, searchParams: query } = new URL(request.url!, 'http://source')
    requests.push({ path, query, headers: request.headers })
    if (instead && (await instead(request, response, requests.length))) return
    const all = rows()
    const offset = Number(query.get('offset') ?? 0)
    const page = all.slice(offset, offset + Number(query.get('limit') ?? 100))
    answer(response, 200, `{"total":${all.length},"data":[${page.join(',')}]}`)
  })
  const url = await listen(server)
  return { url, requests, stop: () => close(server) }
}

/** Answers a request; true, for `instead`. */
export function answer(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body)
  return true
}

function listen(server: Server): Promise<string> {
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })
}

function close(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise(resolve => server.close(() => resolve()))
}

/** What a job says of such a source. */
export function sourceConfig(url: string, limit = 100, more: object = {}): object {
  const pagination = { type: 'offset', offset_param: 'offset', limit_param: 'limit', limit, total_path: '/total' }
  return { base_url: url, endpoints: [{ path: '/rows', data_path: '/data', pagination, ...more }] }
}
