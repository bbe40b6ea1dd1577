import { invalid } from '../../kernel/errors.ts'
import { authenticate, credentialsAnywhere } from '../auth/authenticate.ts'
import { check } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import type { Route } from '../router.ts'
import { type Asked, serveEvents } from '../socket/events.ts'
import { type FilterSpec, filterSchema } from '../socket/filter.ts'

/** Parameters that hold a list: with commas between, or given several times. */
const LISTS = ['record_ids', 'operations', 'fields', 'event_types'] as const
const TEXTS = ['dataset', 'table', 'job_id'] as const
const OTHERS = ['channel', 'since', 'filters', 'token'] as const

const known = new Set<string>([...LISTS, ...TEXTS, ...OTHERS])

/** What a request asks for, as a `subscribe` would on a socket. Throws VALIDATION_ERROR. */
export function readAsked({ query, header }: Pick<Exchange, 'query' | 'header'>): Asked {
  for (const name of query.keys()) if (!known.has(name)) throw invalid(name.slice(0, 100), 'this is not known here')
  return {
    channel: one(query, 'channel'),
    filters: readFilters(query),
    // A browser that connects again asks for the same URL: what it has seen since counts.
    since: header('last-event-id') || one(query, 'since'),
  }
}

function readFilters(query: URLSearchParams): FilterSpec {
  const lists = LISTS.filter(name => query.has(name)).map(name => [name, query.getAll(name).join(',').split(',')])
  const texts = TEXTS.filter(name => query.has(name)).map(name => [name, one(query, name)])
  const flat = check(Object.fromEntries([...lists, ...texts]), filterSchema)
  const json = one(query, 'filters')
  if (json === undefined) return flat
  const filters = check(parsed(json), filterSchema, 'filters')
  const twice = Object.keys(flat).find(name => name in filters)
  if (twice) throw invalid(twice, 'it is in filters too; say it once')
  return { ...filters, ...flat }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw invalid('filters', 'expected a JSON object, as in a subscribe message')
  }
}

function one(query: URLSearchParams, name: string): string | undefined {
  const given = query.getAll(name)
  if (given.length > 1) throw invalid(name, 'it is given more than once')
  return given[0]
}

/** Server-Sent Events: the messages of a WebSocket with one subscription. */
const events: Route = {
  method: 'GET',
  path: '/stream',
  auth: 'sync:read',
  limit: 'api',
  async identify({ exchange, services }) {
    const none = { authorization: undefined, apiKey: undefined }
    return authenticate(credentialsAnywhere(exchange) ?? none, services.access, services.tokens)
  },
  async handle({ exchange, principal, services }) {
    const asked = readAsked(exchange)
    services.live.requireRoom()
    await serveEvents(services, exchange, principal, asked)
    return undefined
  },
}

export const stream: readonly Route[] = [events]
