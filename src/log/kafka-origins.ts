import type { LogCopied } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import { butForLast, eventAt, offsetIn, parsePosition, TOTAL_ORDER } from '../kernel/position.ts'
import { createCodec } from './codec.ts'
import { type CopyReader, offsetOfOrigin } from './kafka-copies.ts'
import type { Log, Stream } from './log.ts'

/** The topic that tells which log the events of this one were copied from. */
export const ORIGINS = 'sync.origins'

/** No schema has it: what is read here is resolved by what the registry says of its writer. */
const NO_SCHEMA = -1

/** The last mark that a copy has left; undefined when nothing was ever copied here. */
export async function readMark(log: Pick<Log, 'streams' | 'ends' | 'read' | 'schema'>): Promise<LogCopied | undefined> {
  const codec = createCodec({ schemaId: () => NO_SCHEMA, schema: log.schema })
  const [stream] = log.streams(ORIGINS)
  const end = (await log.ends(ORIGINS)).get(stream!.name)!
  let mark: LogCopied | undefined
  for (let after = -1; after < end; ) {
    const page = await log.read(stream!, after, { maxEvents: 1000, maxBytes: 1_048_576, waitMs: 1000 })
    await codec.prepare(page.events)
    for (const { value } of page.events) mark = codec.decode(value).data as LogCopied
    after = page.through
  }
  return mark
}

/** Throws when a copy into this log was begun and is not finished: whoever read it now would see a part for the whole. */
export function requireFinished(mark: LogCopied | undefined): void {
  if (!mark || mark.finished) return
  const message =
    `the copy of log ${mark.log} into this Kafka is not finished: run "superinsight-sync migrate" again, ` +
    'with the same DATA_DIR; it goes on from where it was'
  throw new DomainError('UNAVAILABLE', message, { retryAfter: 60 })
}

/** Most answers that are remembered: a client comes back with the same position, and many with the last one. */
const MAX_REMEMBERED = 10_000

/**
 * Answers `Log.adopt` from the origins in the headers of what was copied. For each stream it looks for the last event
 * whose origin is not after the position, by bisection over batches, which hold their events in the order of the log
 * they come from.
 */
export function createAdoption(options: {
  id: string
  mark: LogCopied
  streams: (topic: string) => readonly Stream[]
  reader: Pick<CopyReader, 'fetch' | 'bounds'>
}): Log['adopt'] {
  const { id, mark, streams, reader } = options
  const copied = parsePosition(mark.position, 'sync.origins')
  const remembered = new Map<string, number>()

  async function lastUpTo(stream: Stream, offset: number): Promise<number> {
    const name = `${stream.name} ${offset}`
    const known = remembered.get(name)
    if (known !== undefined) return known
    const found = await bisect(stream, offset)
    if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!)
    remembered.set(name, found)
    return found
  }

  async function bisect(stream: Stream, offset: number): Promise<number> {
    const { start } = (await reader.bounds([stream])).get(stream.name)!
    // All up to `low` are at or before the position, all from `high` on after it.
    let low = start - 1
    let high = offsetIn(copied, stream.name) + 1
    while (low + 1 < high) {
      const middle = low + Math.floor((high - low) / 2)
      const batch = await reader.fetch(stream, middle, ONE_BATCH)
      const [first] = batch
      if (!first || first.offset > middle) throw new Error(`${stream.name} has nothing at ${middle}`)
      for (const record of batch) {
        if (record.offset <= low || record.offset >= high) continue
        const origin = offsetOfOrigin(record.origin, mark.log)
        if (origin === undefined)
          throw new Error(`${stream.name} ${record.offset} does not say where it was copied from`)
        if (origin <= offset) low = record.offset
        else high = record.offset
      }
    }
    return low
  }

  /** The place in a stream of a place there: of an event but for its last message where that event is in this stream. */
  async function placeIn(stream: Stream, place: number): Promise<number> {
    const offset = await lastUpTo(stream, eventAt(place))
    const whole = Number.isInteger(place) || offset === (await lastUpTo(stream, eventAt(place) - 1))
    return whole ? offset : butForLast(offset)
  }

  return async (position, topics) => {
    if (position.log !== mark.log) return undefined
    const place = position.offsets.get(TOTAL_ORDER) ?? -1
    // Its places were all in one order: it never gave out any other stream.
    const others = [...position.offsets.keys()].some(name => name !== TOTAL_ORDER)
    if (place > mark.through || others) return undefined
    const places = topics.flatMap(streams).map(async stream => [stream.name, await placeIn(stream, place)] as const)
    return { log: id, offsets: new Map(await Promise.all(places)) }
  }
}

/** Brokers answer with a whole batch, however little is asked for. */
const ONE_BATCH = 1
