import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import type { Target } from './api.ts'
import { until } from './processes.ts'

/** A message of the server. */
export interface Message {
  type: string
  payload: Record<string, unknown>
  timestamp: string
  position: string
  subscription_id?: string
}

/** A WebSocket client that keeps all it was told. */
export interface Listener {
  readonly ws: WebSocket
  /** Every message so far, and the same as text. */
  readonly messages: Message[]
  readonly texts: string[]
  send(type: string, payload?: object): void
  /** Subscribes and waits for the answer. */
  subscribe(payload?: object): Promise<Message>
  /** The first message of this type at index `from` or later. */
  next(type: string, from?: number): Promise<Message>
  /** The changes so far. */
  changes(): Message[]
  /** Waits until a change of this record has come. */
  untilChange(recordId: string, ms?: number): Promise<Message>
  readonly closed: Promise<{ code: number; reason: string }>
  close(): void
}

export interface Connecting {
  /** By default the token goes in the query. */
  query?: string
  headers?: Record<string, string>
}

/** Connects; rejects with what the server answered when it does not take the socket. */
export function listen(target: Target, { query, headers = {} }: Connecting = {}): Promise<Listener> {
  const url = target.url.replace(/^http/, 'ws')
  const ws = new WebSocket(`${url}/ws${query ?? `?token=${target.token}`}`, { headers })
  const messages: Message[] = []
  const texts: string[] = []
  ws.on('message', data => {
    const text = data.toString()
    texts.push(text)
    messages.push(JSON.parse(text))
  })
  let state = 'open'
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    ws.on('close', (code, reason) => {
      state = `closed with ${code} ${reason}`
      resolve({ code, reason: reason.toString() })
    })
  })
  const changes = () => messages.filter(({ type }) => type === 'record_change')
  const listener: Listener = {
    ws,
    messages,
    texts,
    send: (type, payload) => ws.send(JSON.stringify({ type, ...(payload ? { payload } : {}) })),
    subscribe(payload = {}) {
      const from = messages.length
      listener.send('subscribe', { channel: 'sync_updates', ...payload })
      return listener.next('subscribed', from)
    },
    next(type, from = 0) {
      const found = () => messages.slice(from).find(message => message.type === type)
      return until(`a message of type ${type}`, found, 10_000).catch(error => {
        throw new Error(`${error.message}, ${state}, got ${texts.slice(from, from + 20).join('\n')}`)
      })
    },
    changes,
    untilChange: (recordId, ms = 15_000) =>
      until(`a change of ${recordId}`, () => changes().find(({ payload }) => payload.record_id === recordId), ms),
    closed,
    close: () => ws.terminate(),
  }
  return new Promise((resolve, reject) => {
    ws.on('open', () => resolve(listener))
    ws.on('unexpected-response', (_request, response) => {
      let text = ''
      response.on('data', chunk => {
        text += chunk
      })
      response.on('end', () => reject(new Refused(response, text)))
    })
    ws.on('error', reject)
  })
}

/** What the server answered to an upgrade that it did not make. */
export class Refused extends Error {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  constructor({ statusCode, headers }: IncomingMessage, text: string) {
    super(`the socket was refused: ${statusCode} ${text}`)
    this.status = statusCode!
    this.headers = headers
    this.text = text
  }
}
