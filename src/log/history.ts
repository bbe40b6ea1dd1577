import { DomainError } from '../kernel/errors.ts'
import { isTotal, placesOf, TOTAL_ORDER } from '../kernel/position.ts'
import type { Log, Page, StoredEvent, Stream } from './log.ts'

/** A part of history: a run of events of one stream. */
export interface Told {
  readonly stream: Stream
  readonly events: readonly StoredEvent[]
  /** The position that includes the event at this offset of the run, and all that were told before it. */
  position(offset: number): string
}

export interface HistoryOptions {
  readonly log: Log
  readonly topics: readonly string[]
  /** By stream: what it begins after and where it ends, that event included. */
  readonly after: ReadonlyMap<string, number>
  readonly through: ReadonlyMap<string, number>
  /** Bytes read of a stream at once: so many for each stream are kept. */
  readonly pageBytes: number
  readonly signal?: AbortSignal
}

const PAGE_EVENTS = 5000
const NONE: ReadonlyMap<string, number> = new Map()

/** A stream that is being read. */
interface Head {
  readonly stream: Stream
  readonly last: number
  page: Page
  at: number
  /** Where the next page begins. */
  through: number
}

/**
 * Reads topics as one history in constant memory: in the log's order where it has one, else by the time that events
 * were taken in, each stream in its own order. Gives runs of events of one stream. Throws GONE when retention
 * takes events before they are read.
 */
export async function* readHistory(options: HistoryOptions): AsyncGenerator<Told> {
  const { log, topics, after, through, signal } = options
  const heads: Head[] = []
  const offsets = new Map<string, number>()
  for (const stream of topics.flatMap(topic => log.streams(topic))) {
    const from = after.get(stream.name) ?? -1
    const nothing: Page = { events: [], through: from }
    heads.push({ stream, last: through.get(stream.name) ?? -1, page: nothing, at: 0, through: from })
    offsets.set(stream.name, from)
  }
  const total = heads.length > 0 && isTotal(log.place(heads[0]!.stream, 0))
  const order = total ? ({ offset }: StoredEvent) => offset : ({ time }: StoredEvent) => time

  while (!signal?.aborted) {
    let first: Head | undefined
    /** Up to where `first` may be told before another one's turn. */
    let until = Number.POSITIVE_INFINITY
    for (const head of heads) {
      if (head.at >= head.page.events.length && head.through < head.last) await fill(options, head)
      const next = head.page.events[head.at]
      if (!next) continue
      const value = order(next)
      const leading = first && order(first.page.events[first.at]!)
      if (leading === undefined || value < leading) {
        until = leading ?? until
        first = head
      } else until = Math.min(until, value)
    }
    if (!first) return
    const start = first.at
    const { events } = first.page
    do first.at++
    while (first.at < events.length && order(events[first.at]!) <= until)
    const run = events.slice(start, first.at)
    const { stream } = first
    const name = total ? TOTAL_ORDER : stream.name
    yield { stream, events: run, position: placesOf({ log: log.id, offsets: total ? NONE : offsets }, name) }
    offsets.set(stream.name, run.at(-1)!.offset)
  }
}

/** Reads the next page of a stream when the last is used up, as long as there is one before the end. */
async function fill({ log, pageBytes, signal }: HistoryOptions, head: Head): Promise<void> {
  while (head.at >= head.page.events.length && head.through < head.last) {
    const limits = { maxEvents: PAGE_EVENTS, maxBytes: pageBytes, waitMs: 0, ...(signal ? { signal } : {}) }
    const page = await log.read(head.stream, head.through, limits)
    const next = page.events[0]?.offset ?? page.through + 1
    if (next > head.through + 1) await requireKept(log, head)
    // Nothing more, though the end is known to be further on: only what compaction or transactions left behind.
    if (page.events.length === 0 && page.through <= head.through) head.through = head.last
    else head.through = page.through
    const beyond = page.events.findIndex(({ offset }) => offset > head.last)
    head.page = beyond < 0 ? page : { ...page, events: page.events.slice(0, beyond) }
    head.at = 0
  }
}

/** What follows is not the next offset: only what compaction or transactions left behind, or retention has taken some. */
async function requireKept(log: Log, { stream, through }: Head): Promise<void> {
  const gone = (await log.forgotten(stream.topic)).get(stream.name)!
  if (gone <= through) return
  throw new DomainError('GONE', `events of ${stream.topic} that were still to be read are no longer kept`)
}
