import { DomainError } from '../kernel/errors.ts'
import { eventAt, type Position } from '../kernel/position.ts'
import { streamNamed } from '../log/ends.ts'
import type { Log, Stream } from '../log/log.ts'

/** Events before a place that are looked at for the last one there: what a transaction leaves between events is no event. */
const LOOKED_AT = [1, 16, 256, 4096]
const PAGE_BYTES = 4 * 1024 * 1024

/**
 * When the log took the last of the events that a position names and that it still has, milliseconds since 1970. Throws
 * GONE when retention has taken all of them.
 */
export async function timeAt(log: Log, { offsets }: Position): Promise<number> {
  const times = await Promise.all(
    [...offsets].map(([name, place]) => timeIn(log, streamNamed(log, name), eventAt(place))),
  )
  const known = times.filter(time => time !== undefined)
  if (known.length > 0) return Math.max(...known)
  const message = 'the events that it names are no longer kept, so nobody knows their time; name a time'
  throw new DomainError('GONE', `as_of: ${message}`, { details: [{ field: 'as_of', message }] })
}

async function timeIn(log: Log, stream: Stream, offset: number): Promise<number | undefined> {
  const forgotten = (await log.forgotten(stream.topic)).get(stream.name) ?? -1
  for (const count of LOOKED_AT) {
    const after = Math.max(forgotten, offset - count)
    if (after >= offset) return undefined
    const { events } = await log.read(stream, after, { maxEvents: count, maxBytes: PAGE_BYTES, waitMs: 0 })
    const last = events.findLast(event => event.offset <= offset)
    if (last) return last.time
  }
  return undefined
}
