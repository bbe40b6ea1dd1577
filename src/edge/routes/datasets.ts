import { DomainError, invalid } from '../../kernel/errors.ts'
import { encodePosition, type Position } from '../../kernel/position.ts'
import type { Row } from '../../kernel/projection.ts'
import { type DatasetView, datasetCounts, datasets as datasetsTable, datasetView } from '../../projections/datasets.ts'
import { records } from '../../projections/records.ts'
import type { ReadStore } from '../../threads/store.ts'
import type { Exchange } from '../exchange.ts'
import { readPosition } from '../positions.ts'
import type { Request, Route } from '../router.ts'
import { readWhere } from '../where.ts'
import { cursorOf, limitOf, MAX_PAGE, nextCursor } from './pages.ts'

/** Waits until the read model has reached `min_position`, when the request names one. */
export async function reachMinPosition({ exchange, services }: Request): Promise<void> {
  const text = exchange.query.get('min_position')
  if (text !== null) await services.progress.wait(await readPosition(services.log, text, 'min_position'))
}

async function viewOf(store: ReadStore, row: Row): Promise<DatasetView> {
  return datasetView(
    row,
    await store.page({ table: datasetCounts, equal: { dataset: row.name as string }, limit: MAX_PAGE }),
  )
}

/** The data set with this id or name. Throws NOT_FOUND. */
async function findDataset(store: ReadStore, idOrName: string): Promise<Row> {
  const [byName] = await store.load(datasetsTable, [[idOrName]])
  if (byName) return byName
  const [byId] = idOrName.startsWith('ds_')
    ? await store.page({ table: datasetsTable, equal: { id: idOrName }, limit: 1 })
    : []
  if (byId) return byId
  throw new DomainError('NOT_FOUND', `there is no data set ${idOrName.slice(0, 200)}`)
}

function qualityMin(exchange: Exchange): number | undefined {
  const text = exchange.query.get('quality_min')
  if (text === null) return undefined
  const score = Number(text)
  if (text !== '' && score >= 0 && score <= 1) return score
  throw invalid('quality_min', `expected a number from 0 to 1, got ${text.slice(0, 40)}`)
}

const list: Route = {
  method: 'GET',
  path: '/datasets',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services } = request
    const least = qualityMin(exchange)
    const limit = limitOf(exchange, MAX_PAGE)
    const after = cursorOf(exchange)
    await reachMinPosition(request)
    const category = exchange.query.get('category')
    const search = exchange.query.get('search')?.toLowerCase() ?? ''
    const equal: Record<string, string> = category === null ? {} : { category }
    const rows = await services.store.page({
      table: datasetsTable,
      equal,
      ...(after === undefined ? {} : { after }),
      limit,
    })
    const views = await Promise.all(rows.map(row => viewOf(services.store, row)))
    const found = views.filter(({ name, quality_score }) => {
      return name.toLowerCase().includes(search) && (least === undefined || (quality_score ?? -1) >= least)
    })
    return { status: 200, body: { datasets: found, next_cursor: nextCursor(rows, limit, 'name') } }
  },
}

const one: Route = {
  method: 'GET',
  path: '/datasets/:dataset',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request)
    const { store } = request.services
    return { status: 200, body: await viewOf(store, await findDataset(store, request.params.dataset!)) }
  },
}

/** A record as JSON text: its data goes out as it came in, so no number is rounded on the way. */
function recordJson(row: Row, position: Position): string {
  const { id, data, version, updated_at } = row
  const rest = JSON.stringify({ version, updated_at, position: encodePosition(position) })
  return `{"id":${JSON.stringify(id)},"data":${data},${rest.slice(1)}`
}

function positionOf({ services }: Request, row: Row): Position {
  const stream = services.log.streams('sync.records').find(({ name }) => name === row.stream)!
  return services.log.place(stream, row.offset as number)
}

const JSON_TYPE = { 'Content-Type': 'application/json' }

const recordsOf: Route = {
  method: 'GET',
  path: '/datasets/:dataset/records',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const limit = limitOf(exchange)
    const after = cursorOf(exchange)
    const fields = readWhere(exchange.query.get('where'))
    await reachMinPosition(request)
    const { name } = await findDataset(services.store, params.dataset!)
    const page = {
      table: records,
      equal: { dataset: name!, deleted: 0 },
      ...(after === undefined ? {} : { after }),
      fields,
      limit,
    }
    const rows = await services.store.page(page)
    const items = rows.map(row => recordJson(row, positionOf(request, row)))
    const next = JSON.stringify(nextCursor(rows, limit, 'id'))
    return { status: 200, headers: JSON_TYPE, body: `{"items":[${items.join(',')}],"next_cursor":${next}}` }
  },
}

const record: Route = {
  method: 'GET',
  path: '/datasets/:dataset/records/:record',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { services, params } = request
    await reachMinPosition(request)
    const { name } = await findDataset(services.store, params.dataset!)
    const [row] = await services.store.load(records, [[name!, params.record!]])
    if (!row || row.deleted === 1) {
      throw new DomainError('NOT_FOUND', `there is no record ${params.record!.slice(0, 200)} in data set ${name}`)
    }
    return { status: 200, headers: JSON_TYPE, body: recordJson(row, positionOf(request, row)) }
  },
}

export const datasets: readonly Route[] = [list, one, recordsOf, record]
