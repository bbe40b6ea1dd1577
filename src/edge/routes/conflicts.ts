import { check, requireType, someBody } from '../body.ts'
import { type Decided, decideConflict, reopenConflict } from '../conflict-commands.ts'
import {
  CONFLICT_TOPICS,
  conflictFilter,
  conflictJson,
  conflictsPage,
  findConflict,
  readDecision,
} from '../conflicts.ts'
import { readMoment } from '../moment.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Route } from '../router.ts'
import type { Services } from '../services.ts'
import { cursorOf, limitOf, nextCursor } from './pages.ts'

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
    const asked = Object.keys(conflictFilter.shape).flatMap(key => {
      const text = exchange.query.get(key)
      return text === null ? [] : [[key, text]]
    })
    const equal = check(Object.fromEntries(asked), conflictFilter) as Record<string, string>
    const asOf = await readMoment(request, CONFLICT_TOPICS)
    const rows = await conflictsPage(services, { equal, after, limit, asOf })
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
    const asOf = await readMoment(request, CONFLICT_TOPICS)
    const row = await findConflict(request.services, request.params.id!, asOf)
    return { status: 200, headers: JSON_TYPE, body: conflictJson(request.services, row) }
  },
}

function shownDecided(services: Services, { row, position }: Decided): Reply {
  return { status: 200, headers: JSON_TYPE, body: conflictJson(services, row, position) }
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
    await reachMinPosition(request, CONFLICT_TOPICS)
    return shownDecided(services, await decideConflict(request, params.id!, decision))
  },
}

const reopen: Route = {
  method: 'POST',
  path: '/conflicts/:id/reopen',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, CONFLICT_TOPICS)
    return shownDecided(request.services, await reopenConflict(request, request.params.id!))
  },
}

export const conflicts: readonly Route[] = [list, one, resolve, reopen]
