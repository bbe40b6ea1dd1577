import { offerSchema } from '../../intake/infer.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { encodePosition, mergePositions, type Position } from '../../kernel/position.ts'
import type { Row } from '../../kernel/projection.ts'
import {
  type DatasetView,
  datasetCounts,
  datasetId,
  datasets as datasetsTable,
  datasetView,
} from '../../projections/datasets.ts'
import { records } from '../../projections/records.ts'
import { settings as settingsTable } from '../../projections/settings.ts'
import type { ReadStore } from '../../threads/store.ts'
import { readBody } from '../body.ts'
import { configureDataset, settingsBody, shownSettings } from '../dataset-settings.ts'
import type { Exchange } from '../exchange.ts'
import { named } from '../names.ts'
import { reach, reachMinPosition } from '../reach.ts'
import type { Request, Route } from '../router.ts'
import { readWhere } from '../where.ts'
import { cursorAfter, cursorOf, limitOf, MAX_PAGE, nextCursor } from './pages.ts'

/** What these routes read is made of. */
const TOPICS = ['sync.records', 'sync.datasets']

/** A data set with its counts and what is set for it. */
async function viewOf(store: ReadStore, row: Row, set?: Row): Promise<DatasetView> {
  const [counts, [known]] = await Promise.all([
    store.page({ table: datasetCounts, equal: { dataset: row.name as string }, limit: MAX_PAGE }),
    set ? [set] : store.load(settingsTable, [[row.name!]]),
  ])
  return datasetView(row, counts, known)
}

/** The data set with this id, name or title; one for which something was set counts before its first record. Throws NOT_FOUND. */
async function findDataset(store: ReadStore, given: string): Promise<Row> {
  const [byName] = await store.load(datasetsTable, [[given]])
  if (byName) return byName
  const first = (table: typeof datasetsTable, equal: Record<string, string>) => store.page({ table, equal, limit: 1 })
  const [byId] = given.startsWith('ds_') ? await first(datasetsTable, { id: given }) : []
  if (byId) return byId
  const [set] = await store.load(settingsTable, [[given]])
  const [titled] = set ? [set] : await first(settingsTable, { title: given })
  if (titled) {
    const name = titled.dataset as string
    const [row] = await store.load(datasetsTable, [[name]])
    return row ?? { name, id: datasetId(name), category: null }
  }
  throw new DomainError('NOT_FOUND', `there is no data set ${given.slice(0, 200)}`)
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
    await reachMinPosition(request, TOPICS)
    const category = exchange.query.get('category')
    const search = exchange.query.get('search')?.toLowerCase() ?? ''
    const found: DatasetView[] = []
    let next = after
    // What does not fit is passed over: a page is full, or the last one.
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const { rows, next_cursor } = await pageOf(services.store, category, next, limit - found.length)
      const views = await Promise.all(rows.map(({ row, set }) => viewOf(services.store, row, set)))
      found.push(
        ...views.filter(({ name, quality_score }) => {
          return name.toLowerCase().includes(search) && (least === undefined || (quality_score ?? -1) >= least)
        }),
      )
      next = next_cursor === null ? undefined : Buffer.from(next_cursor, 'base64url').toString()
      if (next === undefined || found.length >= limit) break
    }
    return { status: 200, body: { datasets: found, next_cursor: next === undefined ? null : cursorAfter(next) } }
  },
}

/** Pages that one request looks through for what fits. */
const MOST_PAGES = 20

/** A page of data sets in the order of their names; those of a category are found by what is set. */
async function pageOf(store: ReadStore, category: string | null, after: string | undefined, limit: number) {
  const from = { limit, ...(after === undefined ? {} : { after }) }
  if (category === null) {
    const rows = await store.page({ table: datasetsTable, equal: {}, ...from })
    return { rows: rows.map(row => ({ row, set: undefined })), next_cursor: nextCursor(rows, limit, 'name') }
  }
  const sets = await store.page({ table: settingsTable, equal: { category }, ...from })
  const known = await store.load(
    datasetsTable,
    sets.map(({ dataset }) => [dataset!]),
  )
  const rows = sets.flatMap(set => {
    const row = known.find(({ name }) => name === set.dataset)
    return row ? [{ row, set }] : []
  })
  return { rows, next_cursor: nextCursor(sets, limit, 'dataset') }
}

const one: Route = {
  method: 'GET',
  path: '/datasets/:dataset',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, TOPICS)
    return { status: 200, body: await shownDataset(request) }
  },
}

/** A data set in full: also its id in the log, what is set for it, and a place that includes its last change. */
async function shownDataset({ services, params }: Request): Promise<object> {
  const row = await findDataset(services.store, params.dataset!)
  const name = row.name as string
  await services.settings.caughtUp()
  const counts = await services.store.page({ table: datasetCounts, equal: { dataset: name }, limit: MAX_PAGE })
  const streams = new Map(services.log.streams('sync.records').map(stream => [stream.name, stream]))
  const places = counts.map(({ stream, offset }) =>
    services.log.place(streams.get(stream as string)!, offset as number),
  )
  const position = places.length === 0 ? {} : { position: encodePosition(places.reduce(mergePositions)) }
  const settings = shownSettings(services.settings.view.get(name))
  return { ...(await viewOf(services.store, row)), dataset: name, ...settings, ...position }
}

const configure: Route = {
  method: 'PUT',
  path: '/datasets/:dataset',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const body = await readBody(exchange, settingsBody, { limit: SETTINGS_LIMIT })
    const given = params.dataset!
    const name = await nameOf(services.store, given)
    const position = await configureDataset(request, name, body)
    await reach(services, 'sync.datasets', position)
    return { status: 200, body: { ...(await shownDataset(request)), position: encodePosition(position) } }
  },
}

/** Records that a schema is inferred from. */
const SEEN = 1000

const schemaOf: Route = {
  method: 'GET',
  path: '/datasets/:dataset/schema',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, TOPICS)
    const { services, params } = request
    const { name } = await findDataset(services.store, params.dataset!)
    await services.settings.caughtUp()
    const set = services.settings.view.get(name as string)
    const rows = await services.store.page({ table: records, equal: { dataset: name!, deleted: 0 }, limit: SEEN })
    const inferred = offerSchema(
      rows.map(({ data }) => data as string),
      services.rowLimits.schemaColumns,
    )
    const { schema, schema_contract } = shownSettings(set)
    return {
      status: 200,
      body: {
        schema: schema ?? inferred,
        is_set: schema !== null,
        inferred,
        schema_contract,
        records_seen: rows.length,
      },
    }
  },
}

/** The name in the log of the data set that is meant; one that is new is called what it is asked for by. */
async function nameOf(store: ReadStore, given: string): Promise<string> {
  try {
    return (await findDataset(store, given)).name as string
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'NOT_FOUND' || given.startsWith('ds_')) throw error
    return named('dataset', given, '')
  }
}

const SETTINGS_LIMIT = 524_288

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
    await reachMinPosition(request, TOPICS)
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
    await reachMinPosition(request, TOPICS)
    const { name } = await findDataset(services.store, params.dataset!)
    const [row] = await services.store.load(records, [[name!, params.record!]])
    if (!row || row.deleted === 1) {
      throw new DomainError('NOT_FOUND', `there is no record ${params.record!.slice(0, 200)} in data set ${name}`)
    }
    return { status: 200, headers: JSON_TYPE, body: recordJson(row, positionOf(request, row)) }
  },
}

export const datasets: readonly Route[] = [list, one, configure, schemaOf, recordsOf, record]
