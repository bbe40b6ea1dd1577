import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { timeOrderedId } from '../../kernel/id.ts'
import { decodePosition, type Position } from '../../kernel/position.ts'
import type { Principal } from '../auth/authenticate.ts'
import { check } from '../body.ts'
import type { Services } from '../services.ts'
import { catchUp } from './catch-up.ts'
import { type FilterSpec, filterSchema } from './filter.ts'
import type { Group, Hub } from './hub.ts'
import { message } from './messages.ts'

export const CHANNEL = 'sync_updates'

/** The socket under a session, whatever library it is made of. */
export interface Connection {
  send(text: string): void
  /** Bytes that the client has not taken yet. */
  buffered(): number
  listen(topic: string): void
  unlisten(topic: string): void
  close(code: number, reason: string): void
}

interface Subscription {
  readonly id: string
  readonly group: Group
  live: boolean
  ended: boolean
}

/** One client's subscriptions. */
export interface Session {
  readonly principal: Principal
  onMessage(text: string): Promise<void>
  /** The buffer has run empty. */
  onDrain(): void
  /** A message could not be buffered: `before` is the position just before it. */
  onDropped(before: string): void
  end(): void
}

const subscribeSchema = z.strictObject({
  channel: z.string().optional(),
  filters: filterSchema.optional(),
  since: z.string().max(100_000).optional(),
  subscription_id: z.string().min(1).max(100).optional(),
})
const unsubscribeSchema = z.strictObject({
  channel: z.string().optional(),
  subscription_id: z.string().max(100).optional(),
})
const messageSchema = z.object({ type: z.string(), payload: z.unknown().optional() })

