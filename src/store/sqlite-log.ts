import { existsSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'

/**
 * Makes sure that a read store holds rows of one log only: its file is marked with the log's id, and one of another log
 * is removed, to be made anew from the first event. Places of one log mean nothing in another, so a projector that went
 * on from them would leave events out. The mark is SQLite's `application_id`, 32 bits that are no table's.
 */
export function keepOnlyRowsOf(log: string, file: string): void {
  const mark = crc32(log) | 0
  const found = existsSync(file) ? markOf(file) : undefined
  if (found === mark) return
  if (found !== undefined) for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
  const db = new DatabaseSync(file)
  db.exec(`pragma application_id = ${mark}`)
  db.close()
}

function markOf(file: string): number {
  const db = new DatabaseSync(file)
  try {
    return db.prepare('pragma application_id').get()!.application_id as number
  } finally {
    db.close()
  }
}
