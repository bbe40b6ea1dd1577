import { randomUUID } from 'node:crypto'
import { binaryEvent, EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js'
import messages, { type AppendResp } from '@eventstore/db-client/generated/streams_pb.js'
import { credentials, Metadata } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe } from 'vitest'
import type { PullContext, PulledPage } from '../../src/catalog/connectors/connector.ts'
import { parseConnectionString } from '../../src/catalog/connectors/eventstore/connection-string.ts'
import { eventstore } from '../../src/catalog/connectors/eventstore.ts'
import { createGuard } from '../../src/catalog/reach/guard.ts'
import { startEventStoreServer } from './eventstore-server.ts'

export { binaryEvent, jsonEvent }

/** What is told of a run. */
export interface Told {
  readonly level: string
  readonly message: string
  readonly metadata: object | undefined
}

export interface Pulling {
  readonly context: PullContext
  readonly told: Told[]
  readonly abort: AbortController
}

export function pulling(limits: Partial<PullContext> = {}): Pulling {
  const told: Told[] = []
  const abort = new AbortController()
  const none = () => Promise.reject(new Error('an event store has no files'))
  const context: PullContext = {
    ...{ signal: abort.signal, openFile: none, removeFile: none, pageRows: 100, pageBytes: 1_048_576 },
    ...{ guard: createGuard('1'), answerBytes: 67_108_864, answerMs: 10_000 },
    formatLimits: { maxRowBytes: 0, maxColumns: 0, maxDepth: 0, maxHeldBytes: 0, maxInflatedBytes: 0, maxGrowth: 0 },
    log: (level, message, metadata) => void told.push({ level, message, metadata }),
    ...limits,
  }
  return { context, told, abort }
}

/** Starts a pull with a state as the runner keeps it: as JSON text. */
export function pull(config: object, state: unknown, { context }: Pulling): AsyncIterable<PulledPage> {
  const kept = state === undefined ? undefined : JSON.parse(JSON.stringify(state))
  return eventstore.pull(eventstore.config.parse(config), kept, context)
}

export async function pagesOf(config: object, state?: unknown, run = pulling()): Promise<PulledPage[]> {
  const pages: PulledPage[] = []
  for await (const page of pull(config, state, run)) pages.push(page)
  return pages
}

/** What comes of a pull that fails: what it gave before, and why. */
export async function failureOf(config: object, state?: unknown, run = pulling()) {
  const pages: PulledPage[] = []
  try {
    for await (const page of pull(config, state, run)) pages.push(page)
  } catch (error) {
    return { error: error as Error & { code?: string; details?: { field: string }[] }, pages }
  }
  throw new Error('the pull did not fail')
}

/** The data of rows, as the text that they are. */
export function textsOf(pages: readonly PulledPage[]): string[] {
  return pages.flatMap(page =>
    [...page.rows].map(row => ('data' in row ? row.data : `refused: ${row.refused.message}`)),
  )
}

export function dataOf(pages: readonly PulledPage[]) {
  return textsOf(pages).map(text => JSON.parse(text))
}

export function revisionsOf(pages: readonly PulledPage[]): number[] {
  return dataOf(pages).map(({ revision }) => revision)
}

/** An event as its bytes are. */
export interface RawEvent {
  readonly type: string
  readonly contentType?: string
  readonly data: string | Uint8Array
  readonly metadata?: string | Uint8Array
}

/** A store that a test writes to with the database's own client. */
export interface TestStore {
  readonly url: string
  /** What a configuration says of where it is. */
  readonly connection: { readonly connection_string: string }
  readonly client: EventStoreDBClient
  /** A name that no other test has. */
  name(category?: string): string
  /** `count` small events, numbered from `first`. */
  fill(stream: string, count: number, first?: number): Promise<void>
  /** Events whose bytes are not to pass through the client's JSON. Answers their ids. */
  appendRaw(stream: string, events: readonly RawEvent[]): Promise<string[]>
  link(stream: string, targets: readonly string[]): Promise<void>
  close(): Promise<void>
}

export function openTestStore(url: string): TestStore {
  const client = EventStoreDBClient.connectionString(url)
  const { hosts, tls, login } = parseConnectionString(url)
  const target = `${hosts[0]!.host}:${hosts[0]!.port}`
  const streams = new StreamsClient(target, tls ? credentials.createSsl() : credentials.createInsecure())

  function appendRaw(stream: string, events: readonly RawEvent[]): Promise<string[]> {
    const metadata = new Metadata()
    if (login && tls) {
      const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64')
      metadata.set('authorization', `Basic ${basic}`)
    }
    const ids = events.map(() => randomUUID())
    return new Promise((resolve, reject) => {
      const call = streams.append(metadata, (error: Error | null, _answer: AppendResp) =>
        error ? reject(error) : resolve(ids),
      )
      const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream))
      const header = new messages.AppendReq.Options().setStreamIdentifier(identifier).setAny(new shared.Empty())
      call.write(new messages.AppendReq().setOptions(header))
      for (const [index, event] of events.entries()) {
        const proposed = new messages.AppendReq.ProposedMessage()
          .setId(new shared.UUID().setString(ids[index]!))
          .setData(Buffer.from(event.data))
          .setCustomMetadata(Buffer.from(event.metadata ?? ''))
        const said = proposed.getMetadataMap()
        said.set('type', event.type).set('content-type', event.contentType ?? 'application/json')
        call.write(new messages.AppendReq().setProposedMessage(proposed))
      }
      call.end()
    })
  }

  return {
    ...{ url, connection: { connection_string: url }, client, appendRaw },
    name: (category = 'test') => `${category}${randomUUID().replaceAll('-', '')}-1`,
    async fill(stream, count, first = 0) {
      const numbers = Array.from({ length: count }, (_, index) => first + index)
      await client.appendToStream(
        stream,
        numbers.map(n => jsonEvent({ type: 'Counted', data: { n } })),
      )
    },
    async link(stream, targets) {
      const links = targets.map(data => ({ type: '$>', contentType: 'application/octet-stream', data }))
      await appendRaw(stream, links)
    },
    async close() {
      streams.close()
      await client.dispose()
    },
  }
}

/**
 * Tests of what is in a store: on a small server in this process, that answers as the real one's source says; with
 * EVENTSTORE_URL on that server, too, which has to run the system projections.
 */
export function onEachStore(name: string, tests: (store: () => TestStore) => void): void {
  const real = process.env.EVENTSTORE_URL
  describe.each(real ? ['a server in this process', 'EVENTSTORE_URL'] : ['a server in this process'])(
    `${name}, on %s`,
    which => {
      let opened: TestStore | undefined
      let stop: (() => Promise<void>) | undefined

      beforeAll(async () => {
        let url = real
        if (which !== 'EVENTSTORE_URL') {
          const server = await startEventStoreServer()
          stop = server.stop
          url = `esdb://127.0.0.1:${server.port}?tls=false`
        }
        opened = openTestStore(url!)
      })

      afterAll(async () => {
        await opened?.close()
        await stop?.()
      })

      tests(() => opened!)
    },
  )
}
