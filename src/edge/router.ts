import { DomainError } from '../kernel/errors.ts'
import type { Principal, Scope } from './auth/authenticate.ts'
import type { Exchange } from './exchange.ts'
import type { Problem } from './problem.ts'
import type { Probes, Services } from './services.ts'

export interface Reply {
  readonly status: number
  /** An object is sent as JSON; a string with the content type in `headers`. */
  readonly body?: object | string
  readonly headers?: Record<string, string>
}

export interface Request<S extends Probes = Services> {
  readonly exchange: Exchange
  readonly params: Readonly<Record<string, string>>
  /** Only for routes with `auth: 'none'` is there no one. */
  readonly principal: Principal
  readonly services: S
}

export interface Route<S extends Probes = Services> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below /v1/sync; `:name` stands for one segment. */
  readonly path: string
  /** The scope it needs, or none for a route that anyone may call. */
  readonly auth: Scope | 'none'
  /** Finds out who calls by other means than a credential of ours; throws UNAUTHORIZED, or NOT_FOUND. */
  identify?(request: Omit<Request<S>, 'principal'>): Promise<Principal>
  /** Which limit it counts against; `free` is for probes, which are never refused. */
  readonly limit: 'api' | 'push' | 'free'
  /** The body of a refusal, for clients that expect another than everywhere. */
  refused?(body: Problem['body']): object
  /** A reply, or undefined when the handler has answered through the exchange itself. */
  handle(request: Request<S>): Promise<Reply | undefined> | Reply
}

export interface Match<S extends Probes> {
  readonly route: Route<S>
  readonly params: Record<string, string>
}

export const BASE = '/v1/sync'

/**
 * Finds the route for a request; HEAD is GET, whose body the exchange leaves out. Throws NOT_FOUND, or
 * METHOD_NOT_ALLOWED naming the methods there are.
 */
export function createRouter<S extends Probes>(
  routes: readonly Route<S>[],
): (method: string, path: string) => Match<S> {
  const table = routes.map(route => ({ route, segments: `${BASE}${route.path}`.split('/') }))
  return (method, path) => {
    const segments = path.split('/')
    const found = table.flatMap(({ route, segments: pattern }) => {
      const params = matchSegments(pattern, segments)
      return params ? [{ route, params }] : []
    })
    const match = found.find(({ route }) => route.method === (method === 'HEAD' ? 'GET' : method))
    if (match) return match
    if (found.length === 0) throw new DomainError('NOT_FOUND', `there is nothing at ${path.slice(0, 200)}`)
    const methods = found.map(({ route }) => (route.method === 'GET' ? 'GET, HEAD' : route.method)).join(', ')
    throw new MethodNotAllowed(`${method} is not possible at ${path.slice(0, 200)}; it takes ${methods}`, methods)
  }
}

/** Carries what the Allow header must say. */
export class MethodNotAllowed extends DomainError {
  readonly allow: string
  constructor(message: string, allow: string) {
    super('METHOD_NOT_ALLOWED', message)
    this.allow = allow
  }
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i]!
    if (part.startsWith(':') && segment !== '') params[part.slice(1)] = decoded(segment)
    else if (part !== segment) return undefined
  }
  return params
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new DomainError('VALIDATION_ERROR', `the path has a broken percent escape: ${segment.slice(0, 100)}`)
  }
}
