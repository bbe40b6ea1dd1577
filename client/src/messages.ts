/** What a subscription lets through: keys combine by AND, the values of a list by OR. */
export interface Filters {
  readonly dataset?: string
  readonly table?: string
  readonly record_ids?: readonly string[]
  readonly operations?: readonly ('create' | 'update' | 'delete')[]
  /** One of them changed. */
  readonly fields?: readonly string[]
  readonly job_id?: string
  readonly event_types?: readonly string[]
}

interface Sent<Type extends string, Payload> {
  readonly type: Type
  readonly payload: Payload
  readonly timestamp: string
  /** Opaque. Keep the last one: given as `since` it brings everything after this message. */
  readonly position: string
}

export type RecordChange = Sent<
  'record_change',
  {
    readonly operation: 'create' | 'update' | 'delete'
    readonly table: string
    readonly record_id: string
    readonly changes: Readonly<Record<string, { readonly old: unknown; readonly new: unknown }>>
  }
>
export type JobStatus = Sent<'job_status', { readonly job_id: string; readonly status: string }>
export type SyncProgress = Sent<
  'sync_progress',
  {
    readonly job_id: string
    /** Percent; null while the total is not known. */
    readonly progress: number | null
    readonly records_processed: number
    readonly records_total: number | null
  }
>
interface Conflict {
  readonly conflict_id: string
  readonly record_id: string
  readonly table: string
}

export type ConflictDetected = Sent<
  'conflict_detected',
  Conflict & {
    readonly conflict_type: 'version' | 'concurrent_field' | 'delete_update' | 'insert_insert'
    /** Whether it waits for somebody to resolve it. */
    readonly resolution_required: boolean
  }
>
export type ConflictResolved = Sent<'conflict_resolved', Conflict & { readonly resolution: string }>
export type ConflictNews = ConflictDetected | ConflictResolved

/** What came between the message before and `position` cannot be told any more: read it over HTTP, and go on. */
export interface Gap {
  readonly type: 'gap'
  /** The position is of another log, lies beyond the end of its log, or what came after it is no longer kept. */
  readonly code: 'other_log' | 'beyond_end' | 'not_kept'
  readonly reason: string
  /** Where the subscription goes on. */
  readonly position: string
}

export type Message = RecordChange | JobStatus | SyncProgress | ConflictNews | Gap

const TOLD = ['record_change', 'job_status', 'sync_progress', 'conflict_detected', 'conflict_resolved']

/** Whatever a service sends. */
export interface Incoming {
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly timestamp: string
  readonly position: string
}

/** What a service does not tell again: their position is that of something else, which is told too. */
const NEVER_AGAIN = ['job_status', 'sync_progress']

/** Whether a message has a position of its own, by which it is known when it is told again. */
export function isContinued({ type }: Message): boolean {
  return !NEVER_AGAIN.includes(type)
}

/** Whether a message is for whoever subscribed, and not for this client. */
export function isTold(message: Incoming): message is Incoming & Exclude<Message, Gap> {
  return TOLD.includes(message.type)
}
