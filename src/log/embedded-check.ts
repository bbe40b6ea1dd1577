import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { eachEvent } from './batch.ts'

/** A batch whose bytes are not those that were written: nothing may follow from it. */
export class DamagedBatch extends Error {
  constructor(topic: string, first: number, last: number) {
    super(`the log is damaged: ${topic}, offsets ${first} to ${last}, has another checksum than when it was written`)
    this.name = 'DamagedBatch'
  }
}

/** A batch of the embedded log as a check finds it. */
export interface CheckedBatch {
  /** Its first and last offset. */
  readonly first: number
  readonly last: number
  readonly topic: string
  readonly events: number
  /** What is wrong with it; undefined when all is well. */
  readonly damage: string | undefined
}

/** Batches that are read at once: a service that runs on the file must be able to tidy up in between. */
const AT_ONCE = 50

/**
 * Reads an embedded log from its first batch to what was there when it began, and holds each against its checksum. Nothing
 * is written, and a service may run on it. Throws what SQLite says when the file itself cannot be read on.
 */
export function* checkBatches(file: string): Generator<CheckedBatch> {
  // Not opened read-only: after a crash SQLite has to take in what the write-ahead log still holds.
  const db = new DatabaseSync(file, { timeout: 10_000 })
  try {
    db.exec('pragma query_only = on; pragma cache_size = -8192')
    const names = new Map(
      db
        .prepare('select number, name from topics')
        .all()
        .map(row => [row.number, row.name as string]),
    )
    const head = db.prepare('select coalesce(max(last), -1) as last from batches').get()!.last as number
    const some = db.prepare(
      'select first, last, topic, crc, bytes from batches where last > ? and last <= ? order by last limit ?',
    )
    for (let after = -1; ; ) {
      const rows = some.all(after, head, AT_ONCE)
      if (rows.length === 0) return
      for (const { first, last, topic, crc, bytes } of rows as unknown as Row[]) {
        const events = last - first + 1
        const name = names.get(topic) ?? `topic number ${topic}`
        yield { first, last, topic: name, events, damage: damageOf(first, last, after, crc, bytes) }
        after = last
      }
    }
  } finally {
    db.close()
  }
}

interface Row {
  first: number
  last: number
  topic: number
  crc: number
  bytes: Uint8Array
}

function damageOf(first: number, last: number, before: number, crc: number, bytes: Uint8Array): string | undefined {
  const found = crc32(bytes)
  if (found !== crc) return `the checksum is ${found}, it was ${crc} when written`
  if (first <= before) return `the batch before it ends at ${before}`
  let events = 0
  eachEvent(bytes, () => events++)
  return events === last - first + 1 ? undefined : `there are ${events} events in it`
}
