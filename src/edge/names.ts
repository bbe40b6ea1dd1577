import { checkName, RowRefused } from '../intake/parse.ts'
import { invalid } from '../kernel/errors.ts'

/** The name that was given, or else `fallback`, checked as the name of a data set or source. Throws VALIDATION_ERROR. */
export function named(field: string, given: string | undefined, fallback: string): string {
  const name = given ?? fallback
  try {
    checkName(name, field)
  } catch (error) {
    if (error instanceof RowRefused) throw invalid(field, error.message.replace(`${field}: `, ''))
    throw error
  }
  return name
}
