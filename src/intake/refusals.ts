import { randomBytes } from 'node:crypto'
import type { RecordPushed } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import type { RowError } from './parse.ts'

/** What follows the time in an id: first where a row stands among the refused ones of its push, then what makes it unique. */
export function inOrder(n: number): Uint8Array {
  const bytes = randomBytes(12)
  for (let digit = 4, rest = n; digit >= 0; digit--, rest = Math.floor(rest / 32)) bytes[digit] = rest % 32
  return bytes
}

/** A row that its data set's contract does not take in, as the refusal of all that came with it. */
export function asFrozen(row: RowError, number: number, { id, dataset }: RecordPushed): DomainError {
  const about = `record ${JSON.stringify(id.slice(0, 100))} at ${number}: ${row.message}`
  const message = `${about}; data set ${dataset} is frozen, so nothing of this push is taken`
  return new DomainError('VALIDATION_ERROR', message, { details: [{ field: row.field || 'data', message: about }] })
}
