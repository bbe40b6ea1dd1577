import { invalid } from '../../kernel/errors.ts'
import type { Exchange } from '../exchange.ts'
import { readEvents } from '../history/events.ts'
import { readAsked, readRange } from '../history/range.ts'
import { watchIdle } from '../idle.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'
import { limitOf } from './pages.ts'

const NDJSON = 'application/x-ndjson'
const PARAMETERS = ['topic', 'type', 'key', 'from', 'to', 'limit', 'cursor', 'min_position']
/** Events that one page looks at, so that a rare key does not make one request read all there are. */
const MOST_LOOKED_AT = 100_000
const CHUNK_CHARACTERS = 65_536

const events: Route = {
  method: 'GET',
  path: '/events',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, principal } = request
    const { query } = exchange
    const unknown = [...query.keys()].find(name => !PARAMETERS.includes(name))
    if (unknown !== undefined) throw invalid(unknown.slice(0, 60), `expected ${PARAMETERS.join(', ')}`)
    await reachMinPosition(request, [])
    const asked = readAsked(query, principal)
    const from = query.get('cursor') ?? query.get('from') ?? undefined
    const range = await readRange(services.log, asked.topics, from, query.get('to') ?? undefined)
    const read = readEvents(services.log, services.codec, asked, range, exchange.gone)
    if (exchange.header('accept')?.includes(NDJSON)) return stream(request, read)
    return page(exchange, read)
  },
}

type Read = ReturnType<typeof readEvents>

/** The first events, and where to read on: null at the end of what there was. */
async function page(exchange: Exchange, read: Read): Promise<Reply> {
  const limit = limitOf(exchange)
  const items: string[] = []
  let looked = 0
  let next: string | null = null
  reading: for await (const seen of read) {
    for (const { position, text } of seen) {
      if (items.length === limit || looked === MOST_LOOKED_AT) break reading
      looked++
      next = position
      if (text !== undefined) items.push(text)
    }
    if (items.length < limit && looked < MOST_LOOKED_AT) next = null
  }
  const body = `{"items":[${items.join(',')}],"next_cursor":${JSON.stringify(next)}}`
  return { status: 200, body, headers: { 'Content-Type': 'application/json' } }
}

/**
 * All of them, a line each, as fast as they are taken. What fails on the way, or has to stop, cuts the connection: whoever
 * reads sees that it is not whole, and goes on from the last position.
 */
async function stream({ exchange, services }: Request, read: Read): Promise<undefined> {
  const limit = exchange.query.get('limit') === null ? Number.POSITIVE_INFINITY : limitOf(exchange)
  const idle = watchIdle(exchange, services.config.streamIdleSeconds)
  exchange.onStop(() => exchange.cut())
  exchange.begin(200, { 'Content-Type': NDJSON })
  let count = 0
  let text = ''
  try {
    reading: for await (const seen of read) {
      for (const each of seen) {
        if (each.text === undefined) continue
        if (count === limit) break reading
        // Only with the next line at hand: the end of the answer has to be the end of a line.
        if (text.length >= CHUNK_CHARACTERS) {
          if (!exchange.write(text)) await writable(exchange)
          text = ''
          idle.heard()
        }
        count++
        text += `${each.text}\n`
      }
    }
    exchange.end(text)
  } catch (error) {
    services.logger.error({ err: error, request_id: exchange.requestId }, 'history could not be read to its end')
    exchange.cut()
  } finally {
    idle.stop()
  }
  return undefined
}

function writable(exchange: Exchange): Promise<void> {
  return new Promise(resolve => {
    exchange.onWritable(resolve)
    exchange.onAbort(resolve)
  })
}

export const history: readonly Route[] = [events]
