import { type IncomingMessage, request } from 'node:http'
import type { Target } from './api.ts'
import type { GraphqlAnswer } from './graphql.ts'
import { until } from './processes.ts'

/** One subscription, and all it was told. */
export interface Feed<Data> {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly results: readonly GraphqlAnswer<Data>[]
  /** All that came, as it came. */
  readonly text: string
  readonly complete: boolean
  readonly closed: Promise<'ended' | 'cut'>
  /** Waits until there is such a result, and gives it. */
  next(wanted: (result: GraphqlAnswer<Data>) => boolean, ms?: number): Promise<GraphqlAnswer<Data>>
  pause(): void
  resume(): void
  close(): void
}

/** Subscribes over a connection of its own, as graphql-sse does in its distinct connections mode. */
export function subscribe<Data>(
  target: Target,
  query: string,
  variables: object = {},
  headers: Record<string, string> = {},
): Promise<Feed<Data>> {
  const all = {
    ...{ authorization: `Bearer ${target.token}`, accept: 'text/event-stream', 'content-type': 'application/json' },
    ...headers,
  }
  return new Promise((resolve, reject) => {
    const asked = request(`${target.url}/graphql`, { method: 'POST', headers: all, agent: false }, response =>
      resolve(listen(response, () => asked.destroy())),
    )
    asked.on('error', reject)
    asked.end(JSON.stringify({ query, variables }))
  })
}

function listen<Data>(response: IncomingMessage, close: () => void): Feed<Data> {
  const results: GraphqlAnswer<Data>[] = []
  let text = ''
  let rest = ''
  let complete = false
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      const [, type, data] = /^(?:retry: \d+\n|:\n)*event: (\w+)\ndata: ?(.*)$/s.exec(block) ?? []
      if (type === 'next') results.push(JSON.parse(data!))
      if (type === 'complete') complete = true
    }
  })
  response.on('error', () => undefined)
  const closed = new Promise<'ended' | 'cut'>(resolve =>
    response.on('close', () => resolve(response.complete ? 'ended' : 'cut')),
  )
  return {
    status: response.statusCode!,
    headers: response.headers,
    results,
    closed,
    get text() {
      return text
    },
    get complete() {
      return complete
    },
    next: (wanted, ms = 20_000) =>
      until('a result', () => results.find(wanted), ms).catch(error => {
        throw new Error(`${error.message}, got ${text.slice(-2000)}`)
      }),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close,
  }
}
