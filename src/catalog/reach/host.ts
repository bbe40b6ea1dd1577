import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { DomainError, invalid } from '../../kernel/errors.ts'
import type { Guard } from './guard.ts'

/**
 * Throws a VALIDATION_ERROR about `field` for a host, as a URL has it, with an address that may not be connected to. A name
 * that nobody knows today may be known when a job runs, which says so if it is not.
 */
export async function checkHost(host: string, field: string, guard: Guard): Promise<void> {
  const name = host.replace(/^\[(.*)\]$/, '$1')
  try {
    if (isIP(name) !== 0) guard.check(name, name)
    else await promisify(guard.lookup)(name, { all: true })
  } catch (error) {
    if (error instanceof DomainError) throw invalid(field, error.message)
    if ((error as NodeJS.ErrnoException).syscall !== 'getaddrinfo') throw error
  }
}
