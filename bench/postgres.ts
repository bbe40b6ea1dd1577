import pg from 'pg'
import { createDatabase, startEmbeddedPostgres } from '../test/kit/postgres.ts'

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
const SETTINGS = { shared_buffers: '512MB', max_wal_size: '4GB' }

export async function startPostgres(): Promise<Postgres> {
  const server = await startEmbeddedPostgres({ user: USER, password: PASSWORD, settings: SETTINGS })
  return {
    async database() {
      const { url, drop } = await createDatabase(server.url)
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      return {
        url,
        jdbcUrl: `jdbc:postgresql://127.0.0.1:${server.port}${new URL(url).pathname}`,
        query: async <Row>(sql: string, values: readonly unknown[] = []) =>
          (await client.query(sql, [...values])).rows as Row[],
        async drop() {
          await client.end()
          await drop()
        },
      }
    },
    stop: () => server.stop(),
  }
}
