import { isIP, Socket } from 'node:net'
import type { ClientConfig } from 'pg'
import { withoutPassword } from '../../../../kernel/address.ts'
import { DomainError } from '../../../../kernel/errors.ts'
import type { Guard } from '../../../reach/guard.ts'

/** Where a database is and who asks, as an address says it. */
export interface PostgresAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly sslmode: SslMode
  /** Settings of the session. */
  readonly options: string | undefined
  /** The address as it may be shown. */
  readonly shown: string
}

const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
type SslMode = (typeof SSL_MODES)[number]

/**
 * Reads an address. All that matters must be in it: what is missing is not taken from the environment, where the service
 * has settings and passwords of its own, and no parameter may name a file or another host.
 */
export function parsePostgresAddress(text: string): PostgresAddress {
  if (!URL.canParse(text))
    throw wrong('this is no address of a PostgreSQL database: special characters must be encoded')
  const url = new URL(text)
  const parameters = new Map(url.searchParams)
  const sslmode = parameters.get('sslmode') ?? 'disable'
  const unknown = [...parameters.keys()].find(name => !['sslmode', 'options', 'application_name'].includes(name))
  if (unknown !== undefined) throw wrong(`the parameter ${unknown} cannot be used here`)
  if (!isSslMode(sslmode)) throw wrong(`sslmode: expected one of ${SSL_MODES.join(', ')}`)
  const host = decoded(url.hostname).replace(/^\[(.*)\]$/, '$1')
  const [user, database] = [decoded(url.username), decoded(url.pathname.slice(1))]
  if (host === '' || host.includes('/')) throw wrong('a host is missing')
  if (user === '') throw wrong('a user is missing')
  if (database === '') throw wrong('a database is missing')
  const place = { host, port: url.port === '' ? 5432 : Number(url.port), user, database }
  const options = parameters.get('options')
  return { ...place, password: decoded(url.password), sslmode, options, shown: withoutPassword(text) }
}

function isSslMode(text: string): text is SslMode {
  return (SSL_MODES as readonly string[]).includes(text)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw wrong('a % in it stands for nothing: special characters must be encoded')
  }
}

export function wrong(message: string): DomainError {
  const field = 'destination.url'
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details: [{ field, message }] })
}

/** How to connect, with or without TLS. Only an address that the guard lets through is connected to. */
export function clientConfig(address: PostgresAddress, tls: boolean, guard: Guard, connectMs: number): ClientConfig {
  const { host, port, user, database, options, sslmode } = address
  return {
    ...{ host, port, user, database, ...(options === undefined ? {} : { options }) },
    // A function: an empty password would be looked for in the environment and in files.
    password: () => address.password,
    ssl: tls && tlsOptions(sslmode),
    stream: () => guardedSocket(guard),
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    application_name: 'superinsight sink',
  }
}

/** As libpq has it: `require` is for secrecy alone, `verify-ca` knows the server's maker, `verify-full` the server. */
function tlsOptions(sslmode: SslMode) {
  if (sslmode === 'verify-full') return { rejectUnauthorized: true }
  if (sslmode === 'verify-ca') return { rejectUnauthorized: true, checkServerIdentity: () => undefined }
  return { rejectUnauthorized: false }
}

/** A socket that asks the guard before it connects. TLS is about the name all the same: the client sees to that. */
function guardedSocket(guard: Guard): Socket {
  const socket = new Socket()
  const connect = socket.connect.bind(socket) as (options: object) => Socket
  const guarded = (port: number, host: string) => {
    if (isIP(host) !== 0) {
      try {
        guard.check(host, host)
      } catch (refusal) {
        return socket.destroy(refusal as Error)
      }
    }
    return connect({ port, host, lookup: guard.lookup })
  }
  return Object.assign(socket, { connect: guarded })
}
