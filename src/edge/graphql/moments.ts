import { DomainError } from '../../kernel/errors.ts'
import type { Moment } from '../../store/store.ts'
import { momentOf } from '../moment.ts'
import type { Context } from './context.ts'

/** The moment that an argument `asOf` names; undefined for now. Throws VALIDATION_ERROR, GONE, NOT_YET_PROJECTED. */
export async function momentAsked(
  { asked }: Context,
  text: string | null | undefined,
  topics: readonly string[],
): Promise<Moment | undefined> {
  if (text === null || text === undefined) return undefined
  return momentOf(asked.request.services, text, topics).catch(error => {
    throw renamed(error, 'as_of', 'asOf')
  })
}

/** An error about a field that has another name here. */
export function renamed(error: unknown, from: string, to: string): unknown {
  if (!(error instanceof DomainError)) return error
  const message = error.message.startsWith(`${from}:`) ? to + error.message.slice(from.length) : error.message
  const details = error.details.map(each => (each.field === from ? { ...each, field: to } : each))
  const { code, retryAfter } = error
  return new DomainError(code, message, { details, ...(retryAfter === undefined ? {} : { retryAfter }) })
}
