import { z } from 'zod'
import type { Position } from '../../kernel/position.ts'
import type { Row } from '../../kernel/projection.ts'
import { conflictKey } from '../../projections/conflict-news.ts'
import { conflicts as conflictsTable } from '../../projections/conflicts.ts'
import { check, requireType, someBody } from '../body.ts'
import { bornOf, conflictJson, findConflict, placeOfFound, readDecision, resolveConflict } from '../conflicts.ts'
import { reach, reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'
import { cursorOf, limitOf, nextCursor } from './pages.ts'

/** What these routes read is made of: a record's conflict is found when the record is projected. */
const TOPICS = ['sync.records', 'sync.conflicts']

const name = z.string().min(1).max(512)
const filterFields = {
  status: z.enum(['open', 'resolved']).optional(),
  dataset: name.optional(),
  record_id: name.optional(),
  type: z.enum(['version', 'concurrent_field', 'delete_update', 'insert_insert']).optional(),
}
const filterSchema = z.strictObject(filterFields)

const JSON_TYPE = { 'Content-Type': 'application/json' }

const list: Route = {
  method: 'GET',
  path: '/conflicts',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services } = request
    const limit = limitOf(exchange)
    const after = cursorOf(exchange)
    const asked = Object.keys(filterFields).flatMap(key => {
      const text = exchange.query.get(key)
      return text === null ? [] : [[key, text]]
    })
    const equal = check(Object.fromEntries(asked), filterSchema) as Record<string, string>
    await reachMinPosition(request, TOPICS)
    await reach(services, 'sync.conflicts', await placeOfFound(services))
    const page = { table: conflictsTable, equal, limit, ...(after === undefined ? {} : { after }) }
    const rows = await services.store.page(page)
    const items = rows.map(row => conflictJson(services, row))
    const next = JSON.stringify(nextCursor(rows, limit, 'id'))
    return { status: 200, headers: JSON_TYPE, body: `{"items":[${items.join(',')}],"next_cursor":${next}}` }
  },
}

const one: Route = {
  method: 'GET',
  path: '/conflicts/:id',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, TOPICS)
    const row = await findConflict(request.services, request.params.id!)
    return { status: 200, headers: JSON_TYPE, body: conflictJson(request.services, row) }
  },
}

/** The answer to a decision: the conflict as it stands then. `decided` is what is known of that already. */
async function decidedReply({ services }: Request, row: Row, decided: Row, position: Position): Promise<Reply> {
  // The next read sees it: the record here, the conflict where it is found again.
  await reach(services, 'sync.records', position)
  const now = await findConflict(services, row.id as string)
  // A read model that lags behind does not make it undone.
  return { status: 200, headers: JSON_TYPE, body: conflictJson(services, { ...now, ...decided }, position) }
}

const resolve: Route = {
  method: 'POST',
  path: '/conflicts/:id/resolve',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const { lineBytes, jsonDepth } = services.config
    requireType(exchange, 'application/json')
    const decision = readDecision(await someBody(exchange, 2 * lineBytes), jsonDepth)
    await reachMinPosition(request, TOPICS)
    const row = await findConflict(services, params.id!)
    const position = await resolveConflict(request, row, decision)
    return decidedReply(request, row, { status: 'resolved', resolution: decision.resolution }, position)
  },
}

const reopen: Route = {
  method: 'POST',
  path: '/conflicts/:id/reopen',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { exchange, services, principal, params } = request
    await reachMinPosition(request, TOPICS)
    const row = await findConflict(services, params.id!)
    const by = { actor: principal.id, requestId: exchange.requestId }
    const data = { conflict_id: row.id as string, born: bornOf(row) }
    const position = await services.commands.send(conflictKey(data.conflict_id), { type: 'ReopenConflict', data }, by)
    return decidedReply(request, row, { status: 'open', resolution: null }, position)
  },
}

export const conflicts: readonly Route[] = [list, one, resolve, reopen]
