import { DomainError } from '../../kernel/errors.ts'
import { followEvents } from '../history/follow.ts'
import { askedOf, earliestAfter, endsOf, placesOf, readRange } from '../history/range.ts'
import type { Asked, Context } from './context.ts'
import { ResyncRequired } from './errors.ts'
import { EVENT_ARGS, eventSource } from './events.ts'

interface FeedArgs {
  readonly topic?: readonly string[] | null
  readonly type?: readonly string[] | null
  readonly key?: string | null
  readonly since?: string | null
}

export const eventFeedTypes = `
  extend type Subscription {
    """What happens, in the order it is taken in; after a position or a time, what has happened since then comes first."""
    events(${EVENT_ARGS},
      """The position or time to begin after; with the position of the last one that came nothing is missed."""
      since: String
    ): Event!
  }`

/** The events that are asked for, as they come. Rejects with what is wrong with what was asked. */
async function follow(args: FeedArgs, asked: Asked) {
  const { services, principal } = asked.request
  const { log, codec, history } = services
  const { topic, type, key } = args
  const wanted = askedOf({ topics: topic ?? [], types: type ?? [], key: key ?? undefined }, principal)
  const since = args.since ? { field: 'since', text: args.since } : undefined
  const ends = since ? undefined : await endsOf(log, wanted.topics)
  const range = ends ? { after: ends, through: ends } : await readRange(log, wanted.topics, since)
  const leave = history.follow()
  const over = new AbortController()
  let place: string | undefined

  async function* events() {
    try {
      const following = { log, codec, ends: history.ends, asked: wanted, range, to: undefined, signal: over.signal }
      for await (const seen of followEvents(following)) {
        if (over.signal.aborted) return
        for (const { position, event } of seen) {
          place = position
          if (event === undefined) continue
          asked.restart()
          yield { events: eventSource({ position, event }) }
        }
      }
    } catch (error) {
      throw await told(error)
    } finally {
      leave()
    }
  }

  /** Retention was faster than the client. */
  async function told(error: unknown): Promise<unknown> {
    if (!(error instanceof DomainError) || error.code !== 'GONE') return error
    const from = place === undefined ? range.after : await placesOf(log, wanted.topics, { field: 'since', text: place })
    const earliest = (await earliestAfter(log, wanted.topics, from))?.position ?? place ?? null
    return new ResyncRequired('GONE', error.message, { code: 'not_kept', from: earliest, position: earliest })
  }

  const running = events()
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => running.next(),
      return() {
        over.abort()
        // One that was never asked for anything has not begun, and would not end.
        leave()
        return running.return(undefined)
      },
    }),
  }
}

export const eventFeedResolvers = {
  Subscription: {
    events: {
      subscribe: (_: unknown, args: FeedArgs, { asked }: Context) => follow(args, asked),
    },
  },
}
