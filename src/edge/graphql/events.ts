import { MOST_LOOKED_AT, readEvents, type Seen } from '../history/events.ts'
import { askedOf, readRange } from '../history/range.ts'
import { connectionOf, connectionTypes, type Edge, PAGE_ARGS, type PageArgs, wanted } from './connections.ts'
import type { Context } from './context.ts'
import { JsonText } from './json.ts'

interface EventsArgs extends PageArgs {
  readonly topic?: readonly string[] | null
  readonly type?: readonly string[] | null
  readonly key?: string | null
  readonly from?: string | null
  readonly to?: string | null
}

/** How events are chosen, as SDL. */
export const EVENT_ARGS = `
      """Those of these topics; of all that may be seen unless given."""
      topic: [String!],
      """Those of these types."""
      type: [String!],
      """Those of this key."""
      key: String`

export function eventSource({ event }: Seen & { event: NonNullable<Seen['event']> }) {
  return { ...event, payload: new JsonText(event.payload) }
}

export const eventTypes = `
  extend type Query {
    """
    What happened, in the order it was taken in. A page whose events are rare may have fewer of them than asked for, and
    say that there are more: it looked at as many as one page does.
    """
    events(${PAGE_ARGS},${EVENT_ARGS},
      """The position or time to begin after."""
      from: String,
      """The position or time to end with."""
      to: String
    ): EventConnection
  }
  """Something that happened."""
  type Event {
    """Its id."""
    id: ID!
    """The topic it is on."""
    topic: String!
    """What kind of event it is, such as RecordPushed."""
    type: String!
    """What it is about: events of one key are in order."""
    key: String!
    """Its place: give it as from, as since or as asOf."""
    position: String!
    """When it was taken in."""
    time: DateTime!
    """What it says; text that holds JSON is text here as well."""
    payload: JSON!
  }
  ${connectionTypes('Event', 'events')}`

export const eventResolvers = {
  Query: {
    async events(_: unknown, args: EventsArgs, { asked }: Context) {
      const { services, principal, exchange } = asked.request
      const first = wanted(args.first ?? 20, 'first')
      const after = args.after ?? undefined
      const { topic, type, key, from, to } = args
      const wantedEvents = askedOf({ topics: topic ?? [], types: type ?? [], key: key ?? undefined }, principal)
      const begin = after ?? from ?? undefined
      const start = begin === undefined ? undefined : { field: after === undefined ? 'from' : 'after', text: begin }
      const end = typeof to === 'string' ? { field: 'to', text: to } : undefined
      const range = await readRange(services.log, wantedEvents.topics, start, end)
      const edges: Edge<ReturnType<typeof eventSource>>[] = []
      let looked = 0
      let last: string | null = null
      let more = false
      reading: for await (const seen of readEvents(services.log, services.codec, wantedEvents, range, exchange.gone)) {
        for (const { position, event } of seen) {
          if ((event && edges.length === first) || looked === MOST_LOOKED_AT) {
            more = true
            break reading
          }
          looked++
          last = position
          if (!event) continue
          asked.spend(event.payload.length)
          edges.push({ cursor: position, node: eventSource({ position, event }) })
        }
      }
      const connection = connectionOf(edges, { first, after }, more)
      // What was looked at and is none of them is not looked at again.
      return more
        ? { ...connection, pageInfo: { ...connection.pageInfo, endCursor: last ?? begin ?? null } }
        : connection
    },
  },
}
