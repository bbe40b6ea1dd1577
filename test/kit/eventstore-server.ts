import { readFileSync } from 'node:fs'
import { GossipService } from '@eventstore/db-client/generated/gossip_grpc_pb.js'
import gossipMessages from '@eventstore/db-client/generated/gossip_pb.js'
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import features from '@eventstore/db-client/generated/serverfeatures_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js'
import messages, {
  type AppendReq,
  type AppendResp,
  type DeleteReq,
  type DeleteResp,
  type ReadReq,
  type ReadResp,
  type TombstoneReq,
  type TombstoneResp,
} from '@eventstore/db-client/generated/streams_pb.js'
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import {
  createEventLog,
  type EventLog,
  type Expected,
  type Found,
  type NewEvent,
  type Resolved,
  type StoredEvent,
} from './eventstore-log.ts'

/*
 * A small EventStoreDB in this process, of the gRPC services that its client package ships: reading, appending and
 * deleting streams, gossip, and what a server says that it supports. Statuses and the keys beside them are those of the
 * server's own source.
 */

export interface Failure {
  readonly code: status
  readonly details: string
  readonly metadata?: Metadata
}

export interface Member {
  readonly host: string
  readonly port: number
  /** By the numbers of the protocol: 6 a follower, 8 the leader, 2 unknown. */
  readonly state: number
  readonly isAlive?: boolean
}

export interface EventStoreServer {
  readonly host: string
  readonly port: number
  readonly log: EventLog
  /** The metadata that each read came with. */
  readonly seen: Metadata[]
  /** What is answered to a read instead; `never`: nothing at all. */
  refuse: ((read: ReadReq.Options) => Failure | 'never' | undefined) | undefined
  /** What gossip answers. */
  members: readonly Member[]
  stop(): Promise<void>
}

export interface ServerOptions {
  readonly host?: string
  readonly tls?: boolean
  /** Who may read. Without it everybody may. */
  readonly login?: { readonly username: string; readonly password: string }
  /** A log that several servers share, as the nodes of a cluster do. */
  readonly log?: EventLog
}

/** As the server reads: by so many events. */
const BATCH = 32
const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url))

/** The certificate of a server with TLS. */
export const CERTIFICATE = fixture('localhost.crt').toString()

export function withKeys(keys: Record<string, string>): Metadata {
  const metadata = new Metadata()
  for (const [key, value] of Object.entries(keys)) metadata.set(key, value)
  return metadata
}

const deleted = (stream: string): Failure => ({
  code: status.FAILED_PRECONDITION,
  details: `Event stream '${stream}' is deleted.`,
  metadata: withKeys({ exception: 'stream-deleted', 'stream-name': stream }),
})

const denied: Failure = {
  code: status.PERMISSION_DENIED,
  details: 'Access Denied',
  metadata: withKeys({ exception: 'access-denied' }),
}

