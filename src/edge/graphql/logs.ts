import { invalid } from '../../kernel/errors.ts'
import type { Row } from '../../kernel/projection.ts'
import { runLogs } from '../../projections/jobs.ts'
import { check } from '../body.ts'
import { lastLogged, logConditions, logFilter, shownLog } from '../jobs.ts'
import { cursorAfter } from '../routes/pages.ts'
import { camel, connectionOf, connectionTypes, connectRows, type PageArgs, readPage, wanted } from './connections.ts'
import type { Context } from './context.ts'
import type { JobSource } from './jobs.ts'

interface LogArgs extends PageArgs {
  readonly last?: number | null
  readonly level?: string | null
  readonly since?: string | null
  readonly until?: string | null
}

const logSource = (row: Row) => camel(shownLog(row))

export const logTypes = `
  """What a run told."""
  type Log {
    """When."""
    timestamp: DateTime!
    """debug, info, warning or error."""
    level: String!
    """What it told."""
    message: String!
    """The run that told it."""
    runId: ID!
    """What it is about."""
    metadata: JSON!
  }
  ${connectionTypes('Log', 'log entries')}`

export const logResolvers = {
  Job: {
    async logs({ row, asOf }: JobSource, args: LogArgs, { asked }: Context) {
      const { services } = asked.request
      const { store } = services
      const { level, since, until, last, after } = args
      const asking = Object.entries({ level, since, until }).filter(
        ([, value]) => value !== null && value !== undefined,
      )
      const fields = logConditions(check(Object.fromEntries(asking), logFilter))
      const upTo = asOf && lastLogged(services, row.id as string, asOf)
      const query = { table: runLogs, equal: { job_id: row.id! }, fields, upTo }
      const page = readPage(args)
      if (last === null || last === undefined) {
        const read = (limit: number, from: string | undefined) =>
          store.page({ ...query, limit, ...(from === undefined ? {} : { after: from }) })
        return connectRows(page, 'place', read, logSource)
      }
      if (after) throw invalid('last', 'it goes with no after')
      const size = wanted(last, 'last')
      const rows = await store.page({ ...query, limit: size + 1, newest: true })
      const shown = rows.slice(Math.max(0, rows.length - size))
      const edges = shown.map(each => ({ cursor: cursorAfter(each.place as string), node: logSource(each) }))
      const connection = connectionOf(edges, page, false)
      return { ...connection, pageInfo: { ...connection.pageInfo, hasPreviousPage: rows.length > size } }
    },
  },
}
