import { DomainError } from '../../kernel/errors.ts'
import type { Services } from '../services.ts'
import { eventOf } from './event-stream.ts'
import { createHub, type Hub } from './hub.ts'
import { createTurns, type Turns } from './turns.ts'

const LOOK_MS = 1000

/** An event stream, as live sees it. */
export interface Listener {
  /** A message that was published, as an event and as text. */
  hear(event: Buffer, text: string): void
  /** Called every second. */
  look(now: number): void
}

/** What WebSockets and event streams share: one hub follows the log for both, and one limit counts both. */
export interface Live {
  readonly hub: Hub
  readonly turns: Turns
  /** Open event streams. */
  readonly streams: Set<Listener>
  listen(topic: string, listener: Listener): void
  unlisten(topic: string, listener: Listener): void
  /** How WebSockets are told; they have topics of their own. */
  publishTo(publish: (topic: string, text: string) => void): void
  /** Throws UNAVAILABLE when so many have connected as may. */
  requireRoom(): void
  /** One more has connected, or one less. */
  enter(): void
  leave(): void
  stop(): Promise<void>
}

export function createLive(services: Omit<Services, 'live'>): Live {
  const { config } = services
  const topics = new Map<string, Set<Listener>>()
  const streams = new Set<Listener>()
  let connected = 0
  let publish: (topic: string, text: string) => void = () => undefined
  const turns = createTurns()
  const hub = createHub(services, turns, (topic, text) => {
    publish(topic, text)
    const listeners = topics.get(topic)
    if (!listeners) return
    const event = eventOf(text)
    for (const listener of listeners) listener.hear(event, text)
  })
  const looking = setInterval(() => {
    const now = Date.now()
    for (const stream of streams) stream.look(now)
  }, LOOK_MS)

  return {
    hub,
    turns,
    streams,
    listen(topic, listener) {
      const listeners = topics.get(topic) ?? new Set()
      topics.set(topic, listeners.add(listener))
    },
    unlisten(topic, listener) {
      const listeners = topics.get(topic)
      if (listeners?.delete(listener) && listeners.size === 0) topics.delete(topic)
    },
    publishTo(each) {
      publish = each
    },
    requireRoom() {
      if (connected < config.sockets) return
      const message = `${config.sockets} sockets and event streams are open, the limit`
      throw new DomainError('UNAVAILABLE', message, { retryAfter: 10 })
    },
    enter: () => void connected++,
    leave: () => void connected--,
    stop() {
      clearInterval(looking)
      return hub.stop()
    },
  }
}
