import { z } from 'zod'
import type { RecordChanged } from '../../events/index.ts'

const EVENT_TYPES = [
  'record_created',
  'record_updated',
  'record_deleted',
  'sync_progress',
  'job_status',
  'conflict_detected',
  'conflict_resolved',
  'file_progress',
] as const

const names = z.array(z.string().min(1).max(512)).min(1).max(1000)

/** What a subscription may ask for: keys combine by AND, the values of a list by OR. */
export const filterSchema = z.strictObject({
  dataset: z.string().min(1).max(200).optional(),
  table: z.string().min(1).max(200).optional(),
  record_ids: names.optional(),
  operations: z
    .array(z.enum(['create', 'update', 'delete']))
    .min(1)
    .optional(),
  fields: names.optional(),
  job_id: z.string().min(1).max(200).optional(),
  event_types: z.array(z.enum(EVENT_TYPES)).min(1).optional(),
})

export type FilterSpec = z.infer<typeof filterSchema>
export type Filter = (change: RecordChanged) => boolean

/** Whether news of a job is wanted. */
export type JobFilter = (news: { readonly type: 'job_status' | 'sync_progress'; readonly jobId: string }) => boolean

/** What a filter says about jobs: one that asks for something only records have lets no job through. */
export function compileJobFilter(spec: FilterSpec): JobFilter {
  const { dataset, table, record_ids, operations, fields, job_id } = spec
  if ([dataset, table, record_ids, operations, fields].some(asked => asked !== undefined)) return () => false
  // The import of a file is a job, and its progress a job's.
  const types =
    spec.event_types && new Set(spec.event_types.map(type => (type === 'file_progress' ? 'sync_progress' : type)))
  return ({ type, jobId }) => (job_id === undefined || job_id === jobId) && (types === undefined || types.has(type))
}

const TYPE_OF: Record<RecordChanged['operation'], (typeof EVENT_TYPES)[number]> = {
  create: 'record_created',
  update: 'record_updated',
  delete: 'record_deleted',
}

/** The same text for filters that let the same changes through, so that their subscribers share one topic. */
export function filterKey(spec: FilterSpec): string {
  const sorted = Object.entries(spec).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(
    sorted.map(([name, value]) => [name, Array.isArray(value) ? [...new Set(value)].sort() : value]),
  )
}

export function compileFilter(spec: FilterSpec): Filter {
  const { dataset, table, job_id } = spec
  const ids = spec.record_ids && new Set(spec.record_ids)
  const operations = spec.operations && new Set(spec.operations)
  const types = spec.event_types && new Set(spec.event_types)
  const fields = spec.fields && new Set(spec.fields)
  return change =>
    (dataset === undefined || change.dataset === dataset) &&
    (table === undefined || change.dataset === table) &&
    (job_id === undefined || change.job_id === job_id) &&
    (ids === undefined || ids.has(change.id)) &&
    (operations === undefined || operations.has(change.operation)) &&
    (types === undefined || types.has(TYPE_OF[change.operation])) &&
    (fields === undefined || Object.keys(JSON.parse(change.changes)).some(name => fields.has(name)))
}
