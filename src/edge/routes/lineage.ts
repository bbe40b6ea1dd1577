import { DATASET_TOPICS, findDataset } from '../datasets.ts'
import { lineageOf } from '../lineage.ts'
import { reachMinPosition } from '../reach.ts'
import type { Route } from '../router.ts'
import { cursorOf, limitOf } from './pages.ts'

const ofDataset: Route = {
  method: 'GET',
  path: '/datasets/:dataset/lineage',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const { query } = exchange
    const asked = {
      limit: limitOf(exchange),
      after: cursorOf(exchange),
      source: query.get('source') ?? undefined,
      strategy: query.get('strategy') ?? undefined,
    }
    await reachMinPosition(request, DATASET_TOPICS)
    const row = await findDataset(services.store, params.dataset!)
    return { status: 200, body: await lineageOf(services, row, asked) }
  },
}

export const lineage: readonly Route[] = [ofDataset]
