import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { Target } from './api.ts'
import { until } from './processes.ts'
import type { Message } from './sockets.ts'

/** One event as it was sent. */
export interface SentEvent {
  readonly id: string | undefined
  /** Undefined for the usual one, which is "message". */
  readonly name: string | undefined
  readonly data: string
  readonly message: Message
}

/** A client of Server-Sent Events that keeps all it was told. */
export interface EventListener {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly events: readonly SentEvent[]
  /** All that came, as it came. */
  readonly text: string
  changes(): Message[]
  next(type: string): Promise<SentEvent>
  untilChange(recordId: string): Promise<Message>
  pause(): void
  resume(): void
  /** Whether the answer came to its end, or was cut off. */
  readonly closed: Promise<'ended' | 'cut'>
  close(): void
}

interface How {
  headers?: Record<string, string>
  as?: string | null
}

/** Asks for an event stream; `query` is without its question mark. */
export function openEvents(target: Target, query = '', how: How = {}): Promise<EventListener> {
  return openEventsAt(target, `/stream?${query}`, how)
}

/** The same wherever there is one. */
export function openEventsAt(
  target: Target,
  path: string,
  { headers = {}, as = target.token }: How = {},
): Promise<EventListener> {
  const all = { ...(as === null ? {} : { authorization: `Bearer ${as}` }), accept: 'text/event-stream', ...headers }
  return new Promise((resolve, reject) => {
    const request = get(`${target.url}${path}`, { headers: all, agent: false }, response =>
      resolve(listenTo(response, () => request.destroy())),
    )
    request.on('error', reject)
  })
}

function listenTo(response: IncomingMessage, close: () => void): EventListener {
  const events: SentEvent[] = []
  let text = ''
  let rest = ''
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) events.push(...readEvent(block))
  })
  response.on('error', () => undefined)
  const closed = new Promise<'ended' | 'cut'>(resolve =>
    response.on('close', () => resolve(response.complete ? 'ended' : 'cut')),
  )
  const changes = () => events.flatMap(({ message }) => (message.type === 'record_change' ? [message] : []))
  return {
    status: response.statusCode!,
    headers: response.headers,
    events,
    get text() {
      return text
    },
    changes,
    next: type =>
      until(`an event of type ${type}`, () => events.find(({ message }) => message.type === type), 10_000).catch(
        error => {
          throw new Error(`${error.message}, got ${text.slice(-2000)}`)
        },
      ),
    untilChange: recordId =>
      until(`a change of ${recordId}`, () => changes().find(({ payload }) => payload.record_id === recordId)),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    closed,
    close,
  }
}

function readEvent(block: string): SentEvent[] {
  const fields = block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
  const data = fields.filter(([name]) => name === 'data').map(([, value]) => value)
  if (data.length === 0) return []
  const [id, name] = ['id', 'event'].map(wanted => fields.find(([name]) => name === wanted)?.[1])
  return [{ id, name, data: data.join('\n'), message: JSON.parse(data.join('\n')) }]
}
