import { encodePosition } from '../../kernel/position.ts'
import { jobs as jobsTable, type RunState, runLogs, runs as runsTable } from '../../projections/jobs.ts'
import { check } from '../body.ts'
import { type Control, controlJob, deleteJob } from '../job-commands.ts'
import {
  findJob,
  JOB_TOPICS,
  jobColumns,
  lastLogged,
  logConditions,
  logFilter,
  shownJob,
  shownJobInFull,
  shownLog,
  shownRun,
} from '../jobs.ts'
import { readMoment } from '../moment.ts'
import type { Reply, Request, Route } from '../router.ts'
import { cursorOf, limitOf, nextCursor, wholeParameter } from './pages.ts'

const MAX_PER_PAGE = 1000

const list: Route = {
  method: 'GET',
  path: '/jobs',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services } = request
    const { query } = exchange
    const page = wholeParameter(exchange, 'page', 1, 1_000_000)
    const per_page = wholeParameter(exchange, 'per_page', 20, MAX_PER_PAGE)
    const equal = jobColumns(query.get('status'), query.get('connector_type'))
    const asOf = await readMoment(request, JOB_TOPICS)
    const asked = { table: jobsTable, equal, limit: per_page, offset: (page - 1) * per_page, asOf }
    const [rows, total] = await Promise.all([services.store.page(asked), services.store.count(asked)])
    return { status: 200, body: { items: rows.map(row => shownJob(row, asOf)), total, page, per_page } }
  },
}

const one: Route = {
  method: 'GET',
  path: '/jobs/:id',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { services, params } = request
    const asOf = await readMoment(request, JOB_TOPICS)
    return { status: 200, body: await shownJobInFull(services, await findJob(services, params.id!, asOf), asOf) }
  },
}

async function control(request: Request, command: Control): Promise<Reply> {
  const { row, data, position } = await controlJob(request, request.params.id!, command)
  return { status: 202, body: { ...shownJob(row), ...data, position: encodePosition(position) } }
}

function controlRoute(verb: string, type: 'PauseJob' | 'ResumeJob' | 'CancelJob'): Route {
  const handle = (request: Request) => control(request, { type })
  return { method: 'POST', path: `/jobs/:id/${verb}`, auth: 'sync:write', limit: 'api', handle }
}

function startRoute(path: string): Route {
  return {
    method: 'POST',
    path,
    auth: 'sync:write',
    limit: 'api',
    handle: request => control(request, { type: 'StartJob' }),
  }
}

const remove: Route = {
  method: 'DELETE',
  path: '/jobs/:id',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    await deleteJob(request, request.params.id!, request.exchange.query.get('force') === 'true')
    return { status: 204 }
  },
}

const runs: Route = {
  method: 'GET',
  path: '/jobs/:id/runs',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const limit = limitOf(exchange)
    const after = cursorOf(exchange)
    const asOf = await readMoment(request, JOB_TOPICS)
    const { id } = await findJob(services, params.id!, asOf)
    const page = { table: runsTable, equal: { job_id: id! }, limit, asOf, ...(after === undefined ? {} : { after }) }
    const rows = await services.store.page(page)
    const items = rows.map(row => shownRun(row as unknown as RunState))
    return { status: 200, body: { items, next_cursor: nextCursor(rows, limit, 'id') } }
  },
}

const logs: Route = {
  method: 'GET',
  path: '/jobs/:id/logs',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const { query } = exchange
    const asked = ['level', 'since', 'until'].flatMap(name => (query.has(name) ? [[name, query.get(name)]] : []))
    const filter = check(Object.fromEntries(asked), logFilter)
    const limit = limitOf(exchange, 100)
    const asOf = await readMoment(request, JOB_TOPICS)
    const { id } = await findJob(services, params.id!, asOf)
    // Without a time to begin at, whoever asks wants to know what was last.
    const newest = filter.since === undefined
    const upTo = asOf && lastLogged(services, id as string, asOf)
    const asking = { table: runLogs, equal: { job_id: id! }, fields: logConditions(filter), limit, newest, upTo }
    const rows = await services.store.page(asking)
    return { status: 200, body: { logs: rows.map(shownLog) } }
  },
}

export const jobs: readonly Route[] = [
  list,
  one,
  remove,
  startRoute('/jobs/:id/start'),
  startRoute('/jobs/:id/runs'),
  controlRoute('pause', 'PauseJob'),
  controlRoute('resume', 'ResumeJob'),
  controlRoute('cancel', 'CancelJob'),
  runs,
  logs,
]
