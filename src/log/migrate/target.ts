import { type Admin, Kafka, logLevel } from 'kafkajs'
import type { LogCopied } from '../../events/index.ts'
import { DomainError } from '../../kernel/errors.ts'
import { offsetIn, parsePosition } from '../../kernel/position.ts'
import { type CopyReader, createCopyReader, offsetOfOrigin } from '../kafka-copies.ts'
import { ORIGINS, readMark } from '../kafka-origins.ts'
import { createSchemas } from '../kafka-schemas.ts'
import { clusterLogId, learnStreams } from '../kafka-topics.ts'
import type { Stream, TopicSpec } from '../log.ts'

export interface TargetOptions {
  readonly brokers: readonly string[]
  readonly registryUrl: string
  /** The file that keeps what the registry said. */
  readonly schemaCache: string
  readonly clientId: string
  readonly timeoutMs: number
}

/** The Kafka that a log is copied to. */
export interface Target {
  readonly id: string
  readonly kafka: Kafka
  readonly admin: Admin
  readonly reader: CopyReader
  readonly schemas: ReturnType<typeof createSchemas>
  /** The streams of the topics that are there. */
  readonly streams: Map<string, readonly Stream[]>
  close(): Promise<void>
}

/** Connects to Kafka and looks which of the topics are there. Writes nothing. */
export async function openTarget(options: TargetOptions, topics: readonly TopicSpec[]): Promise<Target> {
  const { brokers, clientId, timeoutMs } = options
  const kafka = new Kafka({
    brokers: [...brokers],
    clientId,
    logLevel: logLevel.NOTHING,
    connectionTimeout: timeoutMs,
    retry: { initialRetryTime: 100, retries: 8, maxRetryTime: timeoutMs },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
  } catch (error) {
    throw new DomainError('UNAVAILABLE', `KAFKA_BROKERS=${brokers.join(',')}: ${(error as Error).message}`)
  }
  const streams = new Map<string, readonly Stream[]>()
  const there = new Set(await admin.listTopics())
  const names = topics.map(({ name }) => name).filter(name => there.has(name))
  if (names.length > 0) await learnStreams(admin, names, streams)
  const reader = createCopyReader(options)
  return {
    id: await clusterLogId(admin),
    kafka,
    admin,
    reader,
    schemas: createSchemas(options.registryUrl, options.schemaCache),
    streams,
    async close() {
      await Promise.all([reader.stop(), admin.disconnect()])
    },
  }
}

/** The mark of an earlier copy. */
export function markOf({ reader, schemas, streams }: Target): Promise<LogCopied | undefined> {
  if (!streams.has(ORIGINS)) return Promise.resolve(undefined)
  const [stream] = streams.get(ORIGINS)!
  return readMark({
    streams: () => [stream!],
    async ends() {
      const { end } = (await reader.bounds([stream!])).get(stream!.name)!
      return new Map([[stream!.name, end - 1]])
    },
    async read(_stream, after, { maxBytes }) {
      const { start } = (await reader.bounds([stream!])).get(stream!.name)!
      const events = (await reader.fetch(stream!, Math.max(start, after + 1), maxBytes)).filter(
        ({ offset }) => offset > after,
      )
      return { events, through: events.at(-1)?.offset ?? after }
    },
    schema: schemas.byId,
  })
}

/** What one stream of Kafka holds of a copied log. */
export interface StreamState {
  readonly stream: Stream
  readonly start: number
  /** Where the copied events end. */
  readonly end: number
  /** All of the source's events for this stream up to this offset are here; -1: none is. */
  readonly through: number
  /** Whether events follow that were written here, after a copy was finished. */
  readonly own: boolean
}

/**
 * Looks how far each stream is copied, by the origin of its last event. Throws when Kafka holds events that are not of
 * the log `source`, other than those that were written after a finished copy.
 */
export async function survey(
  target: Target,
  source: string,
  mark: LogCopied | undefined,
): Promise<Map<string, StreamState>> {
  if (mark && mark.log !== source) {
    throw refused(`this Kafka has a copy of log ${mark.log}, and DATA_DIR has log ${source}: use another Kafka`)
  }
  const states = new Map<string, StreamState>()
  for (const [topic, streams] of target.streams) {
    if (topic === ORIGINS) continue
    const bounds = await target.reader.bounds(streams)
    for (const stream of streams) {
      states.set(stream.name, await stateOf(target.reader, stream, bounds.get(stream.name)!, source, mark))
    }
  }
  return states
}

async function stateOf(
  reader: CopyReader,
  stream: Stream,
  { start, end }: { start: number; end: number },
  source: string,
  mark: LogCopied | undefined,
): Promise<StreamState> {
  const state = { stream, start, end, through: -1, own: false }
  if (end === 0) return state
  const marked = mark ? offsetIn(parsePosition(mark.position, ORIGINS), stream.name) + 1 : 0
  if (start === end) {
    // Retention has taken all of it; only the mark still knows what it was.
    if (marked === end) return { ...state, through: mark!.through }
  } else {
    const last = (await reader.fetch(stream, end - 1, 1)).at(-1)
    const through = last?.offset === end - 1 ? offsetOfOrigin(last.origin, source) : undefined
    if (through !== undefined) return { ...state, through }
  }
  if (mark?.finished && marked < end) return { ...state, end: marked, through: mark.through, own: true }
  if (start === end) {
    throw refused(
      `${stream.name} has lost what was copied to it before the copy was finished, by its retention: ` +
        'delete the topics and run migrate again',
    )
  }
  throw refused(
    `${stream.name} holds events that are not of log ${source}, the last at offset ${end - 1}: ` +
      'use a Kafka whose topics are empty',
  )
}

export function refused(message: string): DomainError {
  return new DomainError('CONFLICT', `not copied: ${message}`)
}

/** What happened on the way, after which another run goes on. */
export function brokenOff(message: string): DomainError {
  return new DomainError('UNAVAILABLE', `${message}; run migrate again, it goes on from there`)
}
