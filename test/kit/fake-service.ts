import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { until } from './processes.ts'

/** One connection to a made-up service. */
export interface Visit {
  /** The token in its URL. */
  readonly token: string | null
  /** What the client has said so far. */
  readonly said: { type: string; payload?: Record<string, unknown> }[]
  /** What it said last with this type. */
  heard(type: string): Promise<Record<string, unknown>>
  send(type: string, payload: object, position?: string): void
  /** Answers the subscription. */
  subscribed(position: string, recovered?: boolean): Promise<void>
  /** A change of the record that has the number of its position. */
  change(position: string, timestamp?: string): void
  /** Ends the subscription: it continues from `from`. */
  resync(code: string, reason: string, from: string): void
  close(code: number, reason?: string): void
  /** Cuts it off without a close code. */
  cut(): void
  readonly closed: Promise<number>
}

/** A service that says what a test wants, to any number of connections. */
export interface FakeService {
  readonly url: string
  readonly visits: readonly Visit[]
  /** The next upgrades are refused with these statuses. */
  readonly refusals: number[]
  visit(number: number): Promise<Visit>
  stop(): Promise<void>
}

const TIME = '2026-01-01T00:00:00.000Z'

export async function startFakeService(): Promise<FakeService> {
  const visits: Visit[] = []
  const refusals: number[] = []
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient(_info, answer) {
      const status = refusals.shift()
      answer(status === undefined, status)
    },
  })
  await new Promise(resolve => server.on('listening', resolve))
  server.on('connection', (socket, request) => visits.push(visitOf(socket, request)))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1/sync`,
    visits,
    refusals,
    visit: (number: number) => until(`connection ${number}`, () => visits[number]),
    async stop() {
      for (const client of server.clients) client.terminate()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function visitOf(socket: WebSocket, { url }: IncomingMessage): Visit {
  const said: Visit['said'] = []
  socket.on('message', data => said.push(JSON.parse(data.toString())))
  const send = (type: string, payload: object, position = 'none', timestamp = TIME) =>
    socket.send(JSON.stringify({ type, payload, timestamp, position }))
  const visit: Visit = {
    token: new URL(url!, 'http://any').searchParams.get('token'),
    said,
    heard: type =>
      until(`the client to say ${type}`, () => said.findLast(each => each.type === type)).then(
        ({ payload = {} }) => payload,
      ),
    send,
    async subscribed(position, recovered = false) {
      await visit.heard('subscribe')
      send('subscribed', { subscription_id: 'sub_1', channel: 'sync_updates', position, recovered }, position)
    },
    change(position, timestamp) {
      const payload = { operation: 'create', table: 't', record_id: `r${position}`, changes: {} }
      send('record_change', payload, position, timestamp)
    },
    resync: (code, reason, from) => send('resync_required', { code, reason, from, position: from }, from),
    close: (code, reason) => socket.close(code, reason),
    cut: () => socket.terminate(),
    closed: new Promise(resolve => socket.on('close', code => resolve(code))),
  }
  return visit
}
