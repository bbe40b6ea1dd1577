import type { TemplatedApp, WebSocket } from 'uWebSockets.js'
import { DomainError } from '../../kernel/errors.ts'
import { authenticate, type Principal, requireScope } from '../auth/authenticate.ts'
import { NO_BODY } from '../bodies.ts'
import { createExchange } from '../exchange.ts'
import { limitHeaders, rateLimited } from '../limits.ts'
import { CLOSE, problemOf } from '../problem.ts'
import { BASE } from '../router.ts'
import type { Services } from '../services.ts'
import { createSession, type Session } from './session.ts'
import type { Turns } from './turns.ts'

const MAX_MESSAGE_BYTES = 65_536
/** uWebSockets.js cuts a client off past its limit without a word, so that one is higher. */
const CUT_OFF_BYTES = 1_048_576
const IDLE_SECONDS = 120
const LOOK_FOR_REVOKED_MS = 1000
/** Most bytes that a ping or its answer can have (RFC 6455, 5.5): less than any message that is published. */
const MAX_CONTROL_BYTES = 125
/** What `send` answers for a message that the buffer did not take. */
const DROPPED = 2

interface Data {
  principal: Principal
  session: Session | undefined
  /** What was dropped while something is sent to this one alone, which may write out what was published before. */
  drops: string[] | undefined
  /** For the rate limit: one name for each socket. */
  name: string
}

/** The WebSocket at /v1/sync/ws. */
export function serveSockets(app: TemplatedApp, services: Services): { stop(): Promise<void> } {
  const { config, metrics, limits, live } = services
  const { hub, turns } = live
  const open = new Set<WebSocket<Data>>()
  const behind = new Set<Session>()
  /** Those that missed a message hear no more before anything else is published; not while topics are walked over. */
  function leaveBehind(): void {
    for (const session of behind) session.leave()
    behind.clear()
  }
  live.publishTo((topic, text) => {
    leaveBehind()
    app.publish(topic, text)
    leaveBehind()
  })
  let sockets = 0

  /** What was published and not taken. Pings, and answers to those of the client, are dropped like messages. */
  function missed(ws: WebSocket<Data>, text: string): void {
    const { session } = ws.getUserData()
    if (!session || Buffer.byteLength(text) <= MAX_CONTROL_BYTES) return
    session.onDropped(text)
    behind.add(session)
  }

  app.ws<Data>(`${BASE}/ws`, {
    maxPayloadLength: CUT_OFF_BYTES,
    idleTimeout: IDLE_SECONDS,
    sendPingsAutomatically: true,
    maxBackpressure: config.socketBufferBytes,
    closeOnBackpressureLimit: false,

    async upgrade(res, req, context) {
      const key = req.getHeader('sec-websocket-key')
      const protocol = req.getHeader('sec-websocket-protocol')
      const extensions = req.getHeader('sec-websocket-extensions')
      const exchange = createExchange(res, req, NO_BODY)
      try {
        const token = exchange.query.get('token')
        const authorization = exchange.header('authorization') ?? (token === null ? undefined : `Bearer ${token}`)
        const credentials = { authorization, apiKey: exchange.header('x-api-key') }
        const found = authenticate(credentials, services.access, services.tokens)
        const late = found instanceof Promise
        const principal = late ? await found : found
        requireScope(principal, 'sync:read')
        live.requireRoom()
        if (services.health.stopping) throw new DomainError('UNAVAILABLE', 'the service is stopping', { retryAfter: 5 })
        if (exchange.aborted) return
        const data = { principal, session: undefined, drops: undefined, name: `socket-${sockets++}` }
        // Corked it would now and then be closed at once (docs/decisions/0023-upgrades.md).
        if (late) res.upgrade<Data>(data, key, protocol, extensions, context)
        else res.cork(() => res.upgrade<Data>(data, key, protocol, extensions, context))
      } catch (error) {
        // Like every request that is refused it counts, so that nobody can try tokens here as often as they like.
        const state = await limits.consume(`api ${exchange.ip}`, config.rateLimitApi)
        Object.assign(exchange.always, limitHeaders(state))
        const { status, headers, body } = problemOf(state.allowed ? error : rateLimited(state), exchange.requestId)
        exchange.send(status, JSON.stringify(body), { 'Content-Type': 'application/json', ...headers })
      }
    },
    open(ws) {
      open.add(ws)
      live.enter()
      metrics.sockets.set(open.size)
      const data = ws.getUserData()
      data.session = createSession(services, hub, connectionOf(ws, open, turns, missed), data.principal)
    },
    async message(ws, bytes) {
      const { session, name } = ws.getUserData()
      if (bytes.byteLength > MAX_MESSAGE_BYTES) return ws.end(CLOSE.tooLarge, `more than ${MAX_MESSAGE_BYTES} bytes`)
      const text = Buffer.from(bytes.slice(0)).toString()
      const state = await limits.consume(name, config.rateLimitWs)
      if (!open.has(ws)) return
      if (!state.allowed) return ws.end(CLOSE.rate, `more than ${state.limit} messages in a minute`)
      await session!.onMessage(text)
    },
    drain: ws => ws.getUserData().session?.onDrain(),
    dropped(ws, bytes) {
      const { drops } = ws.getUserData()
      const text = Buffer.from(bytes).toString()
      if (drops) drops.push(text)
      else missed(ws, text)
    },
    close(ws) {
      open.delete(ws)
      live.leave()
      metrics.sockets.set(open.size)
      ws.getUserData().session?.end()
    },
  })

  const looking = setInterval(() => {
    for (const ws of open)
      if (ws.getUserData().principal.gone()) ws.end(CLOSE.token, 'the token has expired or was revoked')
  }, LOOK_FOR_REVOKED_MS)

  return {
    async stop() {
      clearInterval(looking)
      for (const ws of [...open]) ws.end(CLOSE.shutdown, 'the service is stopping')
      await live.stop()
    },
  }
}

function connectionOf(
  ws: WebSocket<Data>,
  open: ReadonlySet<WebSocket<Data>>,
  turns: Turns,
  missed: (ws: WebSocket<Data>, text: string) => void,
) {
  return {
    send(text: string) {
      if (!open.has(ws)) return true
      const data = ws.getUserData()
      const drops: string[] = []
      data.drops = drops
      const taken = ws.send(text) !== DROPPED
      data.drops = undefined
      // The last one is this text itself, of which the answer tells.
      if (!taken) drops.pop()
      for (const each of drops) missed(ws, each)
      return taken
    },
    buffered: () => (open.has(ws) ? ws.getBufferedAmount() : 0),
    listen(topic: string) {
      if (!open.has(ws)) return
      ws.subscribe(topic)
      turns.listens(ws.getTopics().length)
    },
    unlisten: (topic: string) => void (open.has(ws) && ws.unsubscribe(topic)),
    close: (code: number, reason: string) => void (open.has(ws) && ws.end(code, reason)),
  }
}
