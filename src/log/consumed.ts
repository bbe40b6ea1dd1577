import { DomainError } from '../kernel/errors.ts'

const FIELD = 'consumed'

/** The refusal of an append whose input was handled before. It crosses threads as its code, message and details. */
export function alreadyConsumed(offset: number, checkpoint: string): DomainError {
  const message = `offset ${offset} was already handled by ${checkpoint}`
  return new DomainError('CONFLICT', message, { details: [{ field: FIELD, message }] })
}

export function isAlreadyConsumed(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'CONFLICT' && error.details[0]?.field === FIELD
}
