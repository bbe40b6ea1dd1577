import { WebSocket } from 'ws'
import type { Service } from './service.ts'

/** A change as a client was told of it. */
export interface Told {
  readonly position: string
  readonly operation: string
  readonly dataset: string
  readonly id: string
  /** The changes as JSON text. */
  readonly changes: string
}

/** A client that knows nothing but the position of the last message it saw. */
export interface Subscriber {
  readonly told: readonly Told[]
  readonly position: string | undefined
  /** How often it was sent back to an earlier position, and errors it was told of. */
  readonly resyncs: number
  readonly errors: readonly string[]
  /** Where each subscription began and what it was answered, for whoever has to find out why a test failed. */
  readonly history: readonly string[]
  /**
   * Connects and subscribes from where it was; resolves when that was answered, or the service has gone. `onEnd` is called
   * when the connection is over that was not to be.
   */
  connect(service: Pick<Service, 'url' | 'token'>, onEnd?: () => void): Promise<void>
  /** Reads nothing from its connection or those to come, or goes on reading. */
  pause(): void
  resume(): void
  /** Breaks the connection off, as a network does. */
  cut(): void
  disconnect(): Promise<void>
}

/** One over a WebSocket, of `ws`. */
export function createSubscriber(filters: object = {}): Subscriber {
  const told: Told[] = []
  const errors: string[] = []
  const history: string[] = []
  let position: string | undefined
  let resyncs = 0
  let socket: WebSocket | undefined
  let paused = false

  function subscribe(on: WebSocket, since: string | undefined): void {
    history.push(`after ${told.length} changes: since ${since}`)
    const payload = { channel: 'sync_updates', filters, ...(since ? { since } : {}) }
    on.send(JSON.stringify({ type: 'subscribe', payload }))
  }

  function take(on: WebSocket, text: string, answered: () => void): void {
    const message = JSON.parse(text)
    const { type, payload } = message
    if (type === 'error') errors.push(text)
    if (type !== 'record_change') history.push(`after ${told.length} changes: ${text}`)
    if (type === 'resync_required') {
      resyncs++
      position = payload.from
      return subscribe(on, position)
    }
    if (type === 'record_change') {
      const { operation, table, record_id, changes } = payload
      told.push({
        position: message.position,
        operation,
        dataset: table,
        id: record_id,
        changes: JSON.stringify(changes),
      })
    }
    position = message.position
    if (type === 'subscribed') answered()
  }

  return {
    told,
    errors,
    history,
    get position() {
      return position
    },
    get resyncs() {
      return resyncs
    },
    connect(service, onEnd = () => undefined) {
      const headers = { authorization: `Bearer ${service.token}` }
      const opened = new WebSocket(`${service.url.replace('http', 'ws')}/ws`, { headers })
      socket = opened
      return new Promise(resolve => {
        opened.on('open', () => {
          subscribe(opened, position)
          if (paused) opened.pause()
        })
        opened.on('message', data => take(opened, data.toString(), resolve))
        opened.on('error', error => {
          history.push(`after ${told.length} changes: ${error}`)
          resolve()
        })
        opened.on('close', (code, reason) => {
          history.push(`after ${told.length} changes: closed with ${code} ${reason}`)
          resolve()
          if (opened === socket) onEnd()
        })
      })
    },
    pause() {
      paused = true
      socket?.pause()
    },
    resume() {
      paused = false
      socket?.resume()
    },
    cut: () => socket?.terminate(),
    async disconnect() {
      const closing = socket
      socket = undefined
      if (!closing || closing.readyState === WebSocket.CLOSED) return
      await new Promise(resolve => {
        closing.on('close', resolve)
        closing.close()
      })
    },
  }
}
