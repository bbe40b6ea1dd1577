import { encodePosition, mergePositions, type Position } from '../../kernel/position.ts'
import type { Log, Stream, TopicSpec } from '../../log/log.ts'

const ONE = { maxEvents: 1, maxBytes: 1, waitMs: 0 }
const NONE = { events: [] }
/** How far before its end a stream's last event is looked for, and bytes that are read for it. */
const MOST_BACK = 256
const LAST_BYTES = 1_048_576

/** A topic, and what is in it now. */
export interface ShownTopic {
  readonly topic: string
  readonly partitions: number
  /** Offsets that are taken: on Kafka the marks of transactions are among them. */
  readonly events: number
  /** From here on everything that is kept is read; null: nothing was ever let go. */
  readonly from: string | null
  /** It includes the last event; null when there is none. */
  readonly position: string | null
  /** When the first and the last of those that are kept were taken in, RFC 3339. */
  readonly first_at: string | null
  readonly last_at: string | null
  readonly cleanup_policy: string
  /** Null: for ever. */
  readonly retention_seconds: number | null
  readonly key: string
  readonly types: readonly string[]
  readonly readers: readonly string[]
}

/** Describes a topic as the log has it. */
export async function showTopic(log: Log, spec: TopicSpec): Promise<ShownTopic> {
  const { name, key, records, readers, cleanup_policy, retention_ms } = spec
  const streams = log.streams(name)
  const [ends, forgotten] = await Promise.all([log.ends(name), log.forgotten(name)])
  const found = await Promise.all(
    streams.map(async stream => {
      const [end, gone] = [ends.get(stream.name)!, forgotten.get(stream.name)!]
      const [events, first, last] = await Promise.all([
        log.lag(stream, gone),
        end > gone ? log.read(stream, gone, ONE).then(({ events }) => events[0]?.time) : undefined,
        lastTime(log, stream, gone, end),
      ])
      return { events, first, last }
    }),
  )
  const placesOf = (offsets: ReadonlyMap<string, number>) =>
    streams.flatMap(stream => (offsets.get(stream.name)! < 0 ? [] : [log.place(stream, offsets.get(stream.name)!)]))
  const times = (of: 'first' | 'last') => found.flatMap(each => each[of] ?? [])
  return {
    topic: name,
    partitions: streams.length,
    events: found.reduce((sum, { events }) => sum + events, 0),
    from: textOf(placesOf(forgotten)),
    position: textOf(placesOf(ends)),
    first_at: timeText(times('first'), Math.min),
    last_at: timeText(times('last'), Math.max),
    cleanup_policy,
    retention_seconds: retention_ms < 0 ? null : retention_ms / 1000,
    key,
    types: records,
    readers,
  }
}

/** When the last event was taken in: on Kafka what is last may be the mark of a transaction. */
async function lastTime(log: Log, stream: Stream, gone: number, end: number): Promise<number | undefined> {
  for (let back = 1; back <= MOST_BACK; back *= 4) {
    const after = Math.max(gone, end - back)
    const { events } =
      after < end ? await log.read(stream, after, { ...ONE, maxEvents: back, maxBytes: LAST_BYTES }) : NONE
    if (events.length > 0) return events.at(-1)!.time
    if (after === gone) return undefined
  }
  return undefined
}

function textOf(places: readonly Position[]): string | null {
  return places.length === 0 ? null : encodePosition(places.reduce(mergePositions))
}

function timeText(times: readonly number[], choose: (...times: number[]) => number): string | null {
  return times.length === 0 ? null : new Date(choose(...times)).toISOString()
}
