import type { ConflictDetected, ConflictReopened, ConflictResolved } from '../events/index.ts'
import { hasHad, type Projection, type Row, type Rows, versioned } from '../kernel/projection.ts'

/** Every conflict with both of its sides, and how it stands. */
export const conflicts = versioned({
  name: 'conflicts',
  columns: {
    id: 'text',
    dataset: 'text',
    record_id: 'text',
    type: 'text',
    policy: 'text',
    status: 'text',
    resolution: 'text',
    /** What its policy decided; null: it asked somebody. */
    policy_resolution: 'text',
    current: 'text',
    current_version: 'integer',
    current_updated_at: 'text',
    current_source: 'text',
    incoming: 'text',
    incoming_version: 'integer',
    incoming_updated_at: 'text',
    /** JSON: an array of names. */
    fields: 'text',
    source: 'text',
    request_id: 'text',
    job_id: 'text',
    record_stream: 'text',
    record_offset: 'integer',
    detected_at: 'integer',
    resolved_by: 'text',
    resolved_at: 'integer',
    reopened_by: 'text',
    reopened_at: 'integer',
    stream: 'text',
    offset: 'integer',
    /** Where it came to stand so: the record that it was found with, or the decision on it. */
    since_stream: 'text',
    since_offset: 'integer',
  },
  key: ['id'],
  fixed: ['dataset', 'record_id', 'type'],
  since: ['since_stream', 'since_offset'],
  indexes: [
    ['dataset', 'record_id', 'id'],
    ['dataset', 'id'],
    ['status', 'id'],
    ['type', 'id'],
  ],
})

type ConflictEvent = ConflictDetected | ConflictResolved | ConflictReopened

const idOf = (key: string) => key.slice(key.indexOf('/') + 1)

function detected(event: ConflictDetected): Omit<Row, 'stream' | 'offset'> {
  const { conflict_id: id, dataset, record_id, conflict_type: type, policy, resolution, source, job_id } = event
  const { current_version, current_updated_at, incoming_version, incoming_updated_at, detected_at } = event
  return {
    ...{ id, dataset, record_id, type, policy, source, job_id },
    status: resolution === null ? 'open' : 'resolved',
    ...{ resolution, policy_resolution: resolution },
    ...{ current: event.current, current_version, current_updated_at, current_source: event.current_source },
    ...{ incoming: event.incoming, incoming_version, incoming_updated_at },
    ...{ fields: JSON.stringify(event.fields), request_id: event.request_id, detected_at },
    ...{ record_stream: event.source_stream, record_offset: event.source_offset },
    ...{ since_stream: event.source_stream, since_offset: event.source_offset },
    ...{ resolved_by: null, resolved_at: resolution === null ? null : detected_at },
    ...{ reopened_by: null, reopened_at: null },
  }
}

function evolve(rows: Rows, event: ConflictEvent, type: string, at: { stream: string; offset: number }): void {
  const { conflict_id: id } = event
  const was = rows.get(conflicts, id)
  if (type === 'ConflictDetected') {
    if (!was) rows.put(conflicts, id, { ...detected(event as ConflictDetected), ...at })
    return
  }
  if (!was || hasHad(was, at)) return
  const place = { ...at, since_stream: at.stream, since_offset: at.offset }
  if (type === 'ConflictResolved') {
    const { resolution, by: resolved_by, at: resolved_at } = event as ConflictResolved
    rows.put(conflicts, id, { ...was, ...place, status: 'resolved', resolution, resolved_by, resolved_at })
    return
  }
  const { by: reopened_by, at: reopened_at } = event as ConflictReopened
  const undecided = { status: 'open', resolution: null, resolved_by: null, resolved_at: null }
  rows.put(conflicts, id, { ...was, ...place, ...undecided, reopened_by, reopened_at })
}

/** Conflicts from `sync.conflicts`. All events of one are in one stream, its finding first. */
export const conflictsProjection: Projection<ConflictEvent> = {
  name: 'conflicts',
  version: 2,
  topics: ['sync.conflicts'],
  tables: [conflicts, conflicts.versions],
  wants: ({ key }, want) => want(conflicts, idOf(key)),
  evolve: (rows, event, { stream, offset }, type) => evolve(rows, event, type, { stream, offset }),
}
