import { DomainError } from '../../../kernel/errors.ts'
import { SourceBusy } from '../../connectors/connector.ts'

/** What Kafka says of a producer whose transactional id somebody else has opened after it. */
const FENCED = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING'])
const WRONG = /AUTHORIZATION_FAILED|INVALID_TOPIC|POLICY_VIOLATION|INVALID_REPLICATION_FACTOR|INVALID_PARTITIONS|SASL/

/** The error at the bottom of those that kafkajs wraps it in. */
function bottomOf(error: unknown): { name?: string; type?: string; retriable?: boolean; message: string } {
  let found = error as { cause?: unknown; originalError?: unknown; errors?: unknown[]; message: string }
  for (let depth = 0; depth < 10; depth++) {
    const inner = found.errors?.[0] ?? found.originalError ?? found.cause
    if (!(inner instanceof Error) || inner === found) break
    found = inner as typeof found
  }
  return found
}

/** Whether an error is the broker's, of this type. */
export function isOfType(error: unknown, type: string): boolean {
  return bottomOf(error).type === type
}

/** Whether the broker itself says to ask again, as while it chooses who is to look after a group. */
export function isPassing(error: unknown): boolean {
  return bottomOf(error).retriable === true
}

export function isFenced(error: unknown): boolean {
  return FENCED.has(bottomOf(error).type ?? '')
}

/** A failure of Kafka or its client as one that callers know. */
export function kafkaFault(error: unknown, topic: string): Error {
  if (error instanceof DomainError || error instanceof SourceBusy) return error
  const { type = '', name = '', message } = bottomOf(error)
  if (isFenced(error)) return new DomainError('CONFLICT', 'another runner has taken over the destination')
  const said = `topic ${topic}: ${message}`
  if (!WRONG.test(type) && !WRONG.test(name)) return new SourceBusy(said)
  const field = 'destination.topic'
  return new DomainError('VALIDATION_ERROR', `${field}: ${said}`, { details: [{ field, message: said }] })
}
