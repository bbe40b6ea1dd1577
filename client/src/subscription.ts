import { after, backoff, isRefusal, type Retry, SyncError } from './endings.ts'
import { type Ending, type Link, openLink, type WebSocketClass } from './link.ts'
import { type Filters, type Gap, type Incoming, isContinued, isTold, type Message } from './messages.ts'
import { createQueue } from './queue.ts'
import { createRepeats } from './repeats.ts'

/** How a subscription stands. */
export type Status =
  /** A connection is being made. */
  | { readonly state: 'connecting' }
  /** What came after `since`, or after the last message, is on its way. */
  | { readonly state: 'catching_up' }
  /** Nothing of the past has come for a second, or what comes is new. */
  | { readonly state: 'live' }
  /** The service had more for us than we took; it goes on from there, and nothing is missed. */
  | { readonly state: 'behind'; readonly reason: string }
  /** Messages are not taken as fast as they come: the connection is closed until half of them are. */
  | { readonly state: 'paused' }
  /** The connection is over, and is tried again in `ms`. */
  | { readonly state: 'waiting'; readonly reason: string; readonly ms: number }
  /** It is over: by `close`, or by an error that the loop throws. */
  | { readonly state: 'closed'; readonly error: Error | undefined }

export interface SubscribeOptions {
  readonly filters?: Filters
  /** Continue after this position; without it, only what is new. */
  readonly since?: string
  readonly onStatus?: (status: Status) => void
  /** Most messages that wait to be taken; 10,000 by default. */
  readonly maxQueued?: number
}

/** Messages in order, each once, or a `gap`. One loop reads it; leaving the loop closes it. */
export interface Subscription extends AsyncIterableIterator<Message> {
  /** The position of the last message that was taken: `since` for another time. */
  readonly position: string | undefined
  close(): void
}

/** What all subscriptions of a client share. */
export interface Connecting {
  readonly url: string
  readonly token: string | (() => string | Promise<string>)
  readonly webSocket: WebSocketClass
  readonly retry: Retry
}

const MAX_QUEUED = 10_000
const QUIET_MS = 1000
/** After so many failures in a row a try is made to find out why. */
const ASK_WHY = 3
/** The code of a `resync_required` for a client that was slow; any other is a gap. */
const SLOW = 'slow'

