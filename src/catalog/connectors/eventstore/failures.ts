import type { ServiceError } from '@grpc/grpc-js'
import { DomainError, invalid } from '../../../kernel/errors.ts'
import { basic, type Client } from './client.ts'
import { CONNECTION_FIELD, type Connection, type Endpoint } from './connection-string.ts'

/** What may be over when it is tried again. */
export class Passing extends Error {
  /** Who has what this node does not give. */
  readonly leader: Endpoint | undefined

  constructor(message: string, leader?: Endpoint) {
    super(message)
    this.name = 'Passing'
    this.leader = leader
  }
}

/** There is no such stream, or none any more. */
export class StreamMissing extends Error {}

/** Reads what a call ended with. */
export interface Refusals {
  of(error: unknown): Passing | DomainError | StreamMissing
}

const SHOWN = 300
/** What TLS says of a certificate that will not be better in a minute, or of a server that has no TLS. */
const OF_TLS =
  /certificate|self.signed|altnames|wrong version number|SSL routines|unable to (?:verify|get)|ERR_TLS|ERR_SSL/i

/** `stream`: what is read; undefined for `$all`. */
export function createRefusals({ grpc: { status } }: Client, connection: Connection, stream?: string): Refusals {
  const hide = hiding(connection)

  /** By the key that the database adds, of those that a read can end with. */
  function byException(error: ServiceError): Passing | DomainError | StreamMissing | undefined {
    const said = (key: string) => error.metadata?.get(key)[0]?.toString()
    switch (said('exception')) {
      case 'stream-not-found':
        return new StreamMissing()
      case 'stream-deleted':
        return invalid('connector.config.stream', `the stream ${said('stream-name') ?? stream} was deleted for good`)
      case 'access-denied':
        return denied(hide(error.details))
      case 'not-leader': {
        const port = Number(said('leader-endpoint-port'))
        const host = said('leader-endpoint-host')
        const isKnown = host !== undefined && Number.isInteger(port) && port > 0 && port <= 65_535
        return new Passing('the node is not the leader', isKnown ? { host, port } : undefined)
      }
      default:
        return undefined
    }
  }

  function denied(details: string): DomainError {
    const what = stream === undefined || stream.startsWith('$') ? ', and system streams need rights of their own' : ''
    return invalid(CONNECTION_FIELD, `the server refused access${what}: ${details}`)
  }

  return {
    of(error) {
      if (error instanceof DomainError || error instanceof Passing) return error
      const { code, details } = error as ServiceError
      // Not from gRPC: a mistake of ours, for the runner to tell.
      if (typeof code !== 'number') throw error
      const known = byException(error as ServiceError)
      if (known) return known
      const text = hide(details).slice(0, SHOWN)
      switch (code) {
        case status.UNAUTHENTICATED:
        case status.PERMISSION_DENIED:
          return denied(text)
        case status.UNAVAILABLE:
          return OF_TLS.test(text) ? invalid(CONNECTION_FIELD, `no TLS with the server: ${text}`) : new Passing(text)
        case status.UNIMPLEMENTED:
          return invalid(CONNECTION_FIELD, `the server is no event store that this service can read: ${text}`)
        case status.INVALID_ARGUMENT:
        case status.OUT_OF_RANGE:
        case status.FAILED_PRECONDITION:
          return invalid('connector.config.from', `the server refused the read: ${text}`)
        case status.UNKNOWN:
          // A position between two events, which no event of this log ever had.
          if (text.includes('InvalidPosition')) return invalid('connector.config.from', 'no event has this position')
          return new Passing(text)
        case status.RESOURCE_EXHAUSTED:
          if (!text.includes('larger than max')) return new Passing(text)
          return new DomainError('VALIDATION_ERROR', `an event is larger than MAX_SOURCE_ANSWER_BYTES allows: ${text}`)
        default:
          return new Passing(`${status[code]}: ${text}`)
      }
    },
  }
}

/** Takes a password out of a text that a server had a hand in, in every way in which it was sent one. */
function hiding({ login }: Connection): (text: string) => string {
  if (!login) return text => text
  const spellings = [basic(login), `${login.username}:${login.password}`, login.password]
  const wanted = [...spellings, ...spellings.map(encodeURIComponent)]
  return text => wanted.reduce((hidden, each) => hidden.replaceAll(each, '***'), text)
}
