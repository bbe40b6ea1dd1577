import { Pool } from 'pg'
import { DomainError } from '../kernel/errors.ts'

const CONNECT_MS = 10_000
const STATEMENT_MS = 30_000

/** A few connections for what is asked rarely. A connection that breaks while nobody uses it is replaced by the next use. */
export function smallPool(url: string): Pool {
  const pool = new Pool({
    connectionString: url,
    max: 2,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: STATEMENT_MS + 2000,
    keepAlive: true,
    application_name: 'superinsight keeps',
  })
  pool.on('error', () => undefined)
  return pool
}

/** What PostgreSQL and its client say of a failure names addresses, users and tables, never a password. */
export function unavailable(error: Error): DomainError {
  return new DomainError('UNAVAILABLE', `the read store: ${error.message || error.name}`, { retryAfter: 5 })
}
