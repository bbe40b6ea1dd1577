import { randomBytes } from 'node:crypto'
import { timeOrderedId } from '../../kernel/id.ts'
import { encodePosition } from '../../kernel/position.ts'
import { findProjection, shownProjection, shownProjections, shownRebuild } from '../projections.ts'
import { reachMinPosition } from '../reach.ts'
import type { Request, Route } from '../router.ts'

/** Has a projection rebuilt. Rejects with NOT_FOUND, and CONFLICT when a rebuild is under way. */
export async function requestRebuild({ exchange, services, principal }: Request, given: string) {
  const projection = findProjection(given)
  const { name } = projection
  const rebuild_id = timeOrderedId('reb', Date.now(), randomBytes(16))
  const command = { type: 'RequestRebuild' as const, data: { rebuild_id, projection: name, reason: 'asked' } }
  const by = { actor: principal.id, requestId: exchange.requestId }
  const position = await services.commands.send(`projection/${name}`, command, by)
  await services.rebuilds.reached(position)
  const rebuild = await shownRebuild(services, projection, rebuild_id)
  return { name, position: encodePosition(position), rebuild }
}

const list: Route = {
  method: 'GET',
  path: '/projections',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, [])
    await request.services.rebuilds.caughtUp()
    return { status: 200, body: { items: await shownProjections(request.services), next_cursor: null } }
  },
}

const one: Route = {
  method: 'GET',
  path: '/projections/:name',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const projection = findProjection(request.params.name!)
    await reachMinPosition(request, projection.topics)
    await request.services.rebuilds.caughtUp()
    return { status: 200, body: await shownProjection(request.services, projection) }
  },
}

const rebuild: Route = {
  method: 'POST',
  path: '/projections/:name/rebuild',
  auth: 'sync:admin',
  limit: 'api',
  async handle(request) {
    return { status: 202, body: await requestRebuild(request, request.params.name!) }
  },
}

export const projections: readonly Route[] = [list, one, rebuild]
