import { setTimeout as sleep } from 'node:timers/promises'
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js'
import { type PullContext, SourceBusy } from '../connector.ts'
import { type Client, createDialling, loadClient, type Read, readRequest } from './client.ts'
import { CONNECTION_FIELD, type Connection, parseConnectionString } from './connection-string.ts'
import { createRefusals, Passing, StreamMissing } from './failures.ts'
import { createNodes, type Node } from './nodes.ts'

export type RecordedEvent = ReadResp.ReadEvent.RecordedEvent

/** What a read gives: an event, with the link it was found by; without an event when that one is gone. */
export interface Answer {
  readonly event: RecordedEvent | undefined
  readonly link: RecordedEvent | undefined
}

export interface Reader {
  /**
   * The events of a read, up to the end that the stream has when it is reached. A lost connection is made again, and
   * `read`, asked each time, says what is left to read. Throws StreamMissing, a DomainError, or SourceBusy after a few
   * tries in vain. Ends when the run's signal aborts.
   */
  events(read: () => Read): AsyncGenerator<Answer>
  /** Something came of it: the tries are counted from here again. */
  advanced(): void
  close(): void
}

const PAUSES_MS = [100, 300, 900, 1500]

type Streams = InstanceType<Client['StreamsClient']>

/** `stream`: what is read; undefined for `$all`. */
export async function openReader(
  text: string,
  ca: string | undefined,
  stream: string | undefined,
  context: Pick<PullContext, 'guard' | 'answerBytes' | 'answerMs' | 'signal' | 'log'>,
): Promise<Reader> {
  const { guard, answerBytes, answerMs, signal, log } = context
  const connection: Connection = parseConnectionString(text)
  const client = await loadClient()
  const dialling = createDialling(client, connection, ca, answerBytes)
  const refusals = createRefusals(client, connection, stream)
  const nodes = createNodes(client, dialling, refusals, { connection, guard, answerMs })
  if (connection.login && !connection.tls) {
    log('warning', 'user and password are not sent, as the connection is without TLS', { field: CONNECTION_FIELD })
  }
  /** The connection that worked last. */
  let open: { node: Node; streams: Streams } | undefined
  let tries = 0

  function close(): void {
    open?.streams.close()
    open = undefined
  }

  /** One call to one node, which has `answerMs` for each of its answers. */
  async function* call(streams: Streams, request: ReadReq): AsyncGenerator<ReadResp> {
    const stream = streams.read(request, dialling.metadata())
    const cancel = () => stream.cancel()
    // Told by the iteration; after its end it is that of the cancelling.
    stream.on('error', () => undefined)
    signal.addEventListener('abort', cancel)
    let waiting = true
    let isLate = false
    const timer = setTimeout(() => {
      if (!waiting) return
      isLate = true
      cancel()
    }, answerMs)
    try {
      for await (const answer of stream) {
        waiting = false
        yield answer as ReadResp
        waiting = true
        timer.refresh()
      }
    } catch (error) {
      if (isLate) throw new Passing(`no answer within ${answerMs} ms`)
      throw refusals.of(error)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', cancel)
      cancel()
    }
  }

  /** One try: at the connection there is, else at one address after the other until one answers. */
  async function* attempt(read: () => Read, leader: Passing['leader']): AsyncGenerator<ReadResp> {
    const candidates = open ? [open.node] : await nodes.find(leader)
    for (const [index, node] of candidates.entries()) {
      open ??= { node, streams: new client.StreamsClient(node.target, dialling.credentials, dialling.options(node)) }
      let hasAnswered = false
      try {
        for await (const answer of call(open.streams, readRequest(client, read()))) {
          hasAnswered = true
          yield answer
        }
        return
      } catch (error) {
        if (!(error instanceof Passing)) throw error
        close()
        if (hasAnswered || index === candidates.length - 1) {
          nodes.failed(node)
          throw error
        }
      }
    }
  }

  async function* events(read: () => Read): AsyncGenerator<Answer> {
    let leader: Passing['leader']
    while (!signal.aborted) {
      try {
        for await (const answer of attempt(read, leader)) {
          if (answer.hasStreamNotFound()) throw new StreamMissing()
          const found = answer.getEvent()
          if (found) yield { event: found.getEvent(), link: found.getLink() }
        }
        return
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof Passing)) throw error
        leader = error.leader
        const pause = PAUSES_MS[tries++]
        if (pause === undefined) throw new SourceBusy(`the event store cannot be read now: ${error.message}`)
        log('warning', 'the event store was lost; it is tried again', { reason: error.message, in_ms: pause })
        await sleep(pause, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  return {
    events,
    advanced() {
      tries = 0
    },
    close,
  }
}
