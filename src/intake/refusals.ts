import { randomBytes } from 'node:crypto'
import { shown } from '../catalog/formats/format.ts'
import type { RecordPushed, RecordRejected } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import { valueAt } from '../kernel/members.ts'
import type { IntakeOptions } from './intake.ts'
import type { RowError } from './parse.ts'

/** What follows the time in an id: first where a row stands among the refused ones of its push, then what makes it unique. */
export function inOrder(n: number): Uint8Array {
  const bytes = randomBytes(12)
  for (let digit = 4, rest = n; digit >= 0; digit--, rest = Math.floor(rest / 32)) bytes[digit] = rest % 32
  return bytes
}

/** What stands where a JSON pointer leads, cut; null for nothing, and for the whole row. */
export function shownAt(row: string, pointer: string): string | null {
  const value = pointer === '' ? undefined : valueAt(row, pointer)
  return value === undefined ? null : shown(value)
}

interface Refused {
  readonly id: string
  readonly dataset: string
  readonly recordId: string | null
  readonly original: Buffer
  readonly originalBytes: number
  readonly line: number
  readonly receivedAt: number
}

/** The event that keeps a refused row of a push. */
export function rejectionOf(push: IntakeOptions, row: RowError, refused: Refused): RecordRejected {
  return {
    id: refused.id,
    dataset: refused.dataset,
    record_id: refused.recordId,
    stage: row.stage ?? 'parse',
    code: row.code,
    field: row.field,
    message: row.message,
    original: refused.original,
    original_bytes: refused.originalBytes,
    source: push.source,
    actor: push.actor,
    request_id: push.requestId,
    line: refused.line,
    received_at: refused.receivedAt,
    job_id: push.jobId ?? null,
    value: row.value ?? null,
    data: row.data ?? null,
    webhook_id: push.webhookId ?? null,
    data_only: push.dataOnly !== undefined,
    id_at: push.dataOnly?.idAt ?? null,
    text_only: push.textOnly ?? false,
    ...{ upsert: push.upsert, validate: push.validate, transform: push.transform },
  }
}

/** A row that its data set's contract does not take in, as the refusal of all that comes with it and after it. */
export function asFrozen(row: RowError, number: number, { id, dataset }: RecordPushed) {
  const about = `record ${JSON.stringify(id.slice(0, 100))} at ${number}: ${row.message}`
  const details = [{ field: row.field || 'data', message: about }]
  return (accepted: number) => {
    const taken =
      accepted === 0 ? 'nothing of this push is taken' : `no more of this push is taken than ${accepted} rows`
    return new DomainError('VALIDATION_ERROR', `${about}; data set ${dataset} is frozen, so ${taken}`, { details })
  }
}
