import { randomUUID } from 'node:crypto'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { DomainError } from '../kernel/errors.ts'
import { passPoint } from '../kernel/points.ts'
import { type Position, positionAt, streamName, TOTAL_ORDER } from '../kernel/position.ts'
import { alone } from './alone.ts'
import { eachEvent, PackedEvent } from './batch.ts'
import { alreadyConsumed } from './consumed.ts'
import { DamagedBatch } from './embedded-check.ts'
import { createRetention } from './embedded-retention.ts'
import { rowWriter } from './embedded-rows.ts'
import { growth } from './growth.ts'
import type { Consumed, EventBatch, Log, Page, ReadLimits, StoredEvent, Stream } from './log.ts'

/**
 * The log in one SQLite file. All topics share one total order: an event's offset is its number in the whole file, so
 * offsets in one topic have holes and a position is a single number. A row holds whole batches.
 *
 * One connection writes; any number read, in other threads too. All appends that are waiting when the writer comes
 * round share one transaction and one fsync (group commit).
 */
export interface EmbeddedLogOptions {
  file: string
  /** FULL: a commit is on the disk when it returns. OFF exists for the test that proves FULL is needed. */
  synchronous?: 'FULL' | 'OFF'
  /** Most bytes that may wait to be committed; past it an append is refused with UNAVAILABLE. */
  maxPendingBytes?: number
}

interface Waiting {
  batches: readonly EventBatch[]
  consumed: Consumed | undefined
  resolve: (position: Position) => void
  reject: (error: unknown) => void
}

/** What a commit has brought: the file's last offset, and the last one of each topic that it wrote to. */
export interface Grown {
  readonly head: number
  readonly topics: ReadonlyMap<string, number>
}

/** An embedded log, with what the threads around it need. */
export interface EmbeddedLog extends Log {
  /** Called after each commit. */
  onCommit(listener: (grown: Grown) => void): void
  /** Tells this connection what another one, the only one that writes, has committed. */
  grewTo(grown: Grown): void
}

const SCHEMA = `
  create table if not exists meta(name text primary key, value text not null) strict;
  create table if not exists topics(number integer primary key, name text not null unique, spec text not null) strict;
  create table if not exists schemas(id integer primary key, name text not null, body text not null, unique(name, body)) strict;
  create table if not exists batches(last integer primary key, first integer not null, topic integer not null,
    time integer not null, crc integer not null, bytes blob not null) strict;
  create index if not exists batches_of_topic on batches(topic, last, first);
  create table if not exists checkpoints(name text primary key, offset integer not null) strict;`

/** A batch of a megabyte is written in 32 pages instead of 256: the pages are what it costs (decision 38). */
const PAGE_BYTES = 32_768
/** What the write-ahead log holds before it is carried over into the file. */
const WAL_BYTES = 32 * 1024 * 1024

