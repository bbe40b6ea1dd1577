import { DatabaseSync } from 'node:sqlite'
import type { SealedStore } from './secrets.ts'

/** Sealed secrets in a SQLite file of their own; a commit is on the disk when it returns. */
export function openSqliteSecrets(file: string): SealedStore {
  const db = new DatabaseSync(file, { timeout: 10_000 })
  db.exec(`pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on;
    create table if not exists secrets(reference text primary key, sealed blob not null) strict, without rowid`)
  const put = db.prepare('insert or replace into secrets values (?, ?)')
  const get = db.prepare('select sealed from secrets where reference = ?')
  const remove = db.prepare('delete from secrets where reference = ?')
  return {
    put: async (reference, sealed) => void put.run(reference, sealed),
    get: async reference => get.get(reference)?.sealed as Uint8Array | undefined,
    remove: async reference => void remove.run(reference),
    stop: async () => db.close(),
  }
}
