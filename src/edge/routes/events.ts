import { invalid } from '../../kernel/errors.ts'
import { projectedTopics } from '../../projections/index.ts'
import { authenticate, credentialsAnywhere, credentialsOf } from '../auth/authenticate.ts'
import type { Exchange } from '../exchange.ts'
import { jsonOf, MOST_LOOKED_AT, readEvents } from '../history/events.ts'
import { type ExportFormat, FORMATS, findFormat } from '../history/exports.ts'
import { namedIn, readAsked, readRange } from '../history/range.ts'
import { LAST_EVENT_ID, streamHistory } from '../history/stream.ts'
import { watchIdle } from '../idle.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'
import { limitOf } from './pages.ts'

const PARAMETERS = ['topic', 'type', 'key', 'from', 'to', 'min_position']

const NO_CREDENTIALS = { authorization: undefined, apiKey: undefined }

type Read = ReturnType<typeof readEvents>

/** What a request asks for, once the read model is as far as it wants. Throws VALIDATION_ERROR, FORBIDDEN. */
async function readWanted(request: Request, more: readonly string[]) {
  const { exchange, principal } = request
  const { query } = exchange
  const known = [...PARAMETERS, ...more]
  const unknown = [...query.keys()].find(name => !known.includes(name))
  if (unknown !== undefined) throw invalid(unknown.slice(0, 60), `expected one of ${known.join(', ')}`)
  // What follows from a push, such as its changes, is there once the read model has it.
  await reachMinPosition(request, projectedTopics)
  return { asked: readAsked(query, principal), from: namedIn(query, ['cursor', 'from']), to: namedIn(query, ['to']) }
}

/** The events that are there of what a request asks for. */
async function readAskedEvents(request: Request, more: readonly string[]): Promise<Read> {
  const { asked, from, to } = await readWanted(request, more)
  const { log, codec } = request.services
  const range = await readRange(log, asked.topics, from, to)
  return readEvents(log, codec, asked, range, request.exchange.gone)
}

const isStream = (exchange: Exchange) => exchange.header('accept')?.includes('text/event-stream') === true

const events: Route = {
  method: 'GET',
  path: '/events',
  auth: 'sync:read',
  limit: 'api',
  async identify({ exchange, services }) {
    // A browser's EventSource has no headers of its own.
    const given = isStream(exchange) ? credentialsAnywhere(exchange) : credentialsOf(exchange)
    return authenticate(given ?? NO_CREDENTIALS, services.access, services.tokens)
  },
  async handle(request) {
    const { exchange } = request
    const limit = exchange.query.get('limit') === null ? Number.POSITIVE_INFINITY : limitOf(exchange)
    if (isStream(exchange)) {
      const wanted = await readWanted(request, ['limit', 'token'])
      const last = exchange.header('last-event-id')
      // A browser that connects again asks for the same URL: what it has seen since counts.
      const from = last ? { field: LAST_EVENT_ID, text: last } : wanted.from
      await streamHistory(request, { ...wanted, from, limit })
      return undefined
    }
    const read = await readAskedEvents(request, ['limit', 'cursor'])
    if (!exchange.header('accept')?.includes('application/x-ndjson')) return page(exchange, read)
    return send(request, read, findFormat('ndjson')!, {}, limit)
  },
}

const exported: Route = {
  method: 'GET',
  path: '/events/export',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const name = request.exchange.query.get('format') ?? 'ndjson'
    const format = findFormat(name)
    if (!format) throw invalid('format', `"${name.slice(0, 60)}" is none of ${FORMATS.join(', ')}`)
    const read = await readAskedEvents(request, ['format'])
    return send(request, read, format, { 'Content-Disposition': `attachment; filename="events.${name}"` })
  },
}

/** The first events, and where to read on: null at the end of what there was. */
async function page(exchange: Exchange, read: Read): Promise<Reply> {
  const limit = limitOf(exchange)
  const items: string[] = []
  let looked = 0
  let place: string | null = null
  let next: string | null = null
  reading: for await (const seen of read) {
    for (const { position, event } of seen) {
      if (items.length === limit || looked === MOST_LOOKED_AT) {
        next = place
        break reading
      }
      looked++
      place = position
      if (event !== undefined) items.push(jsonOf(event))
    }
  }
  const body = `{"items":[${items.join(',')}],"next_cursor":${JSON.stringify(next)}}`
  return { status: 200, body, headers: { 'Content-Type': 'application/json' } }
}

/**
 * Sends all of them, as fast as they are taken. What fails on the way, or has to stop, cuts the connection: whoever reads
 * sees that it is not whole, and goes on from the last position. Throws UNAVAILABLE when so many are read as may.
 */
async function send(
  { exchange, services }: Request,
  read: Read,
  { contentType, chunk, encoder }: ExportFormat,
  headers: Record<string, string>,
  limit = Number.POSITIVE_INFINITY,
): Promise<undefined> {
  const leave = services.history.enter()
  const encoding = encoder()
  const idle = watchIdle(exchange, services.config.streamIdleSeconds)
  exchange.onStop(() => exchange.cut())
  exchange.begin(200, { 'Content-Type': contentType, ...headers })
  let count = 0
  try {
    // Nothing of it would be sent.
    if (exchange.method === 'HEAD') return undefined
    reading: for await (const seen of read) {
      for (const { event } of seen) {
        if (event === undefined) continue
        if (count === limit) break reading
        count++
        encoding.add(event)
        if (encoding.size < chunk) continue
        if (!exchange.write(encoding.take())) await writable(exchange)
        idle.heard()
      }
    }
    if (!exchange.write(encoding.end())) await writable(exchange)
    exchange.end('')
  } catch (error) {
    services.logger.error({ err: error, request_id: exchange.requestId }, 'history could not be read to its end')
    exchange.cut()
  } finally {
    idle.stop()
    leave()
  }
  return undefined
}

function writable(exchange: Exchange): Promise<void> {
  return new Promise(resolve => {
    exchange.onWritable(resolve)
    exchange.onAbort(resolve)
  })
}

export const history: readonly Route[] = [events, exported]
