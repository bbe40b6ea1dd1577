import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { DomainError, invalid } from '../../../kernel/errors.ts'
import type { Guard } from '../../reach/guard.ts'
import { defineConnector } from '../connector.ts'
import { auths } from './auth/index.ts'
import { config } from './config.ts'
import { pull } from './pull.ts'
import { secretsOf } from './secrets.ts'
import { readState } from './state.ts'

/** JSON from HTTP: every page of every endpoint, one after the other. */
export const restApi = defineConnector({
  type: 'rest_api',
  summary:
    'Takes rows from HTTP endpoints that answer JSON, page by page: all of them, or what is new since the last run.',
  config,
  secrets: secretsOf,
  begin(last) {
    const { cursors } = readState(last)
    return Object.keys(cursors).length === 0 ? undefined : { cursors }
  },
  pull,
  async check({ base_url, auth }, { guard }) {
    await checkAddress(base_url, 'base_url', guard)
    const { addresses = [] } = auths.find(({ type }) => type === auth.type) ?? {}
    const fields = auth as unknown as Record<string, string>
    for (const field of addresses) await checkAddress(fields[field]!, `auth.${field}`, guard)
  },
})

async function checkAddress(address: string, field: string, guard: Guard): Promise<void> {
  const host = new URL(address).hostname.replace(/^\[(.*)\]$/, '$1')
  try {
    if (isIP(host) !== 0) guard.check(host, host)
    else await promisify(guard.lookup)(host, { all: true })
  } catch (error) {
    if (error instanceof DomainError) throw invalid(field, error.message)
    // A name that nobody knows today may be known when the job runs, which says so if it is not.
    if ((error as NodeJS.ErrnoException).syscall !== 'getaddrinfo') throw error
  }
}
