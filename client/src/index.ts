import { socketAddress } from './address.ts'
import { type Retry, SyncError } from './endings.ts'
import type { WebSocketClass } from './link.ts'
import { openSubscription, type SubscribeOptions, type Subscription } from './subscription.ts'

export { SyncError } from './endings.ts'
export type { WebSocketClass } from './link.ts'
export type {
  ConflictDetected,
  ConflictNews,
  ConflictResolved,
  Filters,
  Gap,
  JobStatus,
  Message,
  RecordChange,
  SyncProgress,
} from './messages.ts'
export type { Status, SubscribeOptions, Subscription } from './subscription.ts'

export interface ConnectOptions {
  /** Where the API is: `https://sync.example.com/v1/sync`. */
  readonly url: string
  /** An access token with the scope sync:read or, to outlive one, a function that gets a new one; called for each connection. */
  readonly token: string | (() => string | Promise<string>)
  /** By default the global one, of browsers and Node 22. */
  readonly webSocket?: WebSocketClass
  /** Milliseconds before the first try to connect again, and the most it grows to: 500 and 30,000. */
  readonly retry?: Partial<Retry>
}

export interface Client {
  /** Throws a SyncError once the client is closed. */
  subscribe(options?: SubscribeOptions): Subscription
  /** Closes every subscription, for good. */
  close(): void
}

/** A client of the service at `url`. Each of its subscriptions has a WebSocket of its own. Throws a SyncError when `url` is none. */
export function connect({ url, token, webSocket, retry }: ConnectOptions): Client {
  const open = new Set<Subscription>()
  let closed = false
  const connecting = {
    url: socketAddress(url),
    token,
    webSocket: webSocket ?? globalThis.WebSocket,
    retry: { first: 500, most: 30_000, ...retry },
  }
  return {
    subscribe(options = {}) {
      if (closed) throw new SyncError('CLOSED', 'the client was closed: connect again to subscribe')
      const subscription = openSubscription(connecting, options, () => void open.delete(subscription))
      open.add(subscription)
      return subscription
    },
    close() {
      closed = true
      for (const subscription of open) subscription.close()
    },
  }
}
