import { invalid } from '../../kernel/errors.ts'
import type { Exchange } from '../exchange.ts'
import { jsonOf, readEvents } from '../history/events.ts'
import { type ExportFormat, FORMATS, findFormat } from '../history/exports.ts'
import { readAsked, readRange } from '../history/range.ts'
import { watchIdle } from '../idle.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'
import { limitOf } from './pages.ts'

const PARAMETERS = ['topic', 'type', 'key', 'from', 'to', 'min_position']
/** Events that one page looks at, so that a rare key does not make one request read all there are. */
const MOST_LOOKED_AT = 100_000

type Read = ReturnType<typeof readEvents>

/** The events that a request asks for. Throws VALIDATION_ERROR, FORBIDDEN. */
async function readAskedEvents(request: Request, more: readonly string[]): Promise<Read> {
  const { exchange, services, principal } = request
  const { query } = exchange
  const known = [...PARAMETERS, ...more]
  const unknown = [...query.keys()].find(name => !known.includes(name))
  if (unknown !== undefined) throw invalid(unknown.slice(0, 60), `expected one of ${known.join(', ')}`)
  await reachMinPosition(request, [])
  const asked = readAsked(query, principal)
  const from = query.get('cursor') ?? query.get('from') ?? undefined
  const range = await readRange(services.log, asked.topics, from, query.get('to') ?? undefined)
  return readEvents(services.log, services.codec, asked, range, exchange.gone)
}

const events: Route = {
  method: 'GET',
  path: '/events',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange } = request
    const read = await readAskedEvents(request, ['limit', 'cursor'])
    if (!exchange.header('accept')?.includes('application/x-ndjson')) return page(exchange, read)
    const limit = exchange.query.get('limit') === null ? Number.POSITIVE_INFINITY : limitOf(exchange)
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
  let next: string | null = null
  reading: for await (const seen of read) {
    for (const { position, event } of seen) {
      if (items.length === limit || looked === MOST_LOOKED_AT) break reading
      looked++
      next = position
      if (event !== undefined) items.push(jsonOf(event))
    }
    if (items.length < limit && looked < MOST_LOOKED_AT) next = null
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
