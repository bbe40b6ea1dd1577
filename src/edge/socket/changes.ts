import type { ConflictTold, RecordChanged } from '../../events/index.ts'
import { partitionOf } from '../../kernel/hash.ts'
import {
  butForLast,
  decodePosition,
  encodePosition,
  eventAt,
  isTotal,
  offsetIn,
  type Position,
  TOTAL_ORDER,
} from '../../kernel/position.ts'
import type { Codec } from '../../log/codec.ts'
import type { Log, Page, Stream } from '../../log/log.ts'
import { recordKey } from '../../projections/records.ts'

export const CHANGES = 'sync.changes'
export const SOURCES = 'sync.records'

/** What subscribers are told of: a change of a record, or news of its conflicts. */
export type Told = Found &
  Known &
  (
    | { readonly type: 'RecordChanged'; readonly data: RecordChanged }
    | { readonly type: 'ConflictTold'; readonly data: ConflictTold }
  )

/** Where a change is in its stream of changes, and in the stream of the records it follows from; -1 and -1: before the first. */
export interface Found {
  readonly offset: number
  readonly place: number
}

/** Worked out by whoever asks first, for everyone. */
interface Known {
  /** The names of the fields that changed. */
  fields: readonly string[] | undefined
  /** The text of its message up to the position. */
  head: string | undefined
  /** The whole message. */
  bytes: Buffer | undefined
}

/** Decodes a page of changes. */
export async function decodeChanges(codec: Codec, page: Page): Promise<Told[]> {
  await codec.prepare(page.events)
  const unknown = { fields: undefined, head: undefined, bytes: undefined }
  return page.events.flatMap((event): Told | [] => {
    const { offset } = event
    const { type, data } = codec.read(event)
    if (type === 'ConflictTold') return { type, data, offset, place: data.source_offset, ...unknown }
    if (type !== 'RecordChanged') return []
    const place = data.told_more ? butForLast(data.source_offset) : data.source_offset
    return { type, data, offset, place, ...unknown }
  })
}

/**
 * How far a reader of `sync.changes` has come, in places of the records the changes follow from. `take`
 * answers false for one that was seen before: logs hold repeats from before projectors told every change once.
 */
export interface Seen {
  take(told: Told): boolean
  /** The places, by stream. */
  readonly places: ReadonlyMap<string, number>
  /** The position that includes all that was taken. */
  position(): string
  /** Whether that is the place of what was taken last, whatever came before. */
  readonly oneStream: boolean
}

export function createSeen(log: Log, start: ReadonlyMap<string, number>): Seen {
  const places = new Map(start)
  return {
    places,
    oneStream: log.streams(SOURCES).length === 1,
    take({ place, data: { source_stream } }) {
      if (place <= (places.get(source_stream) ?? -1)) return false
      places.set(source_stream, place)
      return true
    },
    position: () => positionOf(log, places),
  }
}

/** The position of places of sources, by stream. */
export function positionOf(log: Log, places: ReadonlyMap<string, number>): string {
  const total = isTotal(log.place(log.streams(SOURCES)[0]!, 0))
  const offsets = total ? new Map([[TOTAL_ORDER, Math.max(-1, ...places.values())]]) : places
  return encodePosition({ log: log.id, offsets })
}

/** The places of sources that a position stands for, by stream. */
export function sourcesOf(log: Log, position: Position): Map<string, number> {
  return new Map(log.streams(SOURCES).map(({ name }) => [name, offsetIn(position, name)]))
}

/** The stream of sources that a stream of changes follows. */
export function sourceStream(log: Log, changes: Stream): Stream {
  return log.streams(SOURCES)[changes.partition]!
}

const ONE = { maxEvents: 1, maxBytes: 1, waitMs: 0 }

/**
 * Where to start reading a stream of changes so that all that follow from sources after `source` come: some change at or
 * before `source` whose next one is after it. By bisection, for changes are in the order of their
 * sources; where a crash made them repeat, any such place will do, since what follows it is whole.
 */
export async function seekSource(log: Log, codec: Codec, stream: Stream, source: number, end: number): Promise<Found> {
  let low: Found = { offset: -1, place: -1 }
  let high = end
  while (low.offset < high) {
    const middle = low.offset + Math.floor((high - low.offset) / 2)
    const page = await log.read(stream, middle, ONE)
    const [next] = await decodeChanges(codec, page)
    if (!next || next.offset > high || next.place > source) high = middle
    else low = next
  }
  return low
}

/** What tells of a record, by the type of its message, and the place before it. */
const BEFORE: Readonly<Record<string, (place: number) => number>> = {
  record_change: place => eventAt(place) - 1,
  conflict_detected: butForLast,
  conflict_resolved: butForLast,
}

/**
 * The position from which a client that missed a message misses nothing: that of a change without the event it tells of,
 * that of a conflict's news with the change before it; news of a job have the position of the changes before them.
 */
export function placeBefore(log: Log, text: string): string {
  const { type, position, payload } = JSON.parse(text) as {
    type: string
    position: string
    payload: { table: string; record_id: string }
  }
  const before = BEFORE[type]
  if (!before) return position
  const offsets = new Map(decodePosition(position, log.id, 'position').offsets)
  const streams = log.streams(SOURCES)
  const key = Buffer.from(recordKey(payload.table, payload.record_id))
  const name = offsets.has(TOTAL_ORDER) ? TOTAL_ORDER : streams[partitionOf(key, streams.length)]!.name
  offsets.set(name, before(offsets.get(name)!))
  return encodePosition({ log: log.id, offsets })
}

/** The position that includes only what both include. */
export function earlier(log: Log, left: string, right: string): string {
  if (left === right) return left
  const [a, b] = [left, right].map(text => decodePosition(text, log.id, 'position')) as [Position, Position]
  const names = new Set([...a.offsets.keys(), ...b.offsets.keys()])
  const offsets = new Map([...names].map(name => [name, Math.min(offsetIn(a, name), offsetIn(b, name))]))
  return encodePosition({ log: log.id, offsets })
}
