import { projectedTopics } from '../../projections/index.ts'
import { visibleTopics } from '../history/range.ts'
import { showTopic } from '../history/topics.ts'
import { reachMinPosition } from '../reach.ts'
import type { Route } from '../router.ts'

const all: Route = {
  method: 'GET',
  path: '/topics',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const {
      principal,
      services: { log, topics },
    } = request
    await reachMinPosition(request, projectedTopics)
    const visible = visibleTopics(principal)
    const seen = topics.filter(({ name }) => visible.includes(name))
    const items = await Promise.all(seen.map(topic => showTopic(log, topic)))
    return { status: 200, body: { log: log.id, items } }
  },
}

export const topics: readonly Route[] = [all]
