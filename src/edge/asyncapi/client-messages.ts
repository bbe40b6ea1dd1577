import type { z } from 'zod'
import { authSchema, refreshSchema } from '../socket/requests.ts'
import { subscribeSchema, unsubscribeSchema } from '../socket/subscriptions.ts'
import type { ServerMessage } from './server-messages.ts'

/** A message that a client may send, and what it is answered with; each may be answered with `error`. */
export interface ClientMessage {
  readonly summary: string
  /** What checks its payload; none for a message that needs none. */
  readonly payload?: z.ZodType
  readonly examples: readonly [object, ...object[]]
  readonly answers: readonly ServerMessage[]
}

export const clientMessages = {
  auth: {
    summary: 'The first message of a socket whose upgrade brought no credential.',
    payload: authSchema,
    examples: [{ token: 'eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl' }, { api_key: 'sk_live_jD1nqzYh0Ywv' }],
    answers: ['authenticated'],
  },
  subscribe: {
    summary: 'Asks for changes: those that match the filters, from now on or from after a position.',
    payload: subscribeSchema,
    examples: [
      {
        channel: 'sync_updates',
        filters: { job_id: 'job_123', event_types: ['record_created', 'record_updated'] },
      },
      {
        channel: 'sync_updates',
        subscription_id: 'prices',
        filters: { dataset: 'products', operations: ['update'], fields: ['price'] },
      },
      { channel: 'sync_updates', filters: { dataset: 'products' }, since: '5f0c2a9e~log.2s' },
    ],
    answers: ['subscribed', 'resync_required'],
  },
  unsubscribe: {
    summary: 'Ends one subscription or, without its id, all of the channel.',
    payload: unsubscribeSchema,
    examples: [{ subscription_id: 'prices' }, { channel: 'sync_updates' }],
    answers: ['unsubscribed'],
  },
  refresh: {
    summary: 'Puts a new access token of the same client in the place of the old one; subscriptions stay.',
    payload: refreshSchema,
    examples: [{ token: 'eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl' }],
    answers: ['refreshed'],
  },
  ping: { summary: 'Asks whether the service is there.', examples: [{}], answers: ['pong'] },
} as const satisfies Record<string, ClientMessage>
