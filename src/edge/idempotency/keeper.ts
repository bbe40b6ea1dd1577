import { DatabaseSync } from 'node:sqlite'
import { DomainError } from '../../kernel/errors.ts'
import { passPoint } from '../../kernel/points.ts'
import type { Done, Keeper } from './keys.ts'

export interface KeeperOptions {
  file: string
  /** How long a key is kept. */
  seconds: number
  /** What the file may hold; past it the oldest keys are dropped before their time. */
  maxBytes: number
}

/** Keys in the order they were kept in, which is the order in which their time is over. */
const SCHEMA = `create table if not exists keys(number integer primary key, hash text not null unique,
  until integer not null, fingerprint text not null, answer text not null) strict;`

/** Most that one sweep deletes. */
const STEP = 1000
const SWEEP_MS = 1000

/** Writes keys into a SQLite file, which it makes. One process at a time may. */
export function openKeeper({ file, seconds, maxBytes }: KeeperOptions): Keeper {
  const db = open(file)
  const insert = db.prepare('insert or replace into keys(hash, until, fingerprint, answer) values (?, ?, ?, ?)')
  const oldest = db.prepare('select until from keys order by number limit 1')
  const forget = db.prepare('delete from keys where number < (select min(number) from keys) + ? and until <= ?')
  const used = db.prepare(`select (page_count - freelist_count) * page_size as bytes
    from pragma_page_count, pragma_freelist_count, pragma_page_size`)

  function transaction<T>(work: () => T): T {
    db.exec('begin immediate')
    try {
      const result = work()
      passPoint('keys.written')
      db.exec('commit')
      passPoint('keys.kept')
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('rollback')
      throw error
    }
  }

  /** Drops as few as it can: those that have just come are the last in the row. */
  function makeRoom(step: number): number {
    let dropped = 0
    while ((used.get()!.bytes as number) > maxBytes) {
      const { changes } = forget.run(step, Number.MAX_SAFE_INTEGER)
      if (changes === 0) break
      dropped += Number(changes)
    }
    return dropped
  }

  /** While keys come each group takes twice as many with it as it brings; this is for when none come. */
  function sweep(): void {
    try {
      const due = oldest.get()?.until as number | undefined
      if (due !== undefined && due <= Date.now()) transaction(() => forget.run(STEP, Date.now()))
    } catch {
      // What cannot be deleted now, as on a full disk, is in the next sweep. It is not shown to anyone meanwhile.
    }
  }
  const sweeping = setInterval(sweep, SWEEP_MS).unref()

  return {
    async keep(done: readonly Done[]) {
      const now = Date.now()
      try {
        return transaction(() => {
          for (const { hash, fingerprint, answer } of done) insert.run(hash, now + seconds * 1000, fingerprint, answer)
          forget.run(2 * done.length, now)
          return makeRoom(done.length)
        })
      } catch (error) {
        const message = `Idempotency-Key: the key cannot be kept: ${(error as Error).message}`
        throw new DomainError('UNAVAILABLE', message, { retryAfter: 5 })
      }
    },
    async stop() {
      clearInterval(sweeping)
      db.close()
    },
  }
}

function open(file: string): DatabaseSync {
  try {
    const db = new DatabaseSync(file, { timeout: 10_000 })
    // FULL: a commit is on the disk when it returns.
    db.exec(`pragma journal_mode = wal; pragma synchronous = FULL; pragma wal_autocheckpoint = 4000;
      pragma cache_size = -8192; ${SCHEMA}`)
    return db
  } catch (error) {
    throw new DomainError('UNAVAILABLE', `the idempotency keys: ${file}: ${(error as Error).message}`)
  }
}