export async function startEventStoreServer(options: ServerOptions = {}): Promise<EventStoreServer> {
  const { host = '127.0.0.1', login, log = createEventLog() } = options
  const server = new Server({ 'grpc.max_receive_message_length': -1 })
  const own = {
    ...{ host, port: 0, log, seen: [] as Metadata[] },
    refuse: undefined as EventStoreServer['refuse'],
    members: [] as readonly Member[],
    stop: async () => server.forceShutdown(),
  }

  function unauthorised(metadata: Metadata): Failure | undefined {
    if (!login) return undefined
    const given = metadata.get('authorization')[0]
    if (given === undefined) return denied
    const wanted = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
    return given === wanted ? undefined : { code: status.UNAUTHENTICATED, details: 'Authentication failed' }
  }

  async function read(call: ServerWritableStream<ReadReq, ReadResp>): Promise<void> {
    own.seen.push(call.metadata)
    const asked = call.request.getOptions()!
    const failure = unauthorised(call.metadata) ?? own.refuse?.(asked)
    if (failure === 'never') return
    if (failure) return void call.emit('error', failure)
    if (!asked.hasUuidOption() || !asked.hasNoFilter() || !asked.hasCount()) {
      return void call.emit('error', { code: status.INVALID_ARGUMENT, details: 'The combination is invalid.' })
    }
    for await (const answer of answers(log, asked)) {
      if (call.cancelled) return
      if (answer instanceof messages.ReadResp) {
        if (!call.write(answer)) await drained(call)
      } else return void call.emit('error', answer)
    }
    call.end()
  }

  function append(call: ServerReadableStream<AppendReq, AppendResp>, callback: sendUnaryData<AppendResp>): void {
    let stream = ''
    let expected: Expected = 'any'
    const events: NewEvent[] = []
    call.on('data', (part: AppendReq) => {
      const header = part.getOptions()
      if (header) {
        stream = nameOf(header.getStreamIdentifier())
        if (header.hasRevision()) expected = BigInt(header.getRevision())
        else if (header.hasNoStream()) expected = 'no_stream'
        else if (header.hasStreamExists()) expected = 'stream_exists'
        return
      }
      const event = part.getProposedMessage()!
      const said = event.getMetadataMap()
      events.push({
        ...{ id: event.getId()!.getString(), type: said.get('type')!, contentType: said.get('content-type')! },
        ...{ data: event.getData_asU8(), metadata: event.getCustomMetadata_asU8() },
      })
    })
    call.on('end', () => {
      const appended = log.append(stream, expected, events)
      if (appended === 'deleted') return callback(deleted(stream))
      const answer = new messages.AppendResp()
      if (appended.isWrong) {
        const wrong = new messages.AppendResp.WrongExpectedVersion().setCurrentRevision(String(appended.last))
        return callback(null, answer.setWrongExpectedVersion(wrong.setExpectedAny(new shared.Empty())))
      }
      const success = new messages.AppendResp.Success().setCurrentRevision(String(appended.last))
      callback(null, answer.setSuccess(success.setNoPosition(new shared.Empty())))
    })
  }

  server.addService(StreamsService, {
    read: (call: ServerWritableStream<ReadReq, ReadResp>) => void read(call).catch(error => call.destroy(error)),
    append,
    delete(call: { request: DeleteReq }, callback: sendUnaryData<DeleteResp>) {
      log.delete(nameOf(call.request.getOptions()?.getStreamIdentifier()))
      callback(null, new messages.DeleteResp())
    },
    tombstone(call: { request: TombstoneReq }, callback: sendUnaryData<TombstoneResp>) {
      log.tombstone(nameOf(call.request.getOptions()?.getStreamIdentifier()))
      callback(null, new messages.TombstoneResp())
    },
    batchAppend: (call: ServerReadableStream<unknown, unknown>) =>
      void call.emit('error', { code: status.UNIMPLEMENTED, details: 'not here' }),
  })
  server.addService(GossipService, {
    read(_call: unknown, callback: sendUnaryData<InstanceType<typeof gossipMessages.ClusterInfo>>) {
      const info = new gossipMessages.ClusterInfo()
      for (const { host: address, port, state, isAlive = true } of own.members) {
        const endpoint = new gossipMessages.EndPoint().setAddress(address).setPort(port)
        info.addMembers(new gossipMessages.MemberInfo().setState(state).setIsAlive(isAlive).setHttpEndPoint(endpoint))
      }
      callback(null, info)
    },
  })
  server.addService(ServerFeaturesService, {
    getSupportedMethods(_call: unknown, callback: sendUnaryData<InstanceType<typeof features.SupportedMethods>>) {
      const answer = new features.SupportedMethods().setEventStoreServerVersion('24.10.0')
      for (const method of ['read', 'append', 'delete', 'tombstone']) {
        const supported = new features.SupportedMethod().setMethodName(method)
        answer.addMethods(supported.setServiceName('event_store.client.streams.streams'))
      }
      callback(null, answer)
    },
  })
  const key = { private_key: fixture('localhost.key'), cert_chain: fixture('localhost.crt') }
  const credentials = options.tls ? ServerCredentials.createSsl(null, [key]) : ServerCredentials.createInsecure()
  own.port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${host}:0`, credentials, (error, port) => (error ? reject(error) : resolve(port))),
  )
  return own
}

/** Resolves when more may be written, or nobody wants it. */
function drained(call: ServerWritableStream<ReadReq, ReadResp>): Promise<void> {
  return new Promise(resolve => {
    const ends = ['drain', 'cancelled', 'close']
    const done = () => {
      for (const end of ends) call.off(end, done)
      resolve()
    }
    for (const end of ends) call.on(end, done)
  })
}

/** What a read answers, one batch after the other, as the server's own readers do. */
async function* answers(log: EventLog, asked: ReadReq.Options): AsyncGenerator<ReadResp | Failure> {
  const resolve = asked.getResolveLinks()
  const isBackwards = asked.getReadDirection() === messages.ReadReq.Options.ReadDirection.BACKWARDS
  let left = Number(asked.getCount())
  const all = asked.getAll()
  if (all) {
    if (isBackwards) return yield* log.allLast(resolve).map(answerOf)
    let from = BigInt(all.getPosition()?.getCommitPosition() ?? 0)
    while (left > 0) {
      const found = log.allForwards(from, Math.min(BATCH, left), resolve)
      if (!found) return yield { code: status.UNKNOWN, details: 'Unexpected ReadAllResult: InvalidPosition' }
      if (found.events.length === 0) return
      yield* found.events.map(answerOf)
      left -= found.events.length
      from = found.next
      await turn()
    }
    return
  }
  const stream = nameOf(asked.getStream()!.getStreamIdentifier())
  let from = BigInt(asked.getStream()!.getRevision() || 0)
  while (left > 0) {
    const found: Found = isBackwards ? log.last(stream, resolve) : log.forwards(stream, from, BATCH, resolve)
    if (found === 'deleted') return yield deleted(stream)
    if (found === 'no-stream') {
      const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream))
      return yield new messages.ReadResp().setStreamNotFound(
        new messages.ReadResp.StreamNotFound().setStreamIdentifier(identifier),
      )
    }
    yield* found.events.slice(0, left).map(answerOf)
    left -= found.events.length
    if (found.atEnd) return
    from = found.next
    await turn()
  }
}

function answerOf({ event, link }: Resolved): ReadResp {
  const read = new messages.ReadResp.ReadEvent()
  if (event) read.setEvent(recordedOf(event))
  if (link) read.setLink(recordedOf(link))
  return new messages.ReadResp().setEvent(read.setCommitPosition(String((link ?? event)!.position)))
}

function recordedOf(event: StoredEvent): ReadResp.ReadEvent.RecordedEvent {
  const recorded = new messages.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(event.id))
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(event.stream)))
    .setStreamRevision(String(event.revision))
    .setCommitPosition(String(event.position))
    .setPreparePosition(String(event.position))
    .setData(event.data)
    .setCustomMetadata(event.metadata)
  const said = recorded.getMetadataMap()
  said.set('type', event.type).set('content-type', event.contentType).set('created', String(event.created))
  return recorded
}

function nameOf(identifier: InstanceType<typeof shared.StreamIdentifier> | undefined): string {
  return Buffer.from(identifier!.getStreamName_asU8()).toString()
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