export function openEmbeddedLog(options: EmbeddedLogOptions): EmbeddedLog {
  const db = new DatabaseSync(options.file, { timeout: 10_000 })
  // Of a file that is there already the size stays as it was.
  db.exec(`pragma page_size = ${PAGE_BYTES}; pragma journal_mode = wal; pragma synchronous = ${options.synchronous ?? 'FULL'};
    pragma cache_size = -8192; pragma busy_timeout = 10000; ${SCHEMA}`)
  const { page_size } = db.prepare('pragma page_size').get() as { page_size: number }
  db.exec(`pragma wal_autocheckpoint = ${WAL_BYTES / page_size}`)
  db.prepare("insert or ignore into meta values ('id', ?)").run(randomUUID().slice(0, 8))
  const id = db.prepare("select value from meta where name = 'id'").get()!.value as string

  const maxPendingBytes = options.maxPendingBytes ?? 256 * 1024 * 1024
  const numbers = new Map<string, number>()
  const streams = new Map<string, readonly Stream[]>()
  const schemaIds = new Map<string, number>()
  const growing = growth()
  const listeners: ((grown: Grown) => void)[] = []
  /** No event of a topic is after this, for those of whom that is known: readers of quiet topics need not look. */
  const quietAfter = new Map<string, number>()
  let told = false
  const rows = rowWriter(db.prepare('insert into batches values (?, ?, ?, ?, ?, ?)'))
  const checkpointOf = db.prepare('select offset from checkpoints where name = ?')
  const saveCheckpoint = db.prepare('insert or replace into checkpoints values (?, ?)')
  const page = db.prepare(
    'select last, first, time, crc, bytes from batches where topic = ? and last > ? order by last',
  )
  const batchAfter = db.prepare('select last, time from batches where topic = ? and last > ? order by last limit 1')
  const maxLast = db.prepare('select coalesce(max(last), -1) as last from batches')
  const maxLastOf = db.prepare('select coalesce(max(last), -1) as last from batches where topic = ?')
  let head = lastOffset()
  let waiting: Waiting[] = []
  let pendingBytes = 0
  const retention = createRetention(db)

  function lastOffset(): number {
    const saved = db.prepare("select value from meta where name = 'head'").get()?.value
    return Math.max(maxLast.get()!.last as number, Number(saved ?? -1))
  }

  function learnTopics(): void {
    for (const row of db.prepare('select number, name, spec from topics').all()) {
      const name = row.name as string
      numbers.set(name, row.number as number)
      streams.set(name, [{ name: streamName(name, 0), topic: name, partition: 0 }])
      retention.learn(row.number as number, JSON.parse(row.spec as string))
    }
  }
  learnTopics()

  function put(entry: Waiting, next: number, topics: Map<string, number>): number {
    if (entry.consumed) {
      const { group, stream, offset } = entry.consumed
      const name = `${group} ${stream.name}`
      if (offset <= checkpoint(checkpointOf, name)) throw alreadyConsumed(offset, name)
      saveCheckpoint.run(name, offset)
      passPoint('embedded.checkpoint-written')
    }
    for (const { topic, count, bytes } of entry.batches) {
      const number = numbers.get(topic)
      if (number === undefined) throw new Error(`topic ${topic} was not declared`)
      rows.add(number, next, count, bytes)
      next += count
      topics.set(topic, next - 1)
    }
    return next
  }

  function commit(): void {
    const entries = waiting
    waiting = []
    pendingBytes = 0
    const written: { entry: Waiting; last: number }[] = []
    const topics = new Map<string, number>()
    let next = 0
    try {
      db.exec('begin immediate')
      // Another process may have written; SQLite's write lock makes the one that holds it the single writer.
      next = Math.max(head, maxLast.get()!.last as number) + 1
      for (const entry of entries) {
        try {
          next = put(entry, next, topics)
          written.push({ entry, last: next - 1 })
        } catch (error) {
          if (!(error instanceof DomainError)) throw error
          entry.reject(error)
        }
      }
      rows.flush()
      passPoint('embedded.events-written')
      db.exec('commit')
      passPoint('embedded.committed')
    } catch (error) {
      if (db.isTransaction) db.exec('rollback')
      rows.clear()
      const reason = new DomainError('UNAVAILABLE', `the event log cannot be written: ${(error as Error).message}`, {
        retryAfter: 5,
      })
      for (const entry of entries) entry.reject(reason)
      return
    }
    head = next - 1
    for (const { entry, last } of written) entry.resolve(positionAt(id, TOTAL_ORDER, last))
    for (const listener of listeners) listener({ head, topics })
    growing.grew()
    retention.apply(head)
  }

  function readPage(stream: Stream, after: number, limits: ReadLimits): Page {
    const reached = Math.max(head, after)
    if (told && (quietAfter.get(stream.topic) ?? Number.POSITIVE_INFINITY) <= after)
      return { events: [], through: reached }
    const events: StoredEvent[] = []
    let bytes = 0
    for (const row of page.iterate(numbers.get(stream.topic)!, after)) {
      const first = row.first as number
      const blob = Buffer.from((row.bytes as Uint8Array<ArrayBuffer>).buffer)
      if (crc32(blob) !== row.crc) {
        // What is before it is well.
        if (events.length > 0) return { events, through: events.at(-1)!.offset }
        throw new DamagedBatch(stream.topic, first, row.last as number)
      }
      let full = false
      eachEvent(blob, (keyStart, valueStart, valueEnd, index) => {
        const offset = first + index
        if (offset <= after || full) return
        bytes += valueEnd - keyStart
        if (events.length >= limits.maxEvents || (events.length > 0 && bytes > limits.maxBytes)) full = true
        else events.push(new PackedEvent(offset, row.time as number, blob, keyStart, valueStart, valueStart, valueEnd))
      })
      if (full) return { events, through: events.at(-1)!.offset }
    }
    if (events.length === 0) quietAfter.set(stream.topic, after)
    return { events, through: Math.max(reached, events.at(-1)?.offset ?? -1) }
  }

  /** By bisection of the offsets: there is no index by time. */
  function lastBy(topic: number, time: number): number {
    let [low, high] = [-1, maxLastOf.get(topic)!.last as number]
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2)
      const next = batchAfter.get(topic, middle)!
      if ((next.time as number) <= time) low = next.last as number
      else high = middle
    }
    return low
  }

  return {
    id,
    async declare(topics, schemas) {
      const topic = db.prepare(
        'insert into topics(name, spec) values (?, ?) on conflict(name) do update set spec = excluded.spec',
      )
      const schema = db.prepare('insert or ignore into schemas(name, body) values (?, ?)')
      db.exec('begin immediate')
      for (const spec of topics) topic.run(spec.name, JSON.stringify(spec))
      for (const [name, body] of Object.entries(schemas)) schema.run(name, JSON.stringify(body))
      db.exec('commit')
      learnTopics()
      const idOf = db.prepare('select id from schemas where name = ? and body = ?')
      for (const [name, body] of Object.entries(schemas)) {
        schemaIds.set(name, idOf.get(name, JSON.stringify(body))!.id as number)
      }
    },
    streams: topic => streams.get(topic) ?? [],
    place: (_stream, offset) => positionAt(id, TOTAL_ORDER, offset),
    // Nothing is ever copied into it.
    adopt: async () => undefined,
    append(batches, { consumed } = {}) {
      const size = batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
      if (pendingBytes + size > maxPendingBytes && waiting.length > 0) {
        const message = `${pendingBytes} bytes already wait to be written, the limit is ${maxPendingBytes}`
        return Promise.reject(new DomainError('UNAVAILABLE', message, { retryAfter: 1 }))
      }
      return new Promise<Position>((resolve, reject) => {
        waiting.push({ batches, consumed, resolve, reject })
        pendingBytes += size
        if (waiting.length === 1) setImmediate(commit)
      })
    },
    own: async (group, stream) => checkpoint(checkpointOf, `${group} ${stream.name}`),
    share: (_group, topic, onStreams) => alone(streams.get(topic) ?? [], onStreams),
    async read(stream, after, limits) {
      const found = readPage(stream, after, limits)
      if (found.events.length > 0 || found.through > after) return found
      await growing.wait(limits.waitMs, limits.signal)
      return readPage(stream, after, limits)
    },
    async ends(topic) {
      const found = streams.get(topic)
      if (!found) return new Map()
      const last = maxLastOf.get(numbers.get(topic)!)!.last as number
      // Whoever has been told of an end reads up to it, also when nobody has told this connection of the commit yet.
      if (last > (quietAfter.get(topic) ?? last)) quietAfter.set(topic, last)
      return new Map(found.map(({ name }) => [name, last]))
    },
    async reachedBy(topic, time) {
      return new Map((streams.get(topic) ?? []).map(({ name }) => [name, lastBy(numbers.get(topic)!, time)]))
    },
    async forgotten(topic) {
      return new Map((streams.get(topic) ?? []).map(({ name }) => [name, retention.forgotten(numbers.get(topic)!)]))
    },
    // What is written is visible: one transaction holds all of an append.
    written: async stream => maxLastOf.get(numbers.get(stream.topic)!)!.last as number,
    async lag(stream, after) {
      const behind = db.prepare(
        'select coalesce(sum(last - max(first, ? + 1) + 1), 0) as events from batches where topic = ? and last > ?',
      )
      return behind.get(after, numbers.get(stream.topic)!, after)!.events as number
    },
    stats: () => ({ rebalances: 0, retries: 0 }),
    schemaId(type) {
      const found = schemaIds.get(type)
      if (found === undefined) throw new Error(`the schema of ${type} was not declared`)
      return found
    },
    schema: async number => JSON.parse(db.prepare('select body from schemas where id = ?').get(number)!.body as string),
    onCommit: listener => void listeners.push(listener),
    grewTo(grown) {
      told = true
      head = grown.head
      for (const [topic, last] of grown.topics) quietAfter.set(topic, last)
      growing.grew()
    },
    async stop() {
      if (waiting.length > 0) commit()
      growing.grew()
      db.close()
    },
  }
}

function checkpoint(statement: StatementSync, name: string): number {
  return (statement.get(name)?.offset as number | undefined) ?? -1
}
