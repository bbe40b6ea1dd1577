import { randomUUID } from 'node:crypto'

/*
 * What EventStoreDB does with streams, in memory: revisions, truncation, both kinds of deletion, links, the projection of
 * categories. After the server's own source: a read skips what `$maxCount` and `$tb` hide, a deleted stream is one whose
 * `$tb` hides all, and a link to what is hidden or gone stays, without its event.
 */

export interface NewEvent {
  readonly id: string
  readonly type: string
  readonly contentType: string
  readonly data: Uint8Array
  readonly metadata: Uint8Array
}

export interface StoredEvent extends NewEvent {
  readonly stream: string
  readonly revision: bigint
  readonly position: bigint
  /** Ticks of 100 ns since 1970. */
  readonly created: bigint
}

export interface Resolved {
  readonly event: StoredEvent | undefined
  readonly link: StoredEvent | undefined
}

export type Expected = 'any' | 'no_stream' | 'stream_exists' | bigint

export type Found =
  | { readonly events: readonly Resolved[]; readonly atEnd: boolean; readonly next: bigint }
  | 'no-stream'
  | 'deleted'

export interface EventLog {
  /** Answers the last revision, or the one there is where another was expected. */
  append(
    stream: string,
    expected: Expected,
    events: readonly NewEvent[],
  ): { last: bigint; isWrong: boolean } | 'deleted'
  delete(stream: string): void
  tombstone(stream: string): void
  /** Up to `count` events from a revision on. */
  forwards(stream: string, from: bigint, count: number, resolve: boolean): Found
  last(stream: string, resolve: boolean): Found
  /** Up to `count` events at or after a position, and where they end; undefined for a position that no event has. */
  allForwards(from: bigint, count: number, resolve: boolean): { events: readonly Resolved[]; next: bigint } | undefined
  allLast(resolve: boolean): readonly Resolved[]
  /** Removes what is hidden. */
  scavenge(): void
}

const LINK = '$>'
const HIDES_ALL = 9_223_372_036_854_775_807n
const JSON_TYPE = 'application/json'

interface Stream {
  last: bigint
  /** By revision; one that is scavenged is not there. */
  readonly events: Map<bigint, StoredEvent>
  isTombstoned: boolean
}

