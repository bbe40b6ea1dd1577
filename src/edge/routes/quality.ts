import { DATASET_TOPICS, findDataset } from '../datasets.ts'
import { readMoment } from '../moment.ts'
import { historyPage, momentAfter, shownQuality } from '../quality.ts'
import type { Route } from '../router.ts'
import { cursorOf, DEFAULT_PAGE, wholeParameter } from './pages.ts'

/** Points of one page, and changes between two of them. */
const MOST_POINTS = 200
const MOST_STEP = 10_000

const now: Route = {
  method: 'GET',
  path: '/datasets/:dataset/quality',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const asOf = await readMoment(request, DATASET_TOPICS)
    const { name } = await findDataset(request.services.store, request.params.dataset!, asOf)
    return { status: 200, body: await shownQuality(request.services, name as string, asOf) }
  },
}

const history: Route = {
  method: 'GET',
  path: '/datasets/:dataset/quality/history',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const limit = wholeParameter(exchange, 'limit', DEFAULT_PAGE, MOST_POINTS)
    const step = wholeParameter(exchange, 'step', 1, MOST_STEP)
    const after = momentAfter(services, cursorOf(exchange))
    const asOf = await readMoment(request, DATASET_TOPICS)
    const { name } = await findDataset(services.store, params.dataset!, asOf)
    return { status: 200, body: await historyPage(services, name as string, { limit, step, after, asOf }) }
  },
}

export const quality: readonly Route[] = [now, history]
