import {
  App,
  type HttpRequest,
  type HttpResponse,
  type TemplatedApp,
  us_listen_socket_close,
  us_socket_local_port,
} from 'uWebSockets.js'
import { DomainError } from '../kernel/errors.ts'
import { authenticate, type Credentials, credentialsOf, type Principal, requireScope } from './auth/authenticate.ts'
import { createBodies, type Held } from './bodies.ts'
import { createExchange, type Exchange } from './exchange.ts'
import { countCall, type LimitState, limitHeaders, limitOf, rateLimited } from './limits.ts'
import { problemOf } from './problem.ts'
import { limitReceiveWindow } from './receive-window.ts'
import { createRouter, type Match, MethodNotAllowed, type Reply, type Route } from './router.ts'
import { healthRoutes } from './routes/health.ts'
import { routes } from './routes/index.ts'
import type { Probes, Services } from './services.ts'
import { createLive } from './socket/live.ts'
import { serveSockets } from './socket/sockets.ts'

const NOBODY: Principal = { id: '', name: '', scopes: [], rateLimit: null, expiresAt: null, gone: () => false }

/** Without it a second service on the same port would start, and take half of the connections. */
const EXCLUSIVE_PORT = 1
type ListenSocket = Parameters<typeof us_listen_socket_close>[0]
type ListenAt = (host: string, port: number, options: number, listening: (socket: ListenSocket | false) => void) => void

export interface Edge {
  readonly port: number
  /** Stops accepting, waits for requests under way until their answers are delivered, closes sockets. */
  stop(): Promise<void>
}

/** Serves the API. */
export function startEdge(parts: Omit<Services, 'live'>): Promise<Edge> {
  const live = createLive(parts)
  const services: Services = { ...parts, live }
  return startServer(services, {
    routes,
    identify: async credentials => authenticate(credentials, services.access, services.tokens),
    attach: app => serveSockets(app, services),
  })
}

/** Serves what every role has: health and metrics, to anyone. */
export function startProbes(services: Probes): Promise<Edge> {
  const nobody = () => Promise.reject(new DomainError('UNAUTHORIZED', 'this process has no edge'))
  return startServer(services, {
    routes: healthRoutes,
    identify: nobody,
    attach: () => ({ stop: async () => undefined }),
  })
}

interface Serving<S extends Probes> {
  readonly routes: readonly Route<S>[]
  identify(credentials: Credentials): Promise<Principal>
  /** What listens on the same port beside the routes. */
  attach(app: TemplatedApp): { stop(): Promise<void> }
}

async function startServer<S extends Probes>(services: S, { routes, identify, attach }: Serving<S>): Promise<Edge> {
  const { config, metrics, logger, health } = services
  const find = createRouter(routes)
  const active = new Set<Exchange>()
  const holdBody = createBodies(config.bodiesBytes)

  async function limit(
    match: Match<S> | undefined,
    principal: Principal,
    exchange: Exchange,
  ): Promise<LimitState | undefined> {
    const kind = match?.route.limit ?? 'api'
    const most = limitOf(config, kind, principal)
    if (kind === 'free') {
      Object.assign(
        exchange.always,
        limitHeaders({ limit: most, remaining: most, reset: Math.ceil(Date.now() / 1000) + 60, allowed: true }),
      )
      return undefined
    }
    const state = await countCall(services, kind, principal, exchange.ip)
    Object.assign(exchange.always, limitHeaders(state))
    return state
  }

  async function answer(exchange: Exchange, onRoute: (route: Route<S>) => void): Promise<Reply | undefined> {
    let match: Match<S> | undefined
    let principal = NOBODY
    try {
      match = find(exchange.method, exchange.path)
      onRoute(match.route)
      const { route, params } = match
      if (route.identify) principal = await route.identify({ exchange, params, services })
      else if (route.auth !== 'none') principal = await identify(credentialsOf(exchange))
    } catch (error) {
      const state = await limit(match, NOBODY, exchange)
      throw state && !state.allowed ? rateLimited(state) : error
    }
    const state = await limit(match, principal, exchange)
    if (state && !state.allowed) throw rateLimited(state)
    if (match.route.auth !== 'none') requireScope(principal, match.route.auth)
    if (health.stopping && match.route.limit !== 'free') {
      throw new DomainError('UNAVAILABLE', 'the service is stopping', { retryAfter: 5 })
    }
    return match.route.handle({ exchange, params: match.params, principal, services })
  }

  async function serve(exchange: Exchange, held: Held): Promise<void> {
    const started = process.hrtime.bigint()
    let status = 200
    // Counted by the route's own text: what a caller may make up would be a new series each time.
    let counted = 'none'
    let refused: Route<S>['refused']
    active.add(exchange)
    try {
      const reply = await answer(exchange, route => {
        counted = `${route.method} ${route.path}`
        refused = route.refused
      })
      if (reply) {
        status = reply.status
        sendReply(exchange, reply)
      }
    } catch (error) {
      const { status: code, headers, body } = problemOf(error, exchange.requestId)
      status = code
      if (error instanceof MethodNotAllowed) headers.Allow = error.allow
      if (code === 500)
        logger.error({ err: error, request_id: exchange.requestId, path: exchange.path }, 'a request failed')
      sendReply(exchange, { status, headers, body: refused?.(body) ?? body })
    } finally {
      exchange.onDelivered(() => active.delete(exchange))
      held.give()
      const seconds = Number(process.hrtime.bigint() - started) / 1e9
      metrics.requests.inc({ route: counted, status })
      if (counted.includes('/push/')) {
        metrics.operations.inc({ connector: 'push', status: status < 400 ? 'success' : 'failure' })
        metrics.latency.observe(seconds)
      }
      logger.debug(
        { request_id: exchange.requestId, method: exchange.method, path: exchange.path, status, seconds },
        'answered',
      )
    }
  }

  const app = App()
  const sockets = attach(app)
  app.any('/*', (res: HttpResponse, req: HttpRequest) => {
    const held = holdBody()
    void serve(createExchange(res, req, held), held)
  })
  const listening = await new Promise<ListenSocket>((resolve, reject) => {
    // The types leave out the form with an address and options, which uWebSockets.js has.
    const listen = app.listen.bind(app) as unknown as ListenAt
    listen(config.host, config.port, EXCLUSIVE_PORT, socket => {
      if (socket) return resolve(socket)
      reject(
        new DomainError(
          'UNAVAILABLE',
          `PORT=${config.port}: ${config.host}:${config.port} cannot be listened on; is it in use?`,
        ),
      )
    })
  })
  const port = us_socket_local_port(listening)
  limitReceiveWindow(port, logger)

  return {
    port,
    async stop() {
      health.stopping = true
      us_listen_socket_close(listening)
      const end = Date.now() + config.drainSeconds * 1000
      for (const exchange of active) exchange.stop()
      while (active.size > 0 && Date.now() < end) await new Promise(resolve => setTimeout(resolve, 10))
      await sockets.stop()
      app.close()
    },
  }
}

function sendReply(exchange: Exchange, { status, body, headers = {} }: Reply): void {
  if (body === undefined) return exchange.send(status, '', headers)
  if (typeof body === 'string') return exchange.send(status, body, headers)
  exchange.send(status, JSON.stringify(body), { 'Content-Type': 'application/json', ...headers })
}
