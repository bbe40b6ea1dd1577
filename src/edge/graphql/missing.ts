import { DomainError } from '../../kernel/errors.ts'

/** What is asked for by its id is null when there is none. */
export async function nullIfMissing<Found>(finding: Promise<Found>): Promise<Found | null> {
  return finding.catch(error => {
    if (error instanceof DomainError && error.code === 'NOT_FOUND') return null
    throw error
  })
}
