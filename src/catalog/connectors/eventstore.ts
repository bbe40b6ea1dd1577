import { X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { DomainError } from '../../kernel/errors.ts'
import { checkHost } from '../reach/host.ts'
import { defineConnector, type PullContext, type PulledPage } from './connector.ts'
import type { Position } from './eventstore/client.ts'
import { parseConnectionString } from './eventstore/connection-string.ts'
import { StreamMissing } from './eventstore/failures.ts'
import { isSoftDeleted, lastOf, readPages } from './eventstore/pages.ts'
import { type Place, placeInAll, placeInStream, streamOfState } from './eventstore/places.ts'
import { openReader, type Reader } from './eventstore/reading.ts'

const ALL = '$all'
/** Where the database's own projection keeps links to the events of all streams of a category. */
const CATEGORY = '$ce-'
/** `C:123/P:120`, as the database's tools show a position. */
const POSITION = /^(?:C:)?(\d{1,19})\/(?:P:)?(\d{1,19})$/i
const MOST_CHARS = 8192

/** As the database counts: 63 bits, of which a JavaScript number holds 53. */
const digits = z
  .string()
  .regex(/^\d{1,19}$/)
  .refine(text => !/^\d+$/.test(text) || BigInt(text) < 2n ** 63n)
const revision = z.union([z.int().nonnegative(), digits])
const position = z.union([z.strictObject({ commit: revision, prepare: revision }), z.string().regex(POSITION)])
const name = z.string().min(1).max(1000)

const config = z
  .strictObject({
    connection_string: z.string().min(1).max(MOST_CHARS).describe('esdb://user:password@host:port?tls=true'),
    stream: name.optional().describe('one stream; $all is all'),
    category: name.optional().describe('every stream of a category: those whose names begin with it and a -'),
    all: z.literal(true).optional().describe('every event of the database'),
    [ALL]: z.literal(true).optional().describe('the same as all'),
    from: z
      .union([z.enum(['start', 'end']), revision, position], {
        error: 'expected start, end, a revision, or for $all {commit, prepare}',
      })
      .default('start')
      .describe(
        'where the first run begins: a revision and a position are themselves read; end: only what comes later',
      ),
    resolve_links: z.boolean().default(true).describe('a link is the event that it points to'),
    system_events: z.boolean().default(false).describe("for all: also the database's own events, of types with a $"),
    record_id: z
      .enum(['event', 'revision'])
      .default('event')
      .describe("a record's id: the event's, or revision@stream where the same event id is used more than once"),
    tls_ca: z.string().max(65_536).optional().describe("certificates in PEM of who signed the server's"),
  })
  .superRefine((given, check) => {
    const refuse = (field: string, message: string) => check.addIssue({ code: 'custom', path: [field], message })
    const sources = [given.stream, given.category, given.all, given[ALL]].filter(each => each !== undefined)
    if (sources.length !== 1) refuse('stream', 'expected exactly one of stream, category and all')
    const isAll = streamOf(given) === undefined
    const { from } = given
    if (!isAll && position.safeParse(from).success) refuse('from', 'a position is for $all; a stream has revisions')
    if (given.system_events && !isAll) refuse('system_events', 'it is for $all; of a stream all events are read')
    if (given.tls_ca !== undefined && !isCertificate(given.tls_ca)) refuse('tls_ca', 'expected certificates in PEM')
    const problem = connectionProblem(given.connection_string)
    if (problem) refuse('connection_string', problem)
  })

type Config = z.output<typeof config>

/** Undefined: all of them. */
function streamOf({ stream, category }: { stream?: string; category?: string }): string | undefined {
  if (category !== undefined) return `${CATEGORY}${category}`
  return stream === ALL ? undefined : stream
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem) !== undefined
  } catch {
    return false
  }
}

/** While a configuration is checked, some words or stars may stand for the secret that is kept. */
function connectionProblem(text: string): string | undefined {
  if (text === '' || /^\*+$|\S\s+\S/.test(text)) return undefined
  try {
    parseConnectionString(text)
    return undefined
  } catch (error) {
    if (error instanceof DomainError) return error.details[0]?.message
    throw error
  }
}

