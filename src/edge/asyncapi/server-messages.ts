import { z } from 'zod'
import { ERROR_CODES } from '../problem.ts'

const conflict = {
  conflict_id: z.string(),
  record_id: z.string(),
  table: z.string(),
}
const standing = z.strictObject({
  scopes: z.array(z.string()),
  expires_in: z.int().min(0).nullable().describe('Seconds; null: never.'),
})
const jobStatus = z.enum(['pending', 'running', 'paused', 'waiting', 'completed', 'failed', 'cancelled'])
/** What is wrong, for programs and for people. */
export const fault = {
  code: z.enum(ERROR_CODES),
  message: z.string(),
  details: z.array(z.strictObject({ field: z.string(), message: z.string() })),
}
const value = z
  .unknown()
  .describe('Any JSON value; null where there is none. Numbers stand exactly as they were pushed.')

export interface Described {
  readonly summary: string
  readonly payload: z.ZodType
  readonly example: object
}

/** Every message that the service sends, over WebSocket and as Server-Sent Events. */
export const serverMessages = {
  authenticated: {
    summary: 'Answers auth.',
    payload: standing,
    example: { scopes: ['sync:read'], expires_in: 3600 },
  },
  subscribed: {
    summary: 'Answers subscribe, before any message of the subscription.',
    payload: z.strictObject({
      subscription_id: z.string(),
      channel: z.literal('sync_updates'),
      position: z.string().describe('What comes after it is told.'),
      recovered: z.boolean().describe('Whether it goes on from a since.'),
    }),
    example: {
      subscription_id: 'prices',
      channel: 'sync_updates',
      position: '5f0c2a9e~log.2s',
      recovered: true,
    },
  },
  unsubscribed: {
    summary: 'Answers unsubscribe.',
    payload: z.strictObject({
      channel: z.literal('sync_updates'),
      subscription_ids: z.array(z.string()).describe('All that have ended.'),
      subscription_id: z.string().optional().describe('The one that was named.'),
    }),
    example: { channel: 'sync_updates', subscription_ids: ['prices'], subscription_id: 'prices' },
  },
  refreshed: {
    summary: 'Answers refresh.',
    payload: standing,
    example: { scopes: ['sync:read'], expires_in: 3600 },
  },
  pong: { summary: 'Answers ping.', payload: z.strictObject({}), example: {} },
  error: {
    summary: 'A message that could not be done; the socket stays open.',
    payload: z.strictObject(fault),
    example: {
      code: 'VALIDATION_ERROR',
      message: 'payload.filters.colour: this field is not known here',
      details: [{ field: 'payload.filters.colour', message: 'this field is not known here' }],
    },
  },
  record_change: {
    summary: 'One version of a record: each field that differs, with its old and new value.',
    payload: z.strictObject({
      operation: z.enum(['create', 'update', 'delete']),
      table: z.string().describe('The data set.'),
      record_id: z.string(),
      changes: z.record(z.string(), z.strictObject({ old: value, new: value })),
    }),
    example: {
      operation: 'update',
      table: 'customers',
      record_id: 'cust_123',
      changes: { name: { old: 'John', new: 'John Doe' } },
    },
  },
  job_status: {
    summary: 'What a job does now. The import of a file is a job.',
    payload: z.strictObject({ job_id: z.string(), status: jobStatus }),
    example: { job_id: 'job_123', status: 'running' },
  },
  sync_progress: {
    summary: 'How far a run of a job is.',
    payload: z.strictObject({
      job_id: z.string(),
      progress: z.number().min(0).max(100).nullable().describe('Percent; null when the total is not known.'),
      records_processed: z.int().min(0),
      records_total: z.int().min(0).nullable(),
    }),
    example: { job_id: 'job_123', progress: 75.5, records_processed: 15_100, records_total: 20_000 },
  },
  conflict_detected: {
    summary: 'A push that was made from something earlier than the row as it is.',
    payload: z.strictObject({
      ...conflict,
      conflict_type: z.enum(['version', 'concurrent_field', 'delete_update', 'insert_insert']),
      resolution_required: z.boolean().describe('Whether it waits for somebody to resolve it.'),
    }),
    example: {
      conflict_id: 'conf_123',
      record_id: 'rec_456',
      table: 'customers',
      conflict_type: 'version',
      resolution_required: true,
    },
  },
  conflict_resolved: {
    summary: 'A conflict that was resolved.',
    payload: z.strictObject({ ...conflict, resolution: z.string() }),
    example: { conflict_id: 'conf_123', record_id: 'rec_456', table: 'customers', resolution: 'accept_incoming' },
  },
  resync_required: {
    summary: 'Messages were not sent, and the subscription has ended: subscribe again with since = from.',
    payload: z.strictObject({
      code: z
        .enum(['slow', 'other_log', 'beyond_end', 'not_kept'])
        .describe('slow: nothing is missed by continuing. With the others something is, and read over HTTP.'),
      reason: z.string().describe('The same in words.'),
      from: z.string().describe('Where to continue.'),
      position: z.string().describe('The same as from.'),
    }),
    example: {
      code: 'slow',
      reason: 'the client was slow: more than 4194304 bytes waited for it',
      from: '5f0c2a9e~log.2s',
      position: '5f0c2a9e~log.2s',
    },
  },
  token_expiring: {
    summary: 'Once for each token or API key, a while before it ends: send refresh.',
    payload: z.strictObject({ expires_in: z.int().min(0).describe('Seconds.') }),
    example: { expires_in: 60 },
  },
} as const satisfies Record<string, Described>

export type ServerMessage = keyof typeof serverMessages
