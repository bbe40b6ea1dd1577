import { z } from 'zod'
import type { Told } from './changes.ts'

const RECORD_TYPES = ['record_created', 'record_updated', 'record_deleted'] as const
const CONFLICT_TYPES = ['conflict_detected', 'conflict_resolved'] as const
const JOB_TYPES = ['job_status', 'sync_progress', 'file_progress'] as const
const EVENT_TYPES = [...RECORD_TYPES, ...CONFLICT_TYPES, ...JOB_TYPES] as const
type EventType = (typeof EVENT_TYPES)[number]

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
export type Filter = (told: Told) => boolean

/** News of a job, as far as a filter looks at it. */
export interface AboutJob {
  readonly type: 'job_status' | 'sync_progress'
  readonly jobId: string
  /** Whether the job brings a file. */
  readonly ofFile: boolean
}

/** Whether news of a job is wanted. */
export type JobFilter = (news: AboutJob) => boolean

/** What a filter comes to: two that let the same through come to the same, however they are written. */
export interface Wanted {
  readonly dataset: string | undefined
  readonly record_ids: readonly string[] | undefined
  readonly fields: readonly string[] | undefined
  readonly job_id: string | undefined
  /** What can come at all, given the rest; nothing when the filter contradicts itself. */
  readonly types: readonly EventType[]
}

const OPERATION: Readonly<Record<string, EventType>> = {
  create: 'record_created',
  update: 'record_updated',
  delete: 'record_deleted',
}

const sorted = <Text extends string>(list: readonly Text[] | undefined) => list && [...new Set(list)].sort()

/** Reads a filter. Who asks for operations or fields gets changes only, who asks for records gets no news of jobs. */
export function wantedBy(spec: FilterSpec): Wanted {
  const { dataset = spec.table, table = dataset, record_ids, operations, fields, job_id } = spec
  const asked = new Set<EventType>(spec.event_types ?? EVENT_TYPES)
  // The import of a file is a job, and its progress a job's.
  if (asked.has('sync_progress')) asked.delete('file_progress')
  const keep = (types: readonly EventType[]) => types.filter(type => asked.has(type))
  const ofRecords = operations ? keep(operations.map(operation => OPERATION[operation]!)) : keep(RECORD_TYPES)
  const ofConflicts = operations || fields ? [] : keep(CONFLICT_TYPES)
  const ofJobs = operations || fields || dataset !== undefined || record_ids ? [] : keep(JOB_TYPES)
  const types = dataset === table ? sorted([...ofRecords, ...ofConflicts, ...ofJobs])! : []
  return { dataset, record_ids: sorted(record_ids), fields: sorted(fields), job_id, types }
}

/** The same text for filters that let the same through, so that their subscribers share one topic. */
export function filterKey({ dataset, record_ids, fields, job_id, types }: Wanted): string {
  return JSON.stringify(types.length === 0 ? [] : [dataset ?? 0, record_ids ?? 0, fields ?? 0, job_id ?? 0, types])
}

function typeOf(told: Told): EventType {
  return told.type === 'RecordChanged' ? OPERATION[told.data.operation]! : `conflict_${told.data.news}`
}

function changedFields(told: Told): readonly string[] {
  told.fields ??= told.type === 'RecordChanged' ? Object.keys(JSON.parse(told.data.changes)) : []
  return told.fields
}

export function compileFilter(wanted: Wanted): Filter {
  const { dataset, job_id } = wanted
  const ids = wanted.record_ids && new Set(wanted.record_ids)
  const fields = wanted.fields && new Set(wanted.fields)
  const types = new Set(wanted.types)
  return told =>
    (dataset === undefined || told.data.dataset === dataset) &&
    (job_id === undefined || told.data.job_id === job_id) &&
    (ids === undefined || ids.has(told.data.id)) &&
    types.has(typeOf(told)) &&
    (fields === undefined || changedFields(told).some(name => fields.has(name)))
}

export function compileJobFilter({ job_id, types }: Wanted): JobFilter {
  const wanted = new Set(types)
  return ({ type, jobId, ofFile }) =>
    (job_id === undefined || job_id === jobId) &&
    (wanted.has(type) || (ofFile && wanted.has('file_progress') && type === 'sync_progress'))
}