/**
 * Events of EventStoreDB and KurrentDB become records. A run reads up to the end and is complete; the next one goes on
 * from there. The state is the revision of the last event that is in, or its position in the log for `$all`.
 */
export const eventstore = defineConnector({
  type: 'eventstore',
  summary: 'Reads the events of a stream, of a category or of all streams from EventStoreDB or KurrentDB.',
  config,
  secrets: () => [['connection_string']],
  begin(last) {
    if (typeof last !== 'object' || last === null) return undefined
    const { run_after: _, ...place } = last as Record<string, unknown>
    return place
  },
  whole: () => false,
  async check({ connection_string }, { guard }) {
    for (const { host } of parseConnectionString(connection_string).hosts) {
      await checkHost(host, 'connection_string', guard)
    }
  },
  async *pull(config, state, context) {
    const stream = streamOf(config)
    const reader = await openReader(config.connection_string, config.tls_ca, stream, context)
    try {
      yield* pagesAfter(config, stateFor(stream, state, context), reader, context)
    } catch (error) {
      if (!(error instanceof StreamMissing) || stream === undefined) throw error
      const isDeleted = await isSoftDeleted(stream, reader)
      const message = isDeleted
        ? 'the stream is deleted, so there is nothing to read; when it is written to again, its revisions go on'
        : 'there is no such stream, so there is nothing to read'
      const hint = config.category && !isDeleted ? 'category streams need the projection $by_category' : undefined
      context.log('warning', message, { stream, hint })
      // All that it will ever have comes after its end.
      if (config.from === 'end' && !state) yield { rows: [], state: { stream, revision: -1 }, total: null }
    } finally {
      reader.close()
    }
  },
})

/** A state of another stream, from before the configuration was changed, says nothing about this one. */
function stateFor(stream: string | undefined, state: unknown, { log }: PullContext): unknown {
  const of = streamOfState(state)
  if (of === undefined || of === (stream ?? ALL)) return state ?? undefined
  log('warning', 'the checkpoint is of another stream: reading begins where "from" says', { checkpoint_of: of })
  return undefined
}

async function* pagesAfter(
  config: Config,
  state: unknown,
  reader: Reader,
  context: PullContext,
): AsyncGenerator<PulledPage> {
  const stream = streamOf(config)
  const fromEnd = config.from === 'end' && state === undefined
  const head = await lastOf(stream, reader).catch(error => {
    // What is wrong is told by the reading, too, and after all that can be read.
    if (fromEnd || !(error instanceof DomainError)) throw error
    return undefined
  })
  if (context.signal.aborted) return
  const place = placeOf(config, state, head && BigInt(head.getStreamRevision()))
  if (fromEnd) {
    if (head) place.moveTo(head)
    yield { rows: [], state: place.state(), total: null }
    return
  }
  if (head && place.isPast(head)) {
    const about = { stream: stream ?? ALL, place: place.state() }
    context.log('warning', 'what is to be read comes after the end: it may be another database than before', about)
  }
  const { resolve_links: resolveLinks, record_id } = config
  const withoutSystem = stream === undefined && !config.system_events
  const source = { stream, resolveLinks, withoutSystem, idIsPlace: record_id === 'revision' }
  yield* readPages(source, place, reader, context)
}

function placeOf(config: Config, state: unknown, head: bigint | undefined): Place {
  const { from } = config
  const stream = streamOf(config)
  const isWord = from === 'start' || from === 'end'
  if (stream === undefined) return placeInAll(state, isWord ? undefined : positionOf(from))
  return placeInStream(stream, state, isWord || typeof from === 'object' ? 0n : BigInt(from), head)
}

/** One number is both: so it is for all events but those of transactions, which old clients could write. */
function positionOf(from: Exclude<Config['from'], 'start' | 'end'>): Position {
  if (typeof from === 'object') return { commit: BigInt(from.commit), prepare: BigInt(from.prepare) }
  const [, commit = from, prepare = from] = POSITION.exec(String(from)) ?? []
  return { commit: BigInt(commit), prepare: BigInt(prepare) }
}
