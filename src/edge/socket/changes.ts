import type { RecordChanged } from '../../events/index.ts'
import { partitionOf } from '../../kernel/hash.ts'
import { decodePosition, encodePosition, isTotal, offsetIn, type Position, TOTAL_ORDER } from '../../kernel/position.ts'
import type { Codec } from '../../log/codec.ts'
import type { Log, Page, Stream } from '../../log/log.ts'
import { recordKey } from '../../projections/records.ts'

export const CHANGES = 'sync.changes'
export const SOURCES = 'sync.records'

export interface SeenChange {
  readonly offset: number
  readonly change: RecordChanged
}

/** Decodes a page of changes. */
export async function decodeChanges(codec: Codec, page: Page): Promise<SeenChange[]> {
  await codec.prepare(page.events)
  return page.events.flatMap(({ offset, value }) => {
    const { type, data } = codec.decode(value)
    return type === 'RecordChanged' ? [{ offset, change: data }] : []
  })
}

/**
 * How far a reader of `sync.changes` has come, in places of the records the changes follow from. `take`
 * answers false for one that was seen before: logs hold repeats from before projectors told every change once.
 */
export interface Seen {
  take(change: RecordChanged): boolean
  /** The position that includes all that was taken. */
  position(): string
}

export function createSeen(log: Log, start: ReadonlyMap<string, number>): Seen {
  const offsets = new Map(start)
  const total = isTotal(log.place(log.streams(SOURCES)[0]!, 0))
  return {
    take({ source_stream, source_offset }) {
      if (source_offset <= (offsets.get(source_stream) ?? -1)) return false
      offsets.set(source_stream, source_offset)
      return true
    },
    position() {
      const known = total ? new Map([[TOTAL_ORDER, Math.max(-1, ...offsets.values())]]) : offsets
      return encodePosition({ log: log.id, offsets: known })
    },
  }
}

/** The source offsets that a position stands for, by stream. */
export function sourcesOf(log: Log, position: Position): Map<string, number> {
  return new Map(log.streams(SOURCES).map(({ name }) => [name, offsetIn(position, name)]))
}

/** The stream of sources that a stream of changes follows. */
export function sourceStream(log: Log, changes: Stream): Stream {
  return log.streams(SOURCES)[changes.partition]!
}

const ONE = { maxEvents: 1, maxBytes: 1, waitMs: 0 }

/**
 * Where to start reading a stream of changes so that all that follow from sources after `source` come: the offset of
 * some change at or before `source` whose next one is after it. By bisection, for changes are in the order of their
 * sources; where a crash made them repeat, any such place will do, since what follows it is whole.
 */
export async function seekSource(log: Log, codec: Codec, stream: Stream, source: number, end: number): Promise<number> {
  let low = -1
  let high = end
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2)
    const page = await log.read(stream, middle, ONE)
    const [next] = await decodeChanges(codec, page)
    if (!next || next.offset > high || next.change.source_offset > source) high = middle
    else low = next.offset
  }
  return low
}

/**
 * The position from which a client that missed a message misses no change: that of a change without the event it tells
 * of; news of a job have the position of the changes before them.
 */
export function placeBefore(log: Log, text: string): string {
  const { type, position, payload } = JSON.parse(text) as {
    type: string
    position: string
    payload: { table: string; record_id: string }
  }
  if (type !== 'record_change') return position
  const offsets = new Map(decodePosition(position, log.id, 'position').offsets)
  const streams = log.streams(SOURCES)
  const key = Buffer.from(recordKey(payload.table, payload.record_id))
  const name = offsets.has(TOTAL_ORDER) ? TOTAL_ORDER : streams[partitionOf(key, streams.length)]!.name
  offsets.set(name, offsets.get(name)! - 1)
  return encodePosition({ log: log.id, offsets })
}

/** The position that includes only what both include. */
export function earlier(log: Log, left: string, right: string): string {
  const [a, b] = [left, right].map(text => decodePosition(text, log.id, 'position')) as [Position, Position]
  const names = new Set([...a.offsets.keys(), ...b.offsets.keys()])
  const offsets = new Map([...names].map(name => [name, Math.min(offsetIn(a, name), offsetIn(b, name))]))
  return encodePosition({ log: log.id, offsets })
}
