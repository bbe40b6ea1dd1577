import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Service } from './service.ts'

/** Where to call, and as whom when the call does not say. */
export type Target = Pick<Service, 'url' | 'token'>

export interface Call {
  method?: string
  headers?: Record<string, string>
  /** An object goes as JSON, with its content type; text and bytes go as they are. */
  body?: object | string | Buffer
  /** The access token; null: none. The service's own by default. */
  as?: string | null
}

export interface Answer<Body> {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined when it is not. */
  readonly body: Body
}

/** The documented shape of an error, with what OAuth adds on /auth. */
export interface Problem {
  error: {
    code: string
    message: string
    details: { field: string; message: string }[]
    request_id: string
    error?: string
    error_description?: string
  }
}

export interface PushAnswer extends Partial<Problem> {
  request_id: string
  accepted: number
  rejected: number
  errors: { index: number; line?: number; id: string | null; field: string | null; code: string; message: string }[]
  processing_time_ms: number
  position: string
}

export interface Item {
  id: string
  data: Record<string, unknown>
  version: number
  updated_at: string
  position: string
}

export interface Page {
  items: Item[]
  next_cursor: string | null
}

export interface TokenAnswer {
  access_token: string
  token_type: string
  expires_in: number
  refresh_token: string
  scope: string
}

/** One request to the API: GET, or POST when there is a body. */
export async function call<Body = Problem>(target: Target, path: string, request: Call = {}): Promise<Answer<Body>> {
  const { body, as = target.token } = request
  const plain = body !== undefined && (typeof body === 'string' || Buffer.isBuffer(body))
  const answer = await fetch(`${target.url}${path}`, {
    method: request.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(as === null ? {} : { authorization: `Bearer ${as}` }),
      ...(body === undefined || plain ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    },
    // As bytes, because fetch gives text a content type of its own.
    ...(body === undefined
      ? {}
      : { body: new Uint8Array(plain ? Buffer.from(body) : Buffer.from(JSON.stringify(body))) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, text, body: parsed(text) as Body }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Pushes records as one batch and returns the answer, whatever it is. */
export function pushBatch(target: Target, dataset: string, records: object[], options: object = {}) {
  return call<PushAnswer>(target, '/push/batch', { body: { source: 'tests', dataset, records, options } })
}

export const NDJSON = { 'content-type': 'application/x-ndjson' }

/** Pushes lines as one stream and returns the answer, whatever it is. `query` is without its question mark. */
export function pushLines(target: Target, query: string, body: string | Buffer, headers: Record<string, string> = {}) {
  return call<PushAnswer>(target, `/push/stream?${query}`, { body, headers: { ...NDJSON, ...headers } })
}

/** Every record of a data set, page by page, at `position` or later. */
export async function readRecords(target: Target, dataset: string, position: string, limit = 1000): Promise<Item[]> {
  const items: Item[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`
    const path = `/datasets/${encodeURIComponent(dataset)}/records?limit=${limit}&min_position=${position}${more}`
    const { status, body, text } = await call<Page>(target, path)
    // The read model is on its way there.
    if (status === 504) continue
    if (status !== 200) throw new Error(`${status} ${text}`)
    items.push(...body.items)
    cursor = body.next_cursor
  }
  return items
}

/** An access token with just these scopes, of the service's first client. */
export async function tokenFor(target: Target & { dataDir: string }, scope?: string): Promise<TokenAnswer> {
  const body = { grant_type: 'client_credentials', ...credentialsOf(target), ...(scope ? { scope } : {}) }
  return (await call<TokenAnswer>(target, '/auth/token', { as: null, body })).body
}

/** A number in the metrics. */
export async function metric(target: Target, name: string): Promise<number> {
  const { text } = await call(target, '/metrics')
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)![1])
}

/** The id and secret of the client that a service made at its first start. */
export function credentialsOf({ dataDir }: { dataDir: string }): { client_id: string; client_secret: string } {
  return JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8'))
}
