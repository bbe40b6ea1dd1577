import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { DomainError } from '../../kernel/errors.ts'
import { eachEvent, PackedEvent } from '../batch.ts'
import type { StoredEvent } from '../log.ts'

/** A row of the embedded log: events of one topic that were appended together. */
export interface SourceBatch {
  readonly topic: string
  readonly first: number
  readonly last: number
  readonly time: number
  readonly bytes: Buffer
}

/** The embedded log as a copy reads it: every batch is held against its checksum before anybody sees an event of it. */
export interface Source {
  readonly file: string
  readonly id: string
  /** The last offset it has given out, -1 for none. */
  readonly head: number
  /** Every schema that a writer ever used, oldest first. */
  readonly schemas: readonly { id: number; name: string; body: object }[]
  /** How far each group has come in a topic. */
  readonly checkpoints: readonly Checkpoint[]
  /** All batches of all topics, in the order of the log. */
  batches(): Iterable<SourceBatch>
  /** The events of a topic after an offset, in order, but those taken before `since`, in milliseconds since 1970. */
  events(topic: string, after: number, since: number): Iterable<StoredEvent>
  close(): void
}

export interface Checkpoint {
  readonly group: string
  readonly topic: string
  readonly offset: number
}

/** What the groups begin with that runners append pages under; see workers/runs.ts. */
const PAGES_OF_JOBS = 'job-'

interface BatchRow {
  topic: number
  first: number
  last: number
  time: number
  crc: number
  bytes: Uint8Array<ArrayBuffer>
}

/** Opens an embedded log to read it. Nothing is written; nobody else may have it open. */
export function openSource(file: string): Source {
  if (!existsSync(file)) throw new DomainError('VALIDATION_ERROR', `there is no log to copy: ${file} does not exist`)
  const db = new DatabaseSync(file)
  const guarded = <T>(read: () => T): T => {
    try {
      return read()
    } catch (error) {
      throw error instanceof DomainError ? error : damaged(file, (error as Error).message)
    }
  }

  /** What SQLite finds wrong while it steps through rows is damage too. */
  function* rows(sql: string, ...values: (string | number)[]): Generator<BatchRow> {
    const found = db.prepare(sql).iterate(...values)
    for (;;) {
      const row = guarded(() => found.next())
      if (row.done) return
      yield row.value as unknown as BatchRow
    }
  }

  function checked({ first, last, time, crc, bytes }: BatchRow, topic: string): SourceBatch {
    const batch = { topic, first, last, time, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) }
    const found = crc32(bytes)
    if (found !== crc) throw damaged(file, `${placeOf(batch)}: the checksum is ${found}, it was ${crc} when written`)
    return batch
  }

  return guarded(() => {
    // Not opened read-only: after a crash SQLite has to take in what the write-ahead log still holds.
    db.exec('pragma query_only = on; pragma busy_timeout = 10000; pragma cache_size = -8192')
    const meta = new Map(
      db
        .prepare('select name, value from meta')
        .all()
        .map(row => [row.name as string, row.value as string]),
    )
    const names = new Map(
      db
        .prepare('select number, name from topics')
        .all()
        .map(row => [row.number as number, row.name as string]),
    )
    const numbers = new Map([...names].map(([number, name]) => [name, number]))
    const nameOf = (number: number): string => {
      const name = names.get(number)
      if (name === undefined)
        throw damaged(file, `there are events of a topic number ${number}, which it does not have`)
      return name
    }
    const { last } = db.prepare('select coalesce(max(last), -1) as last from batches').get() as { last: number }

    function* batches(): Generator<SourceBatch> {
      let before = -1
      for (const row of rows('select topic, first, last, time, crc, bytes from batches order by last')) {
        const batch = checked(row, nameOf(row.topic))
        if (batch.first <= before) throw damaged(file, `${placeOf(batch)}: the one before ends at ${before}`)
        before = batch.last
        yield batch
      }
    }

    function* events(topic: string, after: number, since: number): Generator<StoredEvent> {
      const number = numbers.get(topic)
      if (number === undefined) return
      const sql = `select topic, first, last, time, crc, bytes from batches
        where topic = ? and last > ? and time >= ? order by last`
      for (const row of rows(sql, number, after, since)) {
        const { first, time, bytes } = checked(row, topic)
        const page: StoredEvent[] = []
        eachEvent(bytes, (keyStart, valueStart, valueEnd, index) => {
          if (first + index > after)
            page.push(new PackedEvent(first + index, time, bytes, keyStart, valueStart, valueStart, valueEnd))
        })
        yield* page
      }
    }

    return {
      file,
      id: meta.get('id')!,
      head: Math.max(last, Number(meta.get('head') ?? -1)),
      schemas: db
        .prepare('select id, name, body from schemas order by id')
        .all()
        .map(({ id, name, body }) => ({ id: id as number, name: name as string, body: JSON.parse(body as string) })),
      checkpoints: db
        .prepare('select name, offset from checkpoints order by name')
        .all()
        .map(({ name, offset }) => checkpointOf(name as string, offset as number))
        // These count pages of a job, not places of the log; the job's own events tell how many there were.
        .filter(({ group }) => !group.startsWith(PAGES_OF_JOBS)),
      batches,
      events,
      close: () => db.close(),
    }
  })
}

/** A checkpoint is kept under `<group> <topic>-<partition>`; the embedded log's topics have one partition. */
function checkpointOf(name: string, offset: number): Checkpoint {
  const [, group, topic] = /^(.+) (.+)-0$/.exec(name) ?? []
  if (group === undefined) throw new Error(`"${name}" is not the name of a checkpoint`)
  return { group, topic: topic!, offset }
}

export function placeOf({ topic, first, last }: Pick<SourceBatch, 'topic' | 'first' | 'last'>): string {
  return `${topic}, events ${first} to ${last}`
}

export function damaged(file: string, what: string): DomainError {
  return new DomainError('VALIDATION_ERROR', `${file} is damaged and is not copied: ${what}`)
}
