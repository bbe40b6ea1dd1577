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
    readonly progress: number
    readonly records_processed: number
    readonly records_total: number | null
  }
>
export type ConflictNews = Sent<'conflict_detected' | 'conflict_resolved', Readonly<Record<string, unknown>>>

/** What came between the message before and `position` cannot be told any more: read it over HTTP, and go on. */
export interface Gap {
  readonly type: 'gap'
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

/** Whether a message is for whoever subscribed, and not for this client. */
export function isTold(message: Incoming): message is Incoming & Exclude<Message, Gap> {
  return TOLD.includes(message.type)
}
