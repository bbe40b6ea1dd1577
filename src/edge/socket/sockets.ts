import type { TemplatedApp, WebSocket } from 'uWebSockets.js'
import { DomainError } from '../../kernel/errors.ts'
import { partitionOf } from '../../kernel/hash.ts'
import { decodePosition, encodePosition, TOTAL_ORDER } from '../../kernel/position.ts'
import { recordKey } from '../../projections/records.ts'
import { authenticate, type Principal, requireScope } from '../auth/authenticate.ts'
import { createExchange } from '../exchange.ts'
import { CLOSE, problemOf } from '../problem.ts'
import { BASE } from '../router.ts'
import type { Services } from '../services.ts'
import { SOURCES } from './changes.ts'
import { createHub } from './hub.ts'
import { createSession, type Session } from './session.ts'

const MAX_MESSAGE_BYTES = 65_536
const IDLE_SECONDS = 120
const LOOK_FOR_REVOKED_MS = 1000

interface Data {
  principal: Principal
  session: Session | undefined
  /** For the rate limit: one name for each socket. */
  name: string
}

/** The WebSocket at /v1/sync/ws. */
export function serveSockets(app: TemplatedApp, services: Services): { stop(): Promise<void> } {
  const { log, config, metrics, limits } = services
  const open = new Set<WebSocket<Data>>()
  const hub = createHub(services, (topic, text) => void app.publish(topic, text))
  let sockets = 0

  app.ws<Data>(`${BASE}/ws`, {
    maxPayloadLength: MAX_MESSAGE_BYTES,
    idleTimeout: IDLE_SECONDS,
    sendPingsAutomatically: true,
    maxBackpressure: config.socketBufferBytes,
    closeOnBackpressureLimit: false,

    async upgrade(res, req, context) {
      const key = req.getHeader('sec-websocket-key')
      const protocol = req.getHeader('sec-websocket-protocol')
      const extensions = req.getHeader('sec-websocket-extensions')
      const exchange = createExchange(res, req)
      try {
        const token = exchange.query.get('token')
        const authorization = exchange.header('authorization') ?? (token === null ? undefined : `Bearer ${token}`)
        const credentials = { authorization, apiKey: exchange.header('x-api-key') }
        const principal = await authenticate(credentials, services.access.view, services.tokens)
        requireScope(principal, 'sync:read')
        if (open.size >= config.sockets)
          throw new DomainError('UNAVAILABLE', `${config.sockets} sockets are open, the limit`, { retryAfter: 10 })
        if (services.health.stopping) throw new DomainError('UNAVAILABLE', 'the service is stopping', { retryAfter: 5 })
        if (exchange.aborted) return
        const data = { principal, session: undefined, name: `socket-${sockets++}` }
        res.cork(() => res.upgrade<Data>(data, key, protocol, extensions, context))
      } catch (error) {
        const { status, headers, body } = problemOf(error, exchange.requestId)
        exchange.send(status, JSON.stringify(body), { 'Content-Type': 'application/json', ...headers })
      }
    },
    open(ws) {
      open.add(ws)
      metrics.sockets.set(open.size)
      const data = ws.getUserData()
      data.session = createSession(services, hub, connectionOf(ws, open), data.principal)
    },
    async message(ws, bytes) {
      const { session, name } = ws.getUserData()
      const text = Buffer.from(bytes.slice(0)).toString()
      const state = await limits.consume(name, config.rateLimitWs)
      if (!open.has(ws)) return
      if (!state.allowed) return ws.end(CLOSE.rate, `more than ${state.limit} messages in a minute`)
      await session!.onMessage(text)
    },
    drain: ws => ws.getUserData().session?.onDrain(),
    dropped: (ws, bytes) => ws.getUserData().session?.onDropped(before(Buffer.from(bytes).toString())),
    close(ws) {
      open.delete(ws)
      metrics.sockets.set(open.size)
      ws.getUserData().session?.end()
    },
  })

  /** The position just before a message that was dropped: its own, without the event it tells of. */
  function before(text: string): string {
    const { position, payload } = JSON.parse(text) as {
      position: string
      payload: { table?: string; record_id?: string }
    }
    const offsets = new Map(decodePosition(position, log.id, 'position').offsets)
    const streams = log.streams(SOURCES)
    const key = Buffer.from(recordKey(payload.table ?? '', payload.record_id ?? ''))
    const name = offsets.has(TOTAL_ORDER) ? TOTAL_ORDER : streams[partitionOf(key, streams.length)]!.name
    offsets.set(name, offsets.get(name)! - 1)
    return encodePosition({ log: log.id, offsets })
  }

  const looking = setInterval(() => {
    for (const ws of open)
      if (ws.getUserData().principal.gone()) ws.end(CLOSE.token, 'the token has expired or was revoked')
  }, LOOK_FOR_REVOKED_MS)

  return {
    async stop() {
      clearInterval(looking)
      for (const ws of [...open]) ws.end(CLOSE.shutdown, 'the service is stopping')
      await hub.stop()
    },
  }
}

function connectionOf(ws: WebSocket<Data>, open: ReadonlySet<WebSocket<Data>>) {
  return {
    send: (text: string) => void (open.has(ws) && ws.send(text)),
    buffered: () => (open.has(ws) ? ws.getBufferedAmount() : 0),
    listen: (topic: string) => void (open.has(ws) && ws.subscribe(topic)),
    unlisten: (topic: string) => void (open.has(ws) && ws.unsubscribe(topic)),
    close: (code: number, reason: string) => void (open.has(ws) && ws.end(code, reason)),
  }
}
