import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { invalid } from '../../kernel/errors.ts'
import { timeOrderedId } from '../../kernel/id.ts'
import { encodePosition } from '../../kernel/position.ts'
import { jobs as jobsTable, LEVELS, type RunState, runLogs, runs as runsTable } from '../../projections/jobs.ts'
import type { FieldCondition } from '../../store/store.ts'
import { check } from '../body.ts'
import { findJob, reachJob, shownJob, shownJobInFull, shownRun } from '../jobs.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'
import { removeSecrets } from './job-settings.ts'
import { cursorOf, limitOf, nextCursor, wholeParameter } from './pages.ts'

/** What these routes read is made of. */
const TOPICS = ['sync.jobs', 'sync.logs']

const STATUSES = ['pending', 'running', 'paused', 'waiting', 'completed', 'failed', 'cancelled']
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
    const equal: Record<string, string | number> = { deleted: 0 }
    const status = query.get('status')
    if (status !== null) {
      if (!STATUSES.includes(status))
        throw invalid('status', `expected ${STATUSES.join(', ')}, got ${status.slice(0, 40)}`)
      equal.status = status
    }
    const connector = query.get('connector_type')
    if (connector !== null) equal.connector_type = connector
    await reachMinPosition(request, TOPICS)
    const asked = { table: jobsTable, equal, limit: per_page, offset: (page - 1) * per_page }
    const [rows, total] = await Promise.all([services.store.page(asked), services.store.count(asked)])
    return { status: 200, body: { items: rows.map(shownJob), total, page, per_page } }
  },
}

const one: Route = {
  method: 'GET',
  path: '/jobs/:id',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, TOPICS)
    return {
      status: 200,
      body: await shownJobInFull(request.services, await findJob(request.services, request.params.id!)),
    }
  },
}

type Control =
  | { type: 'PauseJob' | 'ResumeJob' | 'CancelJob' }
  | { type: 'StartJob'; run: { run_id: string; trigger: string } }

async function control({ services, principal, exchange, params }: Request, command: Control): Promise<Reply> {
  const id = params.id!
  const by = { actor: principal.id, requestId: exchange.requestId }
  const data = { job_id: id, ...('run' in command ? command.run : {}) }
  const asked = { type: command.type, data } as Parameters<typeof services.commands.send>[1]
  const position = await services.commands.send(`job/${id}`, asked, by)
  await reachJob(services, position)
  const row = await findJob(services, id)
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
    handle(request) {
      const run = { run_id: timeOrderedId('run', Date.now(), randomBytes(12)), trigger: 'manual' }
      return control(request, { type: 'StartJob', run })
    },
  }
}

const remove: Route = {
  method: 'DELETE',
  path: '/jobs/:id',
  auth: 'sync:write',
  limit: 'api',
  async handle({ services, principal, exchange, params }) {
    const id = params.id!
    const force = exchange.query.get('force') === 'true'
    const by = { actor: principal.id, requestId: exchange.requestId }
    const command = { type: 'DeleteJob' as const, data: { job_id: id, force } }
    const was = await findJob(services, id)
    await reachJob(services, await services.commands.send(`job/${id}`, command, by))
    await removeSecrets(services, was)
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
    await reachMinPosition(request, TOPICS)
    const { id } = await findJob(services, params.id!)
    const page = { table: runsTable, equal: { job_id: id! }, limit, ...(after === undefined ? {} : { after }) }
    const rows = await services.store.page(page)
    const items = rows.map(row => shownRun(row as unknown as RunState))
    return { status: 200, body: { items, next_cursor: nextCursor(rows, limit, 'id') } }
  },
}

const time = z.iso.datetime({ offset: true })
const logQuery = z.strictObject({ level: z.enum(LEVELS).optional(), since: time.optional(), until: time.optional() })

const logs: Route = {
  method: 'GET',
  path: '/jobs/:id/logs',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services, params } = request
    const { query } = exchange
    const asked = ['level', 'since', 'until'].flatMap(name => (query.has(name) ? [[name, query.get(name)]] : []))
    const { level, since, until } = check(Object.fromEntries(asked), logQuery)
    const limit = limitOf(exchange, 100)
    await reachMinPosition(request, TOPICS)
    const { id } = await findJob(services, params.id!)
    const fields: FieldCondition[] = []
    const condition = (field: string, comparison: '>=' | '<=', value: number) =>
      fields.push({ column: 'entry', field, comparison, value })
    if (level) condition('rank', '>=', LEVELS.indexOf(level))
    if (since) condition('at', '>=', Date.parse(since))
    if (until) condition('at', '<=', Date.parse(until))
    // Without a time to begin at, whoever asks wants to know what was last.
    const asking = { table: runLogs, equal: { job_id: id! }, fields, limit, newest: since === undefined }
    const rows = await services.store.page(asking)
    const shown = rows.map(({ level, message, metadata, entry, run_id }) => ({
      timestamp: new Date(JSON.parse(entry as string).at).toISOString(),
      ...{ level, message, run_id },
      metadata: JSON.parse(metadata as string),
    }))
    return { status: 200, body: { logs: shown } }
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
