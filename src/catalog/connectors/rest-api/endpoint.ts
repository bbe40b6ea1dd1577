import { objectText, quoted } from '../../../kernel/members.ts'
import type { EndpointConfig, RestConfig } from './config.ts'
import type { Asking } from './http/client.ts'
import { type Pagination, type PaginationConfig, paginationOf } from './paginations/index.ts'
import { plainText } from './paginations/pagination.ts'
import { isSensitive } from './secrets.ts'

/** An endpoint, made ready for a run. */
export interface Endpoint {
  /** As it is called in logs, errors and the state: method and path. */
  readonly name: string
  readonly config: EndpointConfig
  readonly pagination: Pagination
  readonly paging: PaginationConfig
  /** What is asked for at a place, beginning at a value of the cursor. Credentials of auth come on top. */
  ask(place: unknown, from: string | undefined): Asking
}

type Param = RestConfig['params'][string]

const FORM = 'application/x-www-form-urlencoded'

/** The endpoints of a configuration. Two of one method and path are told apart by a number. */
export function endpointsOf(config: RestConfig): Endpoint[] {
  const seen = new Map<string, number>()
  return config.endpoints.map(endpoint => {
    const name = `${endpoint.method} ${endpoint.path || '/'}`
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return endpointOf(count === 1 ? name : `${name} (${count})`, endpoint, config)
  })
}

function endpointOf(name: string, config: EndpointConfig, { base_url, ...shared }: RestConfig): Endpoint {
  const pagination = paginationOf(config.pagination.type)
  const address = new URL(base_url + config.path)
  const [params, secretParams] = split({ ...shared.params, ...config.params })
  const [headers, secretHeaders] = split({ ...lowerCased(shared.headers), ...lowerCased(config.headers) })
  const credentials = { headers: secretHeaders, params: secretParams } as Asking['credentials']
  return {
    ...{ name, config, pagination, paging: config.pagination },
    ask(place, from) {
      const { url, params: ofPage = {} } = pagination.request(config.pagination, place)
      const added = { ...ofCursor(config, from), ...ofPage }
      const inBody = config.send_in === 'body'
      const target = new URL(url ?? address)
      if (url === undefined) {
        setParams(target, params)
        if (!inBody) for (const [param, json] of Object.entries(added)) target.searchParams.set(param, plainText(json))
      }
      const body = bodyOf(config, inBody ? added : {}, headers['content-type'] as string | undefined)
      const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
      const asked = { accept: 'application/json', 'user-agent': 'superinsight-sync', ...type, ...headers }
      return { method: config.method, url: target, headers: asked, body, credentials, home: address.origin }
    },
  }
}

function ofCursor({ cursor_param }: EndpointConfig, from: string | undefined): Record<string, string> {
  if (cursor_param === undefined || from === undefined) return {}
  // As JSON text; what looks like a number is sent as one.
  return { [cursor_param]: /^-?(0|[1-9]\d*)(\.\d+)?$/.test(from) ? from : quoted(from) }
}

/** What is for anyone, and what is a secret by its name. */
function split(given: Readonly<Record<string, Param>>): [Record<string, Param>, Record<string, Param>] {
  const entries = Object.entries(given)
  const secret = entries.filter(([name]) => isSensitive(name))
  return [Object.fromEntries(entries.filter(([name]) => !isSensitive(name))), Object.fromEntries(secret)]
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

function setParams(url: URL, params: Readonly<Record<string, Param>>): void {
  for (const [name, value] of Object.entries(params)) {
    url.searchParams.delete(name)
    for (const each of [value].flat()) url.searchParams.append(name, String(each))
  }
}

function bodyOf(
  { body }: EndpointConfig,
  added: Record<string, string>,
  type = 'application/json',
): string | undefined {
  if (typeof body === 'string') return body
  const hasAdded = Object.keys(added).length > 0
  if (body === undefined && !hasAdded) return undefined
  if (body !== undefined && (typeof body !== 'object' || body === null || Array.isArray(body)))
    return JSON.stringify(body)
  const members = Object.entries(body ?? {}).map(([name, value]) => [name, JSON.stringify(value)] as const)
  const all = new Map([...members, ...Object.entries(added)])
  if (!type.startsWith(FORM)) return objectText(all)
  return new URLSearchParams([...all].map(([name, json]): [string, string] => [name, plainText(json)])).toString()
}
