import { WebSocket } from 'ws'
import { connect, type Message, type Subscription } from '../../client/src/index.ts'
import type { Subscriber, Told } from './subscriber.ts'

/** How it reads slowly: its socket is not read, or its loop takes nothing. */
export type Slowness = 'socket' | 'loop'

/** Few, so that a loop that takes nothing soon has a full queue. */
const MAX_QUEUED = 300

/** Our client, as one who counts on it would use it: it connects once, and what happens to connections is not its business. */
export function createClientSubscriber(filters: object, slowness: Slowness): Subscriber {
  const told: Told[] = []
  const errors: string[] = []
  const history: string[] = []
  let position: string | undefined
  let resyncs = 0
  let socket: WebSocket | undefined
  let close: () => Promise<void> = async () => undefined
  /** Whether its sockets are not read, and what its loop waits for. */
  let unread = false
  let paused: PromiseWithResolvers<void> | undefined

  class Watched extends WebSocket {
    constructor(url: string) {
      super(url)
      socket = this
      this.on('open', () => unread && this.pause())
    }
  }

  async function read(subscription: Subscription): Promise<void> {
    for await (const message of subscription) {
      await paused?.promise
      take(message)
    }
  }

  function take(message: Message): void {
    position = message.position
    if (message.type === 'gap') errors.push(JSON.stringify(message))
    if (message.type !== 'record_change') return
    const { operation, table, record_id, changes } = message.payload
    told.push({ position, operation, dataset: table, id: record_id, changes: JSON.stringify(changes) })
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
    connect({ url, token }) {
      const answered = Promise.withResolvers<void>()
      const client = connect({ url, token: () => token, webSocket: Watched, retry: { first: 50, most: 1000 } })
      const subscription = client.subscribe({
        filters,
        ...(position === undefined ? {} : { since: position }),
        maxQueued: MAX_QUEUED,
        onStatus(status) {
          history.push(`after ${told.length} changes: ${JSON.stringify(status)}`)
          if (status.state === 'behind' || status.state === 'paused') resyncs++
          if (status.state === 'live' || status.state === 'catching_up') answered.resolve()
        },
      })
      const over = read(subscription).catch(error => void errors.push(String(error)))
      close = () => {
        client.close()
        return over
      }
      return answered.promise
    },
    pause() {
      if (slowness === 'loop') {
        paused ??= Promise.withResolvers()
        return
      }
      unread = true
      socket?.pause()
    },
    resume() {
      unread = false
      socket?.resume()
      paused?.resolve()
      paused = undefined
    },
    cut: () => socket?.terminate(),
    disconnect: () => close(),
  }
}
