import { invalid } from '../kernel/errors.ts'

/** Whether a text that may be a position or a time is a time. */
export const isTime = (text: string): boolean => !text.includes('~')

const TIME = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/i

/** Milliseconds since 1970. Throws VALIDATION_ERROR naming `field`. */
export function timeOf(text: string, field: string): number {
  // In a query a plus sign that was not escaped has become a space.
  const given = text.replace(' ', '+')
  const time = Date.parse(given)
  const [, year, month, day] = TIME.exec(given) ?? []
  // The 31st of a shorter month would be read as a day of the next one.
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  if (Number.isFinite(time) && Number(day) <= lastDay) return time
  const shown = text.slice(0, 60)
  throw invalid(
    field,
    `expected a position that this API gave out, or a time such as 2026-01-31T12:00:00Z, got "${shown}"`,
  )
}

/** The same of a time that has come. Throws VALIDATION_ERROR naming `field`, also for one in the future. */
export function pastTimeOf(text: string, field: string): number {
  const time = timeOf(text, field)
  if (time <= Date.now()) return time
  throw invalid(field, `${text.slice(0, 60)} is in the future`)
}
