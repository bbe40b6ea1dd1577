import { z } from 'zod'
import { type Described, fault } from './server-messages.ts'

interface Event extends Described {
  /** What it is called in the stream; `message` is what browsers call one that has no name. */
  readonly event: 'message' | 'resync_required' | 'problem'
}

const position = z.string().describe('Give it as from, or as Last-Event-ID, and nothing is missed.')

/** What GET /events sends as Server-Sent Events, by their names here: the `data` of each. */
export const historyMessages = {
  historyEvent: {
    event: 'message',
    summary: 'Something that happened.',
    payload: z.strictObject({
      id: z.string(),
      topic: z.string(),
      type: z.string().describe('The name of its Avro record.'),
      key: z.string(),
      position,
      time: z.string().meta({ format: 'date-time' }).describe('When the log took it in.'),
      payload: z.record(z.string(), z.unknown()).describe('The event as its Avro record has it; bytes in base64.'),
    }),
    example: {
      id: 'evt_01hkyp0e00000000000000001',
      topic: 'sync.replays',
      type: 'RejectionReplayed',
      key: 'rej_123',
      position: '5f0c2a9e~log.2s',
      time: '2024-01-01T00:00:00.000Z',
      payload: { rejection_id: 'rej_123' },
    },
  },
  historyResync: {
    event: 'resync_required',
    summary: 'Retention has taken events before they were sent. The stream ends.',
    payload: z.strictObject({
      reason: z.string().describe('In words.'),
      from: z.string().nullable().describe('After it events are missing; null: from the first on.'),
      position: z.string().nullable().describe('Where to go on: what comes between the two is gone.'),
    }),
    example: {
      reason: 'events after Last-Event-ID are no longer kept',
      from: '5f0c2a9e~log.2s',
      position: '5f0c2a9e~log.5k',
    },
  },
  historyProblem: {
    event: 'problem',
    summary: 'What ends the stream, such as a token that has expired.',
    payload: z.strictObject({ error: z.strictObject({ ...fault, request_id: z.string() }) }),
    example: {
      error: {
        code: 'UNAUTHORIZED',
        message: 'the token has expired or was revoked',
        details: [],
        request_id: 'req_123',
      },
    },
  },
} as const satisfies Record<string, Event>

export type HistoryMessage = keyof typeof historyMessages
