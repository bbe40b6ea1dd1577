import { DomainError } from '../kernel/errors.ts'

/** The refusal of an append whose input was handled before. It crosses threads as its code, message and details. */
export function alreadyConsumed(offset: number, checkpoint: string): DomainError {
  const message = `offset ${offset} was already handled by ${checkpoint}`
  return new DomainError('CONFLICT', message, { details: [{ field: 'consumed', message }] })
}
