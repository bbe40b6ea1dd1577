import { sourceIn, statedAt } from '../domain/basis.ts'
import type { Conflict } from '../domain/conflict.ts'
import type { RecordState } from '../domain/record.ts'
import type { ConflictTold, Events, RecordPushed } from '../events/index.ts'
import { timeOrderedId } from '../kernel/id.ts'
import type { Emit, Source } from '../kernel/projection.ts'

type News = Emit<Pick<Events, 'ConflictTold' | 'ConflictDetected'>>

/** Base-32 digits of an offset, and of a stream's partition. */
const OFFSET_DIGITS = 11
const PARTITION_DIGITS = 3

/** The id of the conflict that an event brought: the same in every rebuild, for it follows from the event's place. */
export function conflictId(receivedAt: number, { stream, offset }: Pick<Source, 'stream' | 'offset'>): string {
  const digits = new Uint8Array(OFFSET_DIGITS + PARTITION_DIGITS)
  fill(digits, OFFSET_DIGITS, offset)
  fill(digits, digits.length, Number(stream.slice(stream.lastIndexOf('-') + 1)))
  return timeOrderedId('conf', receivedAt, digits)
}

/** Writes the base-32 digits of a number before `end`, as far as they are not 0. */
function fill(digits: Uint8Array, end: number, value: number): void {
  for (let at = end - 1, rest = value; rest > 0; at--, rest = Math.floor(rest / 32)) digits[at] = rest % 32
}

/** The key of a conflict's events, and the name of its aggregate. */
export function conflictKey(id: string): string {
  return `conflict/${id}`
}

function told(event: RecordPushed, { stream, offset }: Source): Omit<ConflictTold, 'conflict_id' | 'news'> {
  return {
    dataset: event.dataset,
    id: event.id,
    conflict_type: '',
    resolution_required: false,
    resolution: null,
    source_stream: stream,
    source_offset: offset,
    told_at: event.received_at,
    job_id: event.job_id,
  }
}

/** Tells subscribers of a conflict, and keeps both of its sides. `current` is the row before the event. */
export function tellDetected(
  emit: News,
  { type, policy, resolution, fields }: Conflict,
  current: RecordState,
  event: RecordPushed,
  source: Source,
): void {
  const conflict_id = conflictId(event.received_at, source)
  const resolution_required = resolution === null
  const news = { conflict_id, news: 'detected' as const, conflict_type: type, resolution_required, resolution }
  emit('ConflictTold', () => ({ ...told(event, source), ...news }))
  const { dataset, id: record_id, source: system, request_id, job_id } = event
  emit(
    'ConflictDetected',
    () => ({
      ...{ conflict_id, dataset, record_id, conflict_type: type, policy, resolution },
      current: current.data,
      current_version: current.version,
      current_updated_at: statedAt(current.basis),
      current_source: sourceIn(current.basis),
      incoming: event.op === 'delete' ? null : event.data,
      incoming_version: event.version,
      incoming_updated_at: event.updated_at,
      ...{ fields, source: system, request_id, job_id },
      ...{ source_stream: source.stream, source_offset: source.offset, detected_at: event.received_at },
    }),
    conflictKey(conflict_id),
  )
}

/** Tells subscribers that a conflict was decided, if that is what brought the event. */
export function tellResolved(
  emit: News,
  event: RecordPushed,
  { resolves, resolution }: NonNullable<RecordPushed['conflict']>,
  source: Source,
): void {
  if (resolves === null) return
  emit('ConflictTold', () => ({ ...told(event, source), conflict_id: resolves, news: 'resolved', resolution }))
}
