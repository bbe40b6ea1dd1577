import { mergeRecord, type RecordState } from '../domain/record.ts'
import type { Events, RecordPushed } from '../events/index.ts'
import { KEY_SEPARATOR, type Projection, type Table } from '../kernel/projection.ts'
import { tellDetected, tellResolved } from './conflict-news.ts'
import { countKey, countRecords, datasetCounts, datasets } from './datasets.ts'

/** Every record as it stands now; `deleted` rows keep the version count of what was removed. */
export const records: Table = {
  name: 'records',
  columns: {
    dataset: 'text',
    id: 'text',
    data: 'text',
    version: 'integer',
    deleted: 'integer',
    updated_at: 'text',
    stream: 'text',
    offset: 'integer',
    /** What the row has to know about itself for conflicts to come (domain/basis.ts); null for most. */
    basis: 'text',
  },
  key: ['dataset', 'id'],
}

export function recordKey(dataset: string, id: string): string {
  return dataset + KEY_SEPARATOR + id
}

let lastTime = -1
let lastText = ''
/** A time as text, remembering the last one: whole batches share it. */
function timeText(time: number): string {
  if (time !== lastTime) {
    lastText = new Date(time).toISOString()
    lastTime = time
  }
  return lastText
}

/** What this projection puts out: changes and news of conflicts to `sync.changes`, both sides to `sync.conflicts`. */
export type RecordOutputs = Pick<Events, 'RecordChanged' | 'ConflictTold' | 'ConflictDetected'>

/** Records and data sets from `sync.records`. */
export const recordsProjection: Projection<RecordPushed, RecordOutputs> = {
  name: 'records',
  topics: ['sync.records'],
  tables: [records, datasets, datasetCounts],
  // The key of the event is the key of the row: `recordKey`.
  wants({ key, stream }, want) {
    const dataset = key.slice(0, key.indexOf(KEY_SEPARATOR))
    want(records, key)
    want(datasets, dataset)
    want(datasetCounts, countKey(dataset, stream))
  },
  evolve(rows, event, source, _type, emit) {
    const row = rows.get(records, source.key)
    // Already in the row, or without effect on it: an event that comes a second time changes nothing.
    if (row && row.stream === source.stream && (row.offset as number) >= source.offset) return
    const current = row as unknown as RecordState | undefined
    const effect = mergeRecord(current, event)
    if (effect?.state) {
      const { state, operation, changes } = effect
      rows.put(records, source.key, {
        dataset: event.dataset,
        id: event.id,
        data: state.data,
        version: state.version,
        deleted: state.data === null ? 1 : 0,
        updated_at: event.updated_at ?? timeText(event.received_at),
        stream: source.stream,
        offset: source.offset,
        basis: state.basis,
      })
      const by = operation === 'create' ? 1 : operation === 'delete' ? -1 : 0
      countRecords(rows, event.dataset, by, { ...source, time: event.received_at })
      emit('RecordChanged', {
        dataset: event.dataset,
        id: event.id,
        operation,
        version: state.version,
        changes,
        source_stream: source.stream,
        source_offset: source.offset,
        source: event.source,
        changed_at: event.received_at,
        job_id: event.job_id,
        told_more: effect.conflict !== undefined || (event.conflict !== null && event.conflict.resolves !== null),
      })
    }
    if (effect?.conflict) tellDetected(emit, effect.conflict, current!, event, source)
    if (event.conflict !== null) tellResolved(emit, event, event.conflict, source)
  },
}
