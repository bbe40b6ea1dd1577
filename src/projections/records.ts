import { verdictOf } from '../domain/quality-state.ts'
import { mergeRecord, type RecordState } from '../domain/record.ts'
import type { Events, RecordPushed } from '../events/index.ts'
import { hasHad, KEY_SEPARATOR, type Projection, versioned } from '../kernel/projection.ts'
import { tellDetected, tellResolved } from './conflict-news.ts'
import { countKey, countRecords, datasetCounts, datasets } from './datasets.ts'
import { countQuality, datasetQuality } from './quality.ts'

/** Every record as it stands now; `deleted` rows keep the version count of what was removed. */
export const records = versioned({
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
    /** How the push that wrote it was judged (domain/quality-state.ts): it counts in its data set's score by that. */
    verdict: 'integer',
    /** The record that it was made of, as JSON text of an Origin; null for what was pushed. */
    origin: 'text',
  },
  key: ['dataset', 'id'],
  remembered: true,
})

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
  version: 3,
  topics: ['sync.records'],
  tables: [
    records,
    records.versions,
    datasets,
    datasetCounts,
    datasetCounts.versions,
    datasetQuality,
    datasetQuality.versions,
  ],
  // The key of the event is the key of the row: `recordKey`.
  wants({ key, stream }, want) {
    const dataset = key.slice(0, key.indexOf(KEY_SEPARATOR))
    want(records, key)
    want(datasets, dataset)
    const count = countKey(dataset, stream)
    want(datasetCounts, count)
    want(datasetQuality, count)
  },
  evolve(rows, event, source, _type, emit) {
    const row = rows.get(records, source.key)
    if (hasHad(row, source)) return
    const current = row as unknown as RecordState | undefined
    const effect = mergeRecord(current, event)
    if (effect?.state) {
      const { state, operation, removed } = effect
      // What a policy has merged is not what was held against the rules.
      const accurate = state.data === event.data ? event.keeps_rules : null
      const verdict = state.data === null ? 0 : verdictOf(event.received_at, event.updated_at, accurate)
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
        verdict,
        origin: state.data === null || event.origin === null ? null : JSON.stringify(event.origin),
      })
      const by = operation === 'create' ? 1 : operation === 'delete' ? -1 : 0
      const origins = {
        was: (row?.origin as string | null | undefined) ?? null,
        now: state.data === null ? null : event.origin,
      }
      countQuality(rows, event.dataset, source, row, state.data, verdict)
      countRecords(rows, event.dataset, event.id, by, origins, source, event.received_at)
      emit('RecordChanged', () => ({
        dataset: event.dataset,
        id: event.id,
        operation,
        version: state.version,
        changes: effect.changes(),
        removed,
        source_stream: source.stream,
        source_offset: source.offset,
        source: event.source,
        changed_at: event.received_at,
        job_id: event.job_id,
        told_more: effect.conflict !== undefined || (event.conflict !== null && event.conflict.resolves !== null),
      }))
    }
    if (effect?.conflict) tellDetected(emit, effect.conflict, current!, event, source)
    if (event.conflict !== null) tellResolved(emit, event, event.conflict, source)
  },
}