export function createSession(services: Services, hub: Hub, connection: Connection, principal: Principal): Session {
  const { metrics, config, log } = services
  const subscriptions = new Map<string, Subscription>()
  let waitingForRoom: (() => void)[] = []
  let resyncFrom: string | undefined
  let ended = false

  const send = (type: string, payload: object, id?: string) => {
    connection.send(message(type, payload, hub.position(), id === undefined ? {} : { subscription_id: id }))
  }

  function room(): Promise<void> {
    if (connection.buffered() < config.socketBufferBytes / 2) return Promise.resolve()
    return new Promise(resolve => waitingForRoom.push(resolve))
  }

  async function subscribe(payload: unknown): Promise<void> {
    const { channel, filters = {}, since, subscription_id } = check(payload, subscribeSchema)
    if ((channel ?? CHANNEL) !== CHANNEL)
      throw invalid('payload.channel', `expected ${CHANNEL}, got ${channel!.slice(0, 100)}`)
    const from = since === undefined ? undefined : readSince(since)
    if (from === 'other log') return sendResync(subscription_id)
    const id = subscription_id ?? timeOrderedId('sub', Date.now(), randomBytes(8))
    if (subscriptions.has(id)) throw new DomainError('CONFLICT', `subscription_id ${id} is in use on this socket`)
    if (subscriptions.size >= config.subscriptions)
      throw new DomainError('CONFLICT', `more than ${config.subscriptions} subscriptions`)
    const subscription: Subscription = { id, group: hub.join(filters satisfies FilterSpec), live: false, ended: false }
    subscriptions.set(id, subscription)
    metrics.subscriptions.inc()
    await hub.start().catch(error => {
      endSubscription(subscription)
      throw error
    })
    if (ended || subscription.ended) return
    send('subscribed', {
      subscription_id: id,
      channel: CHANNEL,
      position: hub.position(),
      recovered: from !== undefined,
    })
    if (from === undefined) goLive(subscription)
    else resume(subscription, from)
  }

  function readSince(since: string): Position | 'other log' {
    try {
      return decodePosition(since, log.id, 'payload.since')
    } catch (error) {
      if (since.includes('~') && !since.startsWith(`${log.id}~`)) return 'other log'
      throw error
    }
  }

  function sendResync(subscriptionId: string | undefined): void {
    const reason = 'the position belongs to another log; subscribe without since, or from a position of this one'
    const position = hub.position()
    send('resync_required', { reason, from: position, position }, subscriptionId)
  }

  function resume(subscription: Subscription, from: Position): void {
    const receiver = {
      matches: subscription.group.matches,
      alive: () => !ended && !subscription.ended,
      send: (text: string) => connection.send(text),
      room,
    }
    catchUp(services, hub, from, receiver, () => goLive(subscription)).catch(error => {
      services.logger.error({ err: error }, 'catching up failed')
      if (receiver.alive()) sendError(error)
      endSubscription(subscription)
    })
  }

  function goLive(subscription: Subscription): void {
    subscription.live = true
    const shared =
      [...subscriptions.values()].filter(other => other.live && other.group === subscription.group).length > 1
    if (!shared) connection.listen(subscription.group.topic)
  }

  function endSubscription(subscription: Subscription): void {
    if (subscription.ended) return
    subscription.ended = true
    subscriptions.delete(subscription.id)
    metrics.subscriptions.dec()
    const last = ![...subscriptions.values()].some(other => other.live && other.group === subscription.group)
    if (!ended && subscription.live && last) connection.unlisten(subscription.group.topic)
    hub.leave(subscription.group)
  }

  function unsubscribe(payload: unknown): void {
    const { channel, subscription_id } = check(payload, unsubscribeSchema)
    if ((channel ?? CHANNEL) !== CHANNEL)
      throw invalid('payload.channel', `expected ${CHANNEL}, got ${channel!.slice(0, 100)}`)
    const chosen = [...subscriptions.values()].filter(
      ({ id }) => subscription_id === undefined || id === subscription_id,
    )
    if (subscription_id !== undefined && chosen.length === 0) {
      throw new DomainError('NOT_FOUND', `there is no subscription ${subscription_id} on this socket`)
    }
    for (const subscription of chosen) endSubscription(subscription)
    send('unsubscribed', {
      channel: CHANNEL,
      subscription_ids: chosen.map(({ id }) => id),
      ...(subscription_id ? { subscription_id } : {}),
    })
  }

  function sendError(error: unknown): void {
    const known = error instanceof DomainError
    if (!known) services.logger.error({ err: error }, 'a socket message failed')
    const payload = known
      ? { code: error.code, message: error.message, details: error.details }
      : { code: 'INTERNAL_ERROR', message: 'something went wrong on our side' }
    send('error', payload)
  }

  async function handle(text: string): Promise<void> {
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch {
      throw new DomainError('VALIDATION_ERROR', 'the message is not JSON')
    }
    const { type, payload } = check(parsed, messageSchema)
    if (type === 'subscribe') return subscribe(payload ?? {})
    if (type === 'unsubscribe') return unsubscribe(payload ?? {})
    if (type === 'ping') return send('pong', {})
    throw invalid('type', `"${type.slice(0, 60)}" is none of subscribe, unsubscribe, ping`)
  }

  return {
    principal,
    onMessage: text => handle(text).catch(sendError),
    onDrain() {
      if (resyncFrom !== undefined) {
        // What was missed is in the log: the client continues from there, in its own time.
        const from = resyncFrom
        resyncFrom = undefined
        const reason = `the client was slow: more than ${config.socketBufferBytes} bytes waited for it`
        for (const subscription of [...subscriptions.values()]) {
          send('resync_required', { reason, from, position: from }, subscription.id)
          endSubscription(subscription)
        }
      }
      if (connection.buffered() >= config.socketBufferBytes / 2) return
      const wake = waitingForRoom
      waitingForRoom = []
      for (const resolve of wake) resolve()
    },
    onDropped(before) {
      if (resyncFrom !== undefined) return
      resyncFrom = before
      metrics.resyncs.inc()
      for (const { live, group } of subscriptions.values()) if (live) connection.unlisten(group.topic)
    },
    end() {
      ended = true
      for (const resolve of waitingForRoom) resolve()
      for (const subscription of [...subscriptions.values()]) endSubscription(subscription)
    },
  }
}
