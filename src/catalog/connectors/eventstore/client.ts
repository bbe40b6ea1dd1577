import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js'
import type { ChannelCredentials, ClientOptions, Metadata } from '@grpc/grpc-js'
import { invalid } from '../../../kernel/errors.ts'
import type { Connection } from './connection-string.ts'
import type { Node } from './nodes.ts'

/**
 * The gRPC services of `@eventstore/db-client`, loaded when a job first needs them: they take 30 MB, which a service
 * without such jobs does not carry. Its client above them is left aside. It parses JSON and so loses what a JavaScript
 * number does not hold; it connects by itself, past the guard; and it prints a connection string that it finds odd.
 */
export async function loadClient() {
  const [grpc, { StreamsClient }, { GossipClient }, messages, shared] = await Promise.all([
    import('@grpc/grpc-js'),
    import('@eventstore/db-client/generated/streams_grpc_pb.js'),
    import('@eventstore/db-client/generated/gossip_grpc_pb.js'),
    import('@eventstore/db-client/generated/streams_pb.js'),
    import('@eventstore/db-client/generated/shared_pb.js'),
  ])
  const { ReadReq } = messages.default
  const { Empty, StreamIdentifier } = shared.default
  return { grpc, StreamsClient, GossipClient, ReadReq, Empty, StreamIdentifier }
}

export type Client = Awaited<ReturnType<typeof loadClient>>

/** How to talk to any node of the database: what goes with each connection, and with each call. */
export interface Dialling {
  readonly credentials: ChannelCredentials
  options(node: Node): ClientOptions
  metadata(): Metadata
}

/** `answerBytes`: the largest message that is taken. */
export function createDialling(client: Client, connection: Connection, ca: string | undefined, answerBytes: number) {
  const { grpc } = client
  const { login, tls, name } = connection
  const dialling: Dialling = {
    credentials: tls ? secured(client, connection, ca) : grpc.credentials.createInsecure(),
    options: node => ({
      // The node's address has been checked; the name is for its certificate, and for whoever routes by it.
      'grpc.default_authority': node.name,
      ...(node.serverName && { 'grpc.ssl_target_name_override': node.serverName }),
      'grpc.enable_http_proxy': 0,
      // Shared with nobody: closed, it is gone.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': answerBytes,
      ...(connection.keepAliveMs && {
        'grpc.keepalive_time_ms': connection.keepAliveMs,
        'grpc.keepalive_timeout_ms': connection.keepAliveTimeoutMs,
      }),
    }),
    metadata() {
      const metadata = new grpc.Metadata()
      metadata.set('connection-name', name.replace(/[^\x20-\x7e]/g, '?').slice(0, 100))
      // As the database's clients do: never in clear, and a server without TLS does not ask for it.
      if (tls && login) metadata.set('authorization', `Basic ${basic(login)}`)
      return metadata
    },
  }
  return dialling
}

export function basic({ username, password }: NonNullable<Connection['login']>): string {
  return Buffer.from(`${username}:${password}`).toString('base64')
}

function secured({ grpc }: Client, { verifyCertificate }: Connection, ca: string | undefined): ChannelCredentials {
  try {
    const roots = ca === undefined ? null : Buffer.from(ca)
    const verify = verifyCertificate ? {} : { rejectUnauthorized: false, checkServerIdentity: () => undefined }
    return grpc.credentials.createSsl(roots, null, null, verify)
  } catch {
    throw invalid('connector.config.tls_ca', 'expected certificates in PEM')
  }
}

/** Where a read begins. A revision and a position are themselves read, too. */
export type ReadFrom = 'start' | 'end' | { readonly revision: bigint } | Position

export interface Position {
  readonly commit: bigint
  readonly prepare: bigint
}

export interface Read {
  /** Undefined: `$all`. */
  readonly stream: string | undefined
  readonly from: ReadFrom
  readonly resolveLinks: boolean
  /** The last event before `from` and nothing more. */
  readonly lastOnly?: boolean
}

/** As much as a client may ask for: the server ends the read at the stream's end. */
const ALL = String(Number.MAX_SAFE_INTEGER)

export function readRequest({ ReadReq, Empty, StreamIdentifier }: Client, read: Read): ReadReq {
  const { from } = read
  const options = new ReadReq.Options()
  if (read.stream === undefined) {
    const place = new ReadReq.Options.AllOptions()
    if (from === 'start') place.setStart(new Empty())
    else if (from === 'end') place.setEnd(new Empty())
    else if ('commit' in from) {
      const position = new ReadReq.Options.Position()
      position.setCommitPosition(String(from.commit)).setPreparePosition(String(from.prepare))
      place.setPosition(position)
    }
    options.setAll(place)
  } else {
    const place = new ReadReq.Options.StreamOptions()
    place.setStreamIdentifier(new StreamIdentifier().setStreamName(Buffer.from(read.stream)))
    if (from === 'start') place.setStart(new Empty())
    else if (from === 'end') place.setEnd(new Empty())
    else if ('revision' in from) place.setRevision(String(from.revision))
    options.setStream(place)
  }
  const { FORWARDS, BACKWARDS } = ReadReq.Options.ReadDirection
  options.setReadDirection(read.lastOnly ? BACKWARDS : FORWARDS)
  options.setCount(read.lastOnly ? '1' : ALL)
  options.setResolveLinks(read.resolveLinks)
  options.setUuidOption(new ReadReq.Options.UUIDOption().setString(new Empty()))
  options.setNoFilter(new Empty())
  return new ReadReq().setOptions(options)
}
