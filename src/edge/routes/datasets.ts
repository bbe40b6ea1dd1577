import { offerSchema } from '../../intake/infer.ts'
import { invalid } from '../../kernel/errors.ts'
import { encodePosition } from '../../kernel/position.ts'
import { readBody } from '../body.ts'
import { configureDataset, settingsBody, shownSettings } from '../dataset-settings.ts'
import { DATASET_TOPICS, datasetsPage, findDataset, nameOf, shownDataset } from '../datasets.ts'
import type { Exchange } from '../exchange.ts'
import { readMoment } from '../moment.ts'
import { reach, reachMinPosition } from '../reach.ts'
import { findRecordOf, recordJson, recordsPage, recordsPageOf } from '../records.ts'
import type { Route } from '../router.ts'
import { readAfter, versionsJson } from '../versions.ts'
import { readWhere } from '../where.ts'
import { cursorOf, DEFAULT_PAGE, limitOf, MAX_PAGE, nextCursor, wholeParameter } from './pages.ts'
import { quality } from './quality.ts'

function qualityMin(exchange: Exchange): number | undefined {
  const text = exchange.query.get('quality_min')
  if (text === null) return undefined
  const score = Number(text)
  // Number() takes blanks and 0x1 for numbers as well.
  if (/^[+-]?[\d.]+(?:e[+-]?\d+)?$/i.test(text) && score >= 0 && score <= 1) return score
  throw invalid('quality_min', `expected a number from 0 to 1, got ${text.slice(0, 40)}`)
}

const list: Route = {
  method: 'GET',
  path: '/datasets',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services } = request
    const asked = {
      qualityMin: qualityMin(exchange),
      limit: limitOf(exchange, MAX_PAGE),
      after: cursorOf(exchange),
      category: exchange.query.get('category'),
      search: exchange.query.get('search') ?? '',
    }
    const asOf = await readMoment(request, DATASET_TOPICS)
    const { datasets, next_cursor } = await datasetsPage(services.store, { ...asked, asOf })
    return { status: 200, body: { datasets, next_cursor } }
  },
}

const one: Route = {
  method: 'GET',
  path: '/datasets/:dataset',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const asOf = await readMoment(request, DATASET_TOPICS)
    return { status: 200, body: await shownDataset(request.services, request.params.dataset!, asOf) }
  },
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
    return { status: 200, body: { ...(await shownDataset(services, name)), position: encodePosition(position) } }
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
    await reachMinPosition(request, DATASET_TOPICS)
    const { services, params } = request
    const { name } = await findDataset(services.store, params.dataset!)
    await services.settings.caughtUp()
    const set = services.settings.view.get(name as string)
    const rows = await recordsPage(services, { dataset: name as string, after: undefined, fields: [], limit: SEEN })
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

const SETTINGS_LIMIT = 524_288
/** Records of one page, which is also cut by their bytes. */
const MOST_RECORDS = 10_000

const JSON_TYPE = { 'Content-Type': 'application/json' }

const recordsOf: Route = {
  method: 'GET',
  path: '/datasets/:dataset/records',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const limit = wholeParameter(exchange, 'limit', DEFAULT_PAGE, MOST_RECORDS)
    const after = cursorOf(exchange)
    const fields = readWhere(exchange.query.get('where'))
    const asOf = await readMoment(request, DATASET_TOPICS)
    const rows = await recordsPageOf(services, params.dataset!, { after, fields, limit, asOf })
    const items = rows.map(row => recordJson(services, row))
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
    const asOf = await readMoment(request, DATASET_TOPICS)
    const row = await findRecordOf(services, params.dataset!, params.record!, asOf)
    return { status: 200, headers: JSON_TYPE, body: recordJson(services, row) }
  },
}

const versions: Route = {
  method: 'GET',
  path: '/datasets/:dataset/records/:record/history',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const limit = limitOf(exchange)
    const after = readAfter(cursorOf(exchange))
    await reachMinPosition(request, DATASET_TOPICS)
    const { name } = await findDataset(services.store, params.dataset!)
    const body = await versionsJson(services, name as string, params.record!, after, limit)
    return { status: 200, headers: JSON_TYPE, body }
  },
}

export const datasets: readonly Route[] = [list, one, configure, schemaOf, recordsOf, record, versions, ...quality]
