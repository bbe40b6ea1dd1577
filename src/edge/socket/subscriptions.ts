import { z } from 'zod'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { encodePosition, type Position } from '../../kernel/position.ts'
import { isBeyondEnd } from '../../log/ends.ts'
import { newId } from '../../log/new-id.ts'
import { check } from '../body.ts'
import { readPosition } from '../positions.ts'
import type { Services } from '../services.ts'
import { earlier, placeBefore } from './changes.ts'
import type { Connection } from './connection.ts'
import { type FilterSpec, filterSchema } from './filter.ts'
import type { Group } from './groups.ts'
import { createHearing } from './hearing.ts'
import type { Hub } from './hub.ts'
import { isProgress, message } from './messages.ts'
import { createResuming } from './resuming.ts'
import { earliestKept } from './retention.ts'

export const CHANNEL = 'sync_updates'
/** What may wait for a client that is sent the past: enough for it to have something to read always, and no more. */
const ROOM_BYTES = 262_144

interface Subscription {
  readonly id: string
  readonly group: Group
  /** Where it stands until it begins to catch up: it may lie ahead of the hub. */
  since: string | undefined
  /** Catches up with what came before. */
  resuming: boolean
  /** Gets what is new. */
  live: boolean
  /** What came after this position did not get through: the client has yet to be told. */
  lostAfter: string | undefined
  ended: boolean
}

/** Why a subscription has to begin again elsewhere, for programs. */
type ResyncCode = 'slow' | 'other_log' | 'beyond_end' | 'not_kept'

/** What one client has subscribed to. */
export interface Subscriptions {
  /** Answers a `subscribe`, an `unsubscribe`. What is wrong with a field is said of the one in `within`. */
  subscribe(payload: unknown, within?: string): Promise<void>
  unsubscribe(payload: unknown): void
  /** The position that includes nothing this client has yet to get. */
  standing(): string
  /** The buffer has become emptier: who waits for room goes on, and who lost messages is told so. */
  goOn(): void
  /** A message that was published could not be buffered; `leave` is called before the next one is. */
  onDropped(text: string): void
  /**
   * Lets go of the topics of which a message was dropped. Not from within `onDropped`: uWebSockets.js is walking over the
   * topic's sockets then, and crashes when one leaves. Not much later either: it writes out what waits with whatever it
   * had taken before the drop, and there may be room again for the messages after the one that was missed.
   */
  leave(): void
  end(): void
}

export const subscribeSchema = z.strictObject({
  channel: z.string().optional(),
  filters: filterSchema.optional(),
  since: z.string().optional(),
  subscription_id: z.string().min(1).max(100).optional(),
})
export const unsubscribeSchema = z.strictObject({
  channel: z.string().optional(),
  subscription_id: z.string().max(100).optional(),
})