export function createEventLog(): EventLog {
  const streams = new Map<string, Stream>()
  let log: StoredEvent[] = []
  let end = 0n
  /** Positions of what was scavenged: they can still be read from. */
  const gone = new Set<bigint>()

  function write(stream: string, events: readonly NewEvent[]): bigint {
    const into = streams.get(stream) ?? { last: -1n, events: new Map(), isTombstoned: false }
    streams.set(stream, into)
    for (const event of events) {
      const created = BigInt(Date.now()) * 10_000n + (end % 10_000n)
      const stored = { ...event, stream, revision: into.last + 1n, position: end, created }
      into.last = stored.revision
      into.events.set(stored.revision, stored)
      log.push(stored)
      end += BigInt(100 + event.data.length + event.metadata.length)
      const category = /^([^$-][^-]*)-/.exec(stream)?.[1]
      if (category !== undefined && event.type !== LINK) write(`$ce-${category}`, [linkTo(stored)])
    }
    return into.last
  }

  /** Where the first event at or after a position is. */
  function indexOf(position: bigint): number {
    let low = 0
    let high = log.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (log[middle]!.position < position) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The revisions below which nothing is shown. */
  function hidden(stream: string): bigint {
    const meta = streams.get(`$$${stream}`)
    const written = meta?.events.get(meta.last)
    const text = Buffer.from(written?.data ?? []).toString()
    const number = (name: string) => /(-?\d+)/.exec(text.split(`"${name}":`)[1] ?? '')?.[1]
    const count = number('$maxCount')
    const byCount = count === undefined ? 0n : streams.get(stream)!.last - BigInt(count) + 1n
    const byRevision = BigInt(number('$tb') ?? 0)
    return later(byCount, byRevision)
  }

  function state(stream: string): Stream | 'no-stream' | 'deleted' {
    const found = streams.get(stream)
    if (found?.isTombstoned) return 'deleted'
    if (!found || hidden(stream) === HIDES_ALL) return 'no-stream'
    return found
  }

  function resolved(event: StoredEvent, resolve: boolean): Resolved {
    if (!resolve || event.type !== LINK) return { event, link: undefined }
    const [, revision = '-1', stream = ''] = /^(\d+)@(.*)$/s.exec(Buffer.from(event.data).toString()) ?? []
    const target = state(stream)
    const isThere = typeof target === 'object' && BigInt(revision) >= hidden(stream)
    return { event: isThere ? target.events.get(BigInt(revision)) : undefined, link: event }
  }

  function setMetadata(stream: string, truncateBefore: bigint): void {
    const data = Buffer.from(`{"$tb":${truncateBefore}}`)
    const event = { id: randomUUID(), type: '$metadata', contentType: JSON_TYPE, data, metadata: Buffer.alloc(0) }
    write(`$$${stream}`, [event])
  }

  return {
    append(stream, expected, events) {
      const found = streams.get(stream)
      if (found?.isTombstoned) return 'deleted'
      const isHidden = found !== undefined && !stream.startsWith('$$') && hidden(stream) === HIDES_ALL
      const last = found?.last ?? -1n
      const exists = last >= 0n && !isHidden
      const fits =
        expected === 'any' ||
        (expected === 'no_stream' ? !exists : expected === 'stream_exists' ? exists : expected === last)
      if (!fits) return { last, isWrong: true }
      // Made again: what was before stays hidden.
      if (isHidden) setMetadata(stream, last + 1n)
      return { last: write(stream, events), isWrong: false }
    },
    delete: stream => setMetadata(stream, HIDES_ALL),
    tombstone(stream) {
      const data = Buffer.alloc(0)
      write(stream, [{ id: randomUUID(), type: '$streamDeleted', contentType: JSON_TYPE, data, metadata: data }])
      streams.get(stream)!.isTombstoned = true
    },
    forwards(stream, from, count, resolve) {
      const found = state(stream)
      if (typeof found === 'string') return found
      const first = hidden(stream)
      const end = from + BigInt(count) - 1n
      if (end < first) return { events: [], atEnd: false, next: first }
      const events: Resolved[] = []
      for (let at = later(from, first); at <= end && at <= found.last; at++) {
        const event = found.events.get(at)
        if (event) events.push(resolved(event, resolve))
      }
      return { events, atEnd: end >= found.last, next: end + 1n }
    },
    last(stream, resolve) {
      const found = state(stream)
      if (typeof found === 'string') return found
      const event = found.last >= hidden(stream) ? found.events.get(found.last) : undefined
      return { events: event ? [resolved(event, resolve)] : [], atEnd: true, next: 0n }
    },
    allForwards(from, count, resolve) {
      const index = indexOf(from)
      const isPosition = from === 0n || from >= end || log[index]?.position === from || gone.has(from)
      if (!isPosition) return undefined
      const events = log.slice(index, index + count).map(event => resolved(event, resolve))
      return { events, next: log[index + count]?.position ?? end }
    },
    allLast: resolve => log.slice(-1).map(event => resolved(event, resolve)),
    scavenge() {
      log = log.filter(event => {
        const stream = streams.get(event.stream)!
        const isKept = stream.isTombstoned ? event.revision === stream.last : event.revision >= hidden(event.stream)
        if (!isKept) {
          stream.events.delete(event.revision)
          gone.add(event.position)
        }
        return isKept
      })
    },
  }
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function linkTo({ stream, revision }: StoredEvent): NewEvent {
  const data = Buffer.from(`${revision}@${stream}`)
  return { id: randomUUID(), type: LINK, contentType: 'application/octet-stream', data, metadata: Buffer.alloc(0) }
}
