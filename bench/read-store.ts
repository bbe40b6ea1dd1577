import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Postgres } from './postgres.ts'

/** An empty place for read models, and how far the records projection has come in it. */
export interface ReadStore {
  /** What makes a process of the service use it. */
  readonly env: Record<string, string>
  /** Events that its rows and checkpoints hold, of all streams. */
  projected(): Promise<number>
  remove(): Promise<void>
}

const PROJECTED = `select coalesce(sum("offset" + 1), 0) as events from checkpoints where projection = 'records'`
const PROJECTED_IN_DATABASE = PROJECTED.replace('checkpoints', 'superinsight.checkpoints')

/** A folder for one process, its log too if that is embedded. */
export function sqliteStore(): ReadStore {
  const dir = mkdtempSync(join(tmpdir(), 'sync-read-'))
  const file = join(dir, 'read.db')
  let db: DatabaseSync | undefined
  return {
    env: { DATA_DIR: dir },
    async projected() {
      if (!existsSync(file)) return 0
      db ??= new DatabaseSync(file, { readOnly: true, timeout: 10_000 })
      // Between the file's beginning and the first commit there is no such table.
      if (!db.prepare("select 1 from sqlite_master where name = 'checkpoints'").get()) return 0
      return Number(db.prepare(PROJECTED).get()!.events)
    },
    async remove() {
      db?.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** A database for any number of processes. */
export async function postgresStore(postgres: Postgres): Promise<ReadStore> {
  const database = await postgres.database()
  return {
    env: { DATABASE_URL: database.url },
    async projected() {
      const [{ found }] = (await database.query(
        "select to_regclass('superinsight.checkpoints') is not null as found",
      )) as [{ found: boolean }]
      if (!found) return 0
      const [{ events }] = (await database.query(PROJECTED_IN_DATABASE)) as [{ events: string }]
      return Number(events)
    },
    remove: () => database.drop(),
  }
}
