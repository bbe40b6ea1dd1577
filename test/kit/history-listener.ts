import { call, NDJSON, type Target } from './api.ts'
import { type EventListener, openEventsAt } from './event-streams.ts'
import { until } from './processes.ts'

/** An event of the history, as the API gives it. */
export interface HistoryEvent {
  id: string
  topic: string
  type: string
  key: string
  position: string
  time: string
  payload: Record<string, unknown>
}

/** All events that a query asks for, as NDJSON has them. */
export async function readHistory(target: Target, query: string): Promise<HistoryEvent[]> {
  const headers = { accept: NDJSON['content-type'] }
  const { status, text } = await call(target, `/events?${query}`, { headers })
  if (status !== 200) throw new Error(`${status} ${text}`)
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

export interface HistoryListener extends Pick<EventListener, 'pause' | 'resume' | 'close' | 'closed'> {
  readonly status: number
  /** All that came, as it came. */
  readonly text: string
  /** Events that were told so far. */
  told(): HistoryEvent[]
  /** What else was told: its name and data. */
  others(): { name: string; id: string | undefined; data: Record<string, unknown> }[]
  untilTold(count: number, ms?: number): Promise<HistoryEvent[]>
}

/** Listens to the history; `query` is without its question mark. */
export async function listenToHistory(
  target: Target,
  query: string,
  how: { headers?: Record<string, string>; as?: string | null } = {},
): Promise<HistoryListener> {
  const stream = await openEventsAt(target, `/events?${query}`, how)
  const all = () => stream.events.map(({ id, name, data }) => ({ id, name, data: JSON.parse(data) }))
  const told = () =>
    all()
      .filter(({ name }) => name === undefined)
      .map(({ id, data }) => {
        if (id !== data.position) throw new Error(`the event at ${data.position} has the id ${id}`)
        return data as HistoryEvent
      })
  return {
    ...stream,
    get text() {
      return stream.text
    },
    told,
    others: () => all().filter(({ name }) => name !== undefined) as ReturnType<HistoryListener['others']>,
    untilTold: (count, ms) =>
      until(`${count} events to be told`, () => stream.events.length >= count && told(), ms).catch(error => {
        throw new Error(`${error.message}, got ${stream.events.length}: ${stream.text.slice(-1000)}`)
      }),
  }
}
