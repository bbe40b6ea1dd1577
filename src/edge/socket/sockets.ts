import type { TemplatedApp, WebSocket } from 'uWebSockets.js'
import { DomainError } from '../../kernel/errors.ts'
import { authenticate, credentialsAnywhere, type Principal, requireScope } from '../auth/authenticate.ts'
import { NO_BODY } from '../bodies.ts'
import { createExchange } from '../exchange.ts'
import { countInWindows, type LimitState, limitHeaders, rateLimited } from '../limits.ts'
import { CLOSE, problemOf } from '../problem.ts'
import { BASE } from '../router.ts'
import type { Services } from '../services.ts'
import { createEntrance, type Listener } from './entrance.ts'
import { createSession, type Session } from './session.ts'
import type { Turns } from './turns.ts'

const MAX_MESSAGE_BYTES = 65_536
/** uWebSockets.js cuts a client off past its limit without a word, so that one is higher. */
const CUT_OFF_BYTES = 1_048_576
const IDLE_SECONDS = 120
const LOOK_MS = 1000
/** How long a client may take to read what waited for it when its socket was to be closed. */
const CLOSING_MS = 30_000
/** Most bytes that a ping or its answer can have (RFC 6455, 5.5): less than any message that is published. */
const MAX_CONTROL_BYTES = 125
/** What `send` answers for a message that the buffer did not take. */
const DROPPED = 2

interface Data {
  /** Who opened it or, where that is for its first message to say, whether its address may have one more request. */
  readonly from: Principal | Promise<LimitState>
  /** What its messages go to: the session, once there is one. */
  listener: Listener | undefined
  session: Session | undefined
  /** What was dropped while something is sent to this one alone, which may write out what was published before. */
  drops: string[] | undefined
  /** Counts a message; false past the limit. */
  readonly count: () => boolean
  /** Whether it has yet to say who it is. */
  waits: boolean
  /** It is closed with these once what waits for it is read. */
  closing: { code: number; reason: string; until: number } | undefined
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
  let waiting = 0

  /** Nobody hears of this socket any more, nor it of anything. */
  function letGo(data: Data): void {
    if (data.waits) waiting--
    data.waits = false
    data.listener?.end()
    data.listener = undefined
    data.session = undefined
  }

  /**
   * Closes a socket once its client has read what waits for it. uWebSockets.js would do it at once: it drops the close code
   * when too much waits already, and forgets the socket while it still holds all of that.
   */
  function close(ws: WebSocket<Data>, code: number, reason: string): void {
    const data = ws.getUserData()
    if (data.closing) return
    if (ws.getBufferedAmount() === 0) return void ws.end(code, reason)
    data.closing = { code, reason, until: Date.now() + CLOSING_MS }
    for (const topic of ws.getTopics()) ws.unsubscribe(topic)
    letGo(data)
  }

  /** What is done every second. */
  function look(ws: WebSocket<Data>): void {
    const { closing, listener } = ws.getUserData()
    if (closing && Date.now() > closing.until) ws.close()
    else listener?.look()
  }

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
        const credentials = credentialsAnywhere(exchange)
        const found = credentials && authenticate(credentials, services.access, services.tokens)
        const late = found instanceof Promise
        const principal = late ? await found : found
        if (principal) requireScope(principal, 'sync:read')
        live.requireRoom()
        if (services.health.stopping) throw new DomainError('UNAVAILABLE', 'the service is stopping', { retryAfter: 5 })
        if (!principal && waiting >= config.waitingSockets) throw tooManyWait(config.waitingSockets)
        if (exchange.aborted) return
        const from = principal ?? limits.consume(`api ${exchange.ip}`, config.rateLimitApi)
        const count = countInWindows(config.rateLimitWs)
        const none = { listener: undefined, session: undefined, drops: undefined, closing: undefined }
        const data = { from, ...none, count, waits: principal === undefined }
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
      const connection = connectionOf(ws, open, turns, missed, close)
      const begin = (principal: Principal) => {
        data.session = createSession(services, hub, connection, principal)
        data.listener = data.session
        return data.session
      }
      if (!(data.from instanceof Promise)) return void begin(data.from)
      waiting++
      data.listener = createEntrance(services, connection, data.from, principal => {
        waiting--
        data.waits = false
        const session = begin(principal)
        session.welcome()
        return session
      })
    },
    message(ws, bytes, isBinary) {
      const { listener, count } = ws.getUserData()
      if (!listener) return
      if (bytes.byteLength > MAX_MESSAGE_BYTES) return close(ws, CLOSE.tooLarge, `more than ${MAX_MESSAGE_BYTES} bytes`)
      if (!count()) return close(ws, CLOSE.rate, `more than ${config.rateLimitWs} messages in a minute`)
      listener.onMessage(isBinary ? undefined : Buffer.from(bytes).toString())
    },
    drain(ws) {
      const { closing, session } = ws.getUserData()
      session?.onDrain()
      if (closing && ws.getBufferedAmount() === 0) ws.end(closing.code, closing.reason)
    },
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
      letGo(ws.getUserData())
    },
  })

  const looking = setInterval(() => {
    for (const ws of open) look(ws)
  }, LOOK_MS)

  return {
    async stop() {
      clearInterval(looking)
      for (const ws of [...open]) ws.end(CLOSE.shutdown, 'the service is stopping')
      await live.stop()
    },
  }
}

function tooManyWait(most: number): DomainError {
  const message = `${most} sockets wait to send their auth message, the limit; connect with a token, or later`
  return new DomainError('UNAVAILABLE', message, { retryAfter: 10 })
}

function connectionOf(
  ws: WebSocket<Data>,
  open: ReadonlySet<WebSocket<Data>>,
  turns: Turns,
  missed: (ws: WebSocket<Data>, text: string) => void,
  close: (ws: WebSocket<Data>, code: number, reason: string) => void,
) {
  /** Sends, and tells of what was published and dropped meanwhile. */
  function send(messages: readonly (string | Buffer)[]): number {
    if (!open.has(ws)) return messages.length
    const data = ws.getUserData()
    const drops: string[] = []
    data.drops = drops
    let sent = 0
    while (sent < messages.length && ws.send(messages[sent]!) !== DROPPED) sent++
    data.drops = undefined
    // The last one is that message itself, of which the answer tells.
    if (sent < messages.length) drops.pop()
    for (const each of drops) missed(ws, each)
    return sent
  }

  return {
    send: (text: string) => send([text]) === 1,
    sendAll(messages: readonly (string | Buffer)[]) {
      if (!open.has(ws)) return messages.length
      let sent = 0
      ws.cork(() => {
        sent = send(messages)
      })
      return sent
    },
    buffered: () => (open.has(ws) ? ws.getBufferedAmount() : 0),
    listen(topic: string) {
      if (!open.has(ws)) return
      ws.subscribe(topic)
      turns.listens(ws.getTopics().length)
    },
    unlisten: (topic: string) => void (open.has(ws) && ws.unsubscribe(topic)),
    close: (code: number, reason: string) => void (open.has(ws) && close(ws, code, reason)),
  }
}
