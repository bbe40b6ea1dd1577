import { showHidden } from '../intake/hidden.ts'
import type { Row } from '../kernel/projection.ts'
import { datasets as datasetsTable } from '../projections/datasets.ts'
import { jobs as jobsTable } from '../projections/jobs.ts'
import { records } from '../projections/records.ts'
import type { FieldCondition } from '../store/store.ts'
import type { ReadStore } from '../threads/store.ts'
import { findDataset, originsOf } from './datasets.ts'
import { configOf, runOf } from './jobs.ts'
import { originOf } from './records.ts'
import { nextCursor } from './routes/pages.ts'
import type { Services } from './services.ts'

export interface LineageAsked {
  readonly limit: number
  /** The last id of the page before. */
  readonly after: string | undefined
  /** Only records made of this data set, by id or name; only those made by this strategy. */
  readonly source: string | undefined
  readonly strategy: string | undefined
}

/**
 * What a data set was made of: the job that makes it, how many of its records were made of each data set by each strategy,
 * and a page of them with what each was made of. Throws NOT_FOUND for a `source` that is none.
 */
export async function lineageOf(services: Services, row: Row, asked: LineageAsked): Promise<object> {
  const { store, settings } = services
  const { id, name } = row as { id: string; name: string }
  await settings.caughtUp()
  const { records: records_count, origins } = await originsOf(store, name)
  const made_by = await makerOf(store, settings.view.get(name)?.made_by ?? null)
  const { limit, after } = asked
  const fields = await conditions(store, asked)
  const page = { table: records, equal: { dataset: name, deleted: 0 }, fields, limit }
  const rows = await store.page({ ...page, ...(after === undefined ? {} : { after }) })
  const sources = await Promise.all(
    origins.map(async each => ({ ...each, name: await nameOf(store, each.dataset_id) })),
  )
  return {
    dataset_id: id,
    name: settings.view.get(name)?.title ?? name,
    records_count,
    made_records: origins.reduce((sum, each) => sum + each.records, 0),
    made_by,
    sources,
    items: rows.map(record => ({ id: record.id, ...originOf(record) })),
    next_cursor: nextCursor(rows, limit, 'id'),
  }
}

async function conditions(store: ReadStore, { source, strategy }: LineageAsked): Promise<FieldCondition[]> {
  const column = 'origin'
  // Only what was made has an origin.
  const fields: FieldCondition[] = [{ column, field: 'dataset_id', comparison: '!=', value: null }]
  if (source !== undefined) {
    const value = (await findDataset(store, source)).id as string
    fields.push({ column, field: 'dataset_id', comparison: '=', value })
  }
  if (strategy !== undefined) fields.push({ column, field: 'strategy', comparison: '=', value: strategy })
  return fields
}

/** The job that makes a data set; also one that was deleted since. */
async function makerOf(store: ReadStore, jobId: string | null): Promise<object | null> {
  const [row] = jobId === null ? [] : await store.load(jobsTable, [[jobId]])
  if (!row) return null
  const { config, type } = showHidden(configOf(row)).connector
  const { output, seed, ...rest } = config as { output: unknown; seed: string; [name: string]: unknown }
  const run = runOf(row)
  const result = run?.result ? JSON.parse(run.result) : null
  return { job_id: row.id, type, status: row.status, deleted: row.deleted === 1, seed, config: rest, result }
}

async function nameOf(store: ReadStore, id: string): Promise<string | null> {
  const [row] = await store.page({ table: datasetsTable, equal: { id }, limit: 1 })
  return (row?.name as string | undefined) ?? null
}
