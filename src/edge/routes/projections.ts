import { findProjection, requestRebuild, shownProjection, shownProjections } from '../projections.ts'
import { reachMinPosition } from '../reach.ts'
import type { Route } from '../router.ts'

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
