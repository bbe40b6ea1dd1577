import { type DomainError, invalid } from '../../../kernel/errors.ts'

export const CONNECTION_FIELD = 'connector.config.connection_string'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

const PREFERENCES = ['leader', 'follower', 'readonlyreplica', 'random'] as const
export type Preference = (typeof PREFERENCES)[number]

/** What a connection string says. */
export interface Connection {
  /** One node to read from; or a name or several nodes of a cluster, which are asked for the others. */
  readonly cluster: boolean
  readonly hosts: readonly Endpoint[]
  readonly login: { readonly username: string; readonly password: string } | undefined
  readonly tls: boolean
  readonly verifyCertificate: boolean
  readonly preference: Preference
  readonly name: string
  /** Milliseconds; undefined: no pings. */
  readonly keepAliveMs: number | undefined
  readonly keepAliveTimeoutMs: number
}

const DEFAULT_PORT = 2113
const MOST_HOSTS = 32
const MOST_MS = 2 ** 31 - 1
const FILES = ['tlscafile', 'usercertfile', 'userkeyfile']
/** Options of the database's clients that this service has its own settings for, or that are about writing. */
const WITHOUT_EFFECT = [
  ...['defaultdeadline', 'discoveryinterval', 'gossiptimeout', 'maxdiscoverattempts'],
  'throwonappendfailure',
]
const KNOWN = 'connectionName, keepAliveInterval, keepAliveTimeout, nodePreference, tls, tlsVerifyCert'

/**
 * Reads `esdb://user:password@host:port,host:port?option=value` and the names the same has had since. Throws a
 * VALIDATION_ERROR that quotes nothing of the text: what is spelled wrong may be a part of a password.
 */
export function parseConnectionString(text: string): Connection {
  const [, discover, authority = '', slashes = '', query = ''] =
    /^(?:esdb|kurrentdb|kurrent|kdb)(\+discover)?:\/\/([^/?]*)(\/*)(.*)$/is.exec(text.trim()) ?? []
  if (authority === '') throw wrong('expected esdb://host:port or esdb+discover://host:port, with options after a ?')
  if (query.includes('@')) throw wrong('/, ? and @ within a user name, a password or a value are written in % signs')
  if (query !== '' && !query.startsWith('?'))
    throw wrong(`expected ? and options ${slashes ? 'after /' : 'at the end'}`)
  const at = authority.lastIndexOf('@')
  const hosts = authority.slice(at + 1).split(',')
  if (hosts.length > MOST_HOSTS) throw wrong(`at most ${MOST_HOSTS} hosts`)
  const options = optionsOf(query)
  return {
    cluster: discover !== undefined || hosts.length > 1,
    hosts: hosts.map(endpointOf),
    login: at === -1 ? undefined : loginOf(authority.slice(0, at)),
    tls: truth(options, 'tls'),
    verifyCertificate: truth(options, 'tlsverifycert'),
    preference: preferenceOf(options.get('nodepreference') ?? 'leader'),
    name: options.get('connectionname') ?? 'superinsight-sync',
    keepAliveMs: milliseconds(options, 'keepaliveinterval') ?? undefined,
    keepAliveTimeoutMs: milliseconds(options, 'keepalivetimeout') ?? MOST_MS,
  }
}

function wrong(message: string): DomainError {
  return invalid(CONNECTION_FIELD, message)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong('a % sign is not followed by two hexadecimal digits of UTF-8')
  }
}

function loginOf(text: string): Connection['login'] {
  const colon = text.indexOf(':')
  if (colon < 1 || colon === text.length - 1) throw wrong('expected user:password before the @')
  return { username: decoded(text.slice(0, colon)), password: decoded(text.slice(colon + 1)) }
}

function endpointOf(text: string): Endpoint {
  const [, v6, name, digits] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  const host = v6 ?? name
  const port = digits === undefined ? DEFAULT_PORT : Number(digits)
  if (host === undefined || host.length > 253 || port < 1 || port > 65_535) {
    throw wrong('expected hosts as name:port, 192.0.2.1:port or [2001:db8::1]:port, with commas between')
  }
  return { host, port }
}

/** The options under their names as the database's clients compare them: whatever the case, with or without _ and -. */
function optionsOf(query: string): Map<string, string> {
  const options = new Map<string, string>()
  for (const part of query.slice(1).split('&').filter(Boolean)) {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(part) ?? []
    if (name === undefined) throw wrong('expected name=value for each option')
    const flat = name.trim().toLowerCase().replace(/[_-]/g, '')
    if (FILES.includes(flat)) {
      throw wrong("options that name a file of the service's machine are refused; tls_ca takes a certificate's text")
    }
    const known = [...KNOWN.toLowerCase().split(', '), ...WITHOUT_EFFECT]
    if (!known.includes(flat)) throw wrong(`it has an option that is not known; known are ${KNOWN}`)
    options.set(flat, decoded(value!.trim()))
  }
  return options
}

function truth(options: ReadonlyMap<string, string>, name: string): boolean {
  const value = options.get(name) ?? 'true'
  if (value !== 'true' && value !== 'false') throw wrong('tls and tlsVerifyCert are true or false')
  return value === 'true'
}

function preferenceOf(value: string): Preference {
  const flat = value.toLowerCase().replace(/[_-]/g, '')
  const found = PREFERENCES.find(each => each === flat)
  if (!found) throw wrong('nodePreference is leader, follower, read_only_replica or random')
  return found
}

/** Null where -1 asks for none. */
function milliseconds(options: ReadonlyMap<string, string>, name: string): number | null {
  const value = options.get(name) ?? '10000'
  if (value === '-1') return null
  if (!/^\d{1,10}$/.test(value) || Number(value) < 1000 || Number(value) > MOST_MS) {
    throw wrong(`keepAliveInterval and keepAliveTimeout are milliseconds from 1000 to ${MOST_MS}, or -1 for none`)
  }
  return Number(value)
}