export function openSubscription(
  connecting: Connecting,
  options: SubscribeOptions,
  onClosed: () => void,
): Subscription {
  const { url, token, webSocket, retry } = connecting
  const { filters = {}, onStatus = () => undefined, maxQueued = MAX_QUEUED } = options
  const queue = createQueue<Message>(maxQueued)
  const repeats = createRepeats(options.since)
  /** What was put in the queue, and what was taken out of it. */
  let reached = options.since
  let position = options.since
  let state: Status['state'] | undefined
  let link: Link | undefined
  /** Counts connections, so that what is late for one of before is not taken for this one's. */
  let attempt = 0
  let failures = 0
  let subscribed = false
  /** In the service's time. */
  let subscribedAt = ''
  let timer: ReturnType<typeof setTimeout> | undefined

  function tell(status: Status): void {
    if (state === 'closed' || (state === status.state && state !== 'waiting' && state !== 'behind')) return
    state = status.state
    onStatus(status)
  }

  async function connect(): Promise<void> {
    tell({ state: 'connecting' })
    const mine = ++attempt
    subscribed = false
    let given: string
    try {
      given = typeof token === 'string' ? token : await token()
    } catch (error) {
      if (mine === attempt) wait(`no token: ${(error as Error).message}`, 0)
      return
    }
    if (mine !== attempt) return
    // Why an upgrade was refused no browser tells; an auth message is answered with a close code.
    const inMessage = failures > 0 && failures % ASK_WHY === 0
    const place = inMessage ? url : `${url}?token=${encodeURIComponent(given)}`
    const onOpen = (opened: Link) => {
      if (inMessage) opened.send('auth', { token: given })
      subscribe(opened)
    }
    try {
      link = openLink(webSocket, place, { onOpen, onMessage: take, onEnd })
    } catch (error) {
      // No socket can be made at all: browsers forbid one that is not encrypted to a page that is.
      fail(error as Error)
    }
  }

  function subscribe(on: Link): void {
    on.send('subscribe', { channel: 'sync_updates', filters, ...(reached === undefined ? {} : { since: reached }) })
  }

  function onEnd(ending: Ending): void {
    const next = after(ending, typeof token === 'string')
    if (next instanceof SyncError) fail(next)
    else wait(ending.reason || `the connection has ended (${ending.code})`, next)
  }

  function wait(reason: string, least: number): void {
    disconnect()
    failures++
    const ms = Math.max(least, backoff(failures, retry))
    tell({ state: 'waiting', reason, ms })
    timer = setTimeout(connect, ms)
  }

  function disconnect(): void {
    attempt++
    clearTimeout(timer)
    link?.close()
    link = undefined
  }

  function take(message: Incoming, length: number): void {
    if (isTold(message)) deliver(message, length)
    else if (message.type === 'subscribed') onSubscribed(message)
    else if (message.type === 'resync_required') onResync(message.payload)
    else if (message.type === 'token_expiring') void refresh(link!)
    else if (message.type === 'error') onError(message.payload)
  }

  function deliver(message: Exclude<Message, Gap>, length: number): void {
    if (isContinued(message) && !repeats.isNew(message.position, attempt)) return
    reached = message.position
    if (state === 'catching_up') pastOrNew(message.timestamp)
    queue.put(message, length)
    if (!queue.full) return
    disconnect()
    tell({ state: 'paused' })
  }

  function onSubscribed({ timestamp, payload }: Incoming): void {
    const { position, recovered } = payload
    subscribedAt = timestamp
    subscribed = true
    failures = 0
    reached ??= position as string
    tell({ state: recovered ? 'catching_up' : 'live' })
    if (recovered) untilQuiet()
  }

  function untilQuiet(): void {
    clearTimeout(timer)
    timer = setTimeout(() => tell({ state: 'live' }), QUIET_MS)
  }

  function pastOrNew(timestamp: string): void {
    if (timestamp < subscribedAt) return untilQuiet()
    clearTimeout(timer)
    tell({ state: 'live' })
  }

  function onResync({ code, reason, from }: Incoming['payload']): void {
    reached = from as string
    if (code === SLOW) tell({ state: 'behind', reason: String(reason) })
    else {
      repeats.forget()
      queue.put({ type: 'gap', code: code as Gap['code'], reason: String(reason), position: reached }, 0)
    }
    subscribe(link!)
  }

  function onError({ code, message }: Incoming['payload']): void {
    if (!subscribed && isRefusal(String(code))) fail(new SyncError(String(code), String(message)))
    else wait(String(message), 0)
  }

  /** A token that cannot be had now is asked for again when this one has ended. */
  async function refresh(on: Link): Promise<void> {
    if (typeof token === 'string') return
    const mine = attempt
    const next = await Promise.resolve(token()).catch(() => undefined)
    if (next !== undefined && mine === attempt) on.send('refresh', { token: next })
  }

  function fail(error: Error): void {
    disconnect()
    queue.end(error)
    tell({ state: 'closed', error })
    onClosed()
  }

  function close(): void {
    disconnect()
    queue.drop()
    tell({ state: 'closed', error: undefined })
    onClosed()
  }

  // Not before the caller has it in hand.
  queueMicrotask(() => {
    if (state === undefined) void connect()
  })
  return {
    get position() {
      return position
    },
    close,
    async next() {
      const message = await queue.take()
      if (message === undefined) return { done: true, value: undefined }
      position = message.position
      if (state === 'paused' && queue.roomy) void connect()
      return { done: false, value: message }
    },
    async return() {
      close()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