export function createSubscriptions(
  services: Services,
  hub: Hub,
  connection: Connection,
  send: (type: string, payload: object) => void,
  sendError: (error: unknown) => void,
): Subscriptions {
  const { metrics, config, log } = services
  const subscriptions = new Map<string, Subscription>()
  let waitingForRoom: (() => void)[] = []
  let ended = false
  const resuming = createResuming(services, hub, {
    send: connection.sendAll,
    hasRoom: () => !isOwed() && hasRoom(),
    room: () => new Promise(resolve => waitingForRoom.push(resolve)),
    onLive() {
      for (const subscription of subscriptions.values()) {
        subscription.live ||= subscription.resuming
        subscription.resuming = false
      }
      settle()
    },
    onLost(after) {
      for (const subscription of subscriptions.values())
        if (subscription.resuming) lose(subscription, after.get(subscription.group)!)
      settle()
    },
    onFailed(error) {
      if (!(error instanceof DomainError)) services.logger.error({ err: error }, 'catching up failed')
      sendError(error)
      for (const subscription of [...subscriptions.values()]) if (subscription.resuming) endSubscription(subscription)
    },
  })

  const hearing = createHearing(hub, log, connection, { standing, hasRoom, onLost: loseLive })

  /** `also`: where the client is to go on with what it has not subscribed to yet, or no longer. */
  function standing(also?: string): string {
    let standing = also
    for (const { lostAfter, since, resuming: catching } of subscriptions.values()) {
      const stands = lostAfter ?? since ?? (catching ? resuming.position() : undefined) ?? hub.position()
      standing = standing === undefined ? stands : earlier(log, standing, stands)
    }
    return standing ?? hub.position()
  }

  function hasRoom(): boolean {
    return connection.buffered() < Math.min(config.socketBufferBytes / 2, ROOM_BYTES)
  }

  /** Whether the client has yet to be told of messages that it lost, before it is sent what comes after those. */
  const isOwed = () => [...subscriptions.values()].some(({ lostAfter }) => lostAfter !== undefined)

  function settle(): void {
    const live = new Set(ended ? [] : [...subscriptions.values()].flatMap(each => (each.live ? each.group : [])))
    hearing.set(live, resuming.active || isOwed())
  }

  async function subscribe(payload: unknown, within = 'payload'): Promise<void> {
    const { channel, filters = {}, since: asked, subscription_id } = check(payload, subscribeSchema, within)
    const fieldOf = (name: string) => (within ? `${within}.${name}` : name)
    requireChannel(channel, fieldOf('channel'))
    const from = asked === undefined ? undefined : await readSince(asked, fieldOf('since'))
    if (ended) return
    if (from === 'other log') {
      const reason = 'the position belongs to another log; subscribe without since, or from a position of this one'
      return sendEnd('other_log', reason, subscription_id)
    }
    if (from && (await isBeyondEnd(log, from))) {
      const reason = 'the position lies beyond the end of the log, which was put back to an earlier state'
      return sendEnd('beyond_end', reason, subscription_id)
    }
    const kept = from && (await earliestKept(services, from))
    if (ended) return
    if (kept) {
      const reason = 'changes after the position are no longer kept; from is the earliest position that is still there'
      return void sendResync('not_kept', reason, kept, subscription_id)
    }
    const since = from && encodePosition(from)
    const id = subscription_id ?? newId('sub', 8)
    if (subscriptions.has(id)) throw new DomainError('CONFLICT', `subscription_id ${id} is in use on this socket`)
    if (subscriptions.size >= config.subscriptions)
      throw new DomainError('CONFLICT', `more than ${config.subscriptions} subscriptions`)
    const group = hub.join(filters satisfies FilterSpec)
    const state = { resuming: false, live: false, lostAfter: undefined, ended: false }
    const subscription: Subscription = { id, group, since, ...state }
    subscriptions.set(id, subscription)
    metrics.subscriptions.inc()
    await hub.start().catch(error => {
      endSubscription(subscription)
      throw error
    })
    if (ended || subscription.ended) return
    const position = since ?? hub.position()
    send('subscribed', { subscription_id: id, channel: CHANNEL, position, recovered: from !== undefined })
    if (from === undefined) subscription.live = true
    else resume(subscription, from)
    settle()
  }

  async function readSince(since: string, field: string): Promise<Position | 'other log'> {
    try {
      return await readPosition(log, since, field)
    } catch (error) {
      const refused = error instanceof DomainError && error.code === 'VALIDATION_ERROR'
      if (refused && since.includes('~') && !since.startsWith(`${log.id}~`)) return 'other log'
      throw error
    }
  }

  function sendResync(code: ResyncCode, reason: string, from: string, id: string | undefined): boolean {
    const about = id === undefined ? {} : { subscription_id: id }
    const payload = { code, reason, from, position: from }
    return connection.send(message('resync_required', payload, standing(from), about))
  }

  /** Sends a client whose position is none of this log's to where this log ends; nobody knows while nobody listens. */
  async function sendEnd(code: ResyncCode, reason: string, id: string | undefined): Promise<void> {
    const listening = hub.join({})
    await hub.start().finally(() => hub.leave(listening))
    if (!ended) sendResync(code, reason, hub.position(), id)
  }

  function resume(subscription: Subscription, from: Position): void {
    const reached = resuming.add(subscription.group, from)
    subscription.resuming = true
    subscription.since = undefined
    reached.catch(error => {
      services.logger.error({ err: error }, 'looking for a position failed')
      if (ended || !subscription.resuming) return
      endSubscription(subscription)
      sendError(error)
    })
  }

  /** What was missed is in the log: once there is room the client is told where to continue, in its own time. */
  function lose(subscription: Subscription, after: string): void {
    subscription.live = false
    subscription.resuming = false
    subscription.lostAfter = after
    metrics.resyncs.inc()
  }

  function loseLive(after: string): void {
    for (const subscription of subscriptions.values()) if (subscription.live) lose(subscription, after)
    settle()
  }

  function tellLost(): void {
    const reason = `the client was slow: more than ${config.socketBufferBytes} bytes waited for it`
    for (const subscription of [...subscriptions.values()]) {
      if (subscription.lostAfter === undefined) continue
      if (!hasRoom() || !sendResync('slow', reason, subscription.lostAfter, subscription.id)) return
      endSubscription(subscription)
    }
  }

  function goOn(): void {
    if (ended) return
    tellLost()
    if (isOwed() || !hasRoom()) return
    const wake = waitingForRoom
    waitingForRoom = []
    for (const resolve of wake) resolve()
  }

  function endSubscription(subscription: Subscription): void {
    if (subscription.ended) return
    const { group } = subscription
    subscription.ended = true
    subscriptions.delete(subscription.id)
    metrics.subscriptions.dec()
    const shared = [...subscriptions.values()].some(other => other.resuming && other.group === group)
    if (subscription.resuming && !shared) resuming.drop(group)
    subscription.resuming = false
    settle()
    hub.leave(group)
  }

  function unsubscribe(payload: unknown): void {
    const { channel, subscription_id } = check(payload, unsubscribeSchema, 'payload')
    requireChannel(channel, 'payload.channel')
    const chosen = [...subscriptions.values()].filter(
      ({ id }) => subscription_id === undefined || id === subscription_id,
    )
    if (subscription_id !== undefined && chosen.length === 0) {
      throw new DomainError('NOT_FOUND', `there is no subscription ${subscription_id} on this socket`)
    }
    // Sent first: what has been published and not yet written goes out before it.
    send('unsubscribed', {
      channel: CHANNEL,
      subscription_ids: chosen.map(({ id }) => id),
      ...(subscription_id ? { subscription_id } : {}),
    })
    for (const subscription of chosen) endSubscription(subscription)
  }

  return {
    subscribe,
    unsubscribe,
    standing: () => standing(),
    goOn,
    leave: settle,
    onDropped(text) {
      const listening = [...subscriptions.values()].filter(({ live }) => live)
      if (listening.length === 0 || isProgress((JSON.parse(text) as { type: string }).type)) return
      const after = placeBefore(log, text)
      for (const subscription of listening) lose(subscription, after)
    },
    end() {
      ended = true
      resuming.stop()
      for (const resolve of waitingForRoom) resolve()
      for (const subscription of [...subscriptions.values()]) endSubscription(subscription)
    },
  }
}

function requireChannel(channel: string | undefined, field: string): void {
  if (channel !== undefined && channel !== CHANNEL)
    throw invalid(field, `expected ${CHANNEL}, got ${channel.slice(0, 100)}`)
}
