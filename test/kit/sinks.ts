import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import type { Sink, SinkContext, SinkRefusal, SinkRow } from '../../src/catalog/destinations/destination.ts'
import { destinationOf } from '../../src/catalog/destinations/index.ts'
import { createGuard } from '../../src/catalog/reach/guard.ts'
import { canonicalJson, canonicalNumber } from '../../src/kernel/canonical.ts'
import { membersOf, typeOf, unquoted } from '../../src/kernel/members.ts'
import { createDatabase } from './postgres.ts'

/** A database that sinks write to, and what it holds. */
export interface SinkDatabase {
  readonly name: 'postgres' | 'sqlite'
  readonly url: string
  exec(sql: string): Promise<void>
  /** The rows of a query as JSON texts of objects, numbers to the last digit. */
  rows(sql: string): Promise<string[]>
  tables(): Promise<string[]>
  /** A table's columns in order, with their types. */
  columns(table: string): Promise<{ name: string; type: string }[]>
  end(): Promise<void>
}

export function sqliteDatabase(): SinkDatabase {
  const dir = mkdtempSync(join(tmpdir(), 'sync-sink-'))
  const file = join(dir, 'there.db')
  const db = new DatabaseSync(file, { timeout: 5000 })
  return {
    name: 'sqlite',
    url: `sqlite://${file}`,
    exec: async sql => db.exec(sql),
    async rows(sql) {
      // Else the statement may have the columns of before, when another connection has added one.
      db.prepare('select count(*) from sqlite_master').get()
      const found = db.prepare(sql)
      found.setReadBigInts(true)
      const types = new Map(found.columns().map(({ name, type }) => [name, type?.toLowerCase()]))
      return found.all().map(row => {
        const members = Object.entries(row).map(
          ([name, value]) => `${JSON.stringify(name)}:${asJson(value, types.get(name))}`,
        )
        return `{${members.join(',')}}`
      })
    },
    tables: async () =>
      db
        .prepare("select name from sqlite_master where type = 'table'")
        .all()
        .map(row => String(row.name)),
    columns: async table =>
      db.prepare('select name, type from pragma_table_info(?)').all(table) as { name: string; type: string }[],
    async end() {
      db.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function asJson(value: unknown, type: string | undefined): string {
  if (value === null) return 'null'
  if (type === 'boolean') return value === 1n ? 'true' : 'false'
  if (typeof value === 'string') return type === 'json' ? value : JSON.stringify(value)
  return String(value)
}

export async function postgresDatabase(serverUrl: string): Promise<SinkDatabase> {
  const { url, drop } = await createDatabase(serverUrl)
  const client = new pg.Client({ connectionString: url, options: '-c timezone=UTC' })
  await client.connect()
  return {
    name: 'postgres',
    url,
    exec: async sql => void (await client.query(sql)),
    async rows(sql) {
      const { rows } = await client.query<{ json: string }>(
        `select to_jsonb(found)::text as json from (${sql}) as found`,
      )
      return rows.map(({ json }) => json)
    },
    async tables() {
      const { rows } = await client.query<{ name: string }>(
        "select relname as name from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace",
      )
      return rows.map(({ name }) => name)
    },
    async columns(table) {
      const sql = `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
        where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`
      return (await client.query(sql, [`"${table.replaceAll('"', '""')}"`])).rows
    },
    async end() {
      await client.end()
      await drop()
    },
  }
}

/** Jobs of a test, each with a table of its own in one database. */
export function sinkJobs(open: () => Promise<SinkDatabase>) {
  let there: SinkDatabase
  let tables = 0
  beforeAll(async () => {
    there = await open()
  })
  afterAll(() => there.end())
  return {
    get there() {
      return there
    },
    /** A destination, with a new table unless one is named. */
    job(more: object = {}) {
      const table = `t${++tables}`
      return { table, destination: { type: 'database', url: there.url, table, ...more } }
    },
    /** A table's rows as JavaScript has them. */
    async held(table: string, order = 'id'): Promise<Record<string, unknown>[]> {
      const rows = await there.rows(`select * from "${table.replaceAll('"', '""')}" order by ${order}`)
      return rows.map(row => JSON.parse(row))
    },
    names: async (table: string) => (await there.columns(table)).map(({ name }) => name),
    types: async (table: string) =>
      Object.fromEntries((await there.columns(table)).map(each => [each.name, each.type])),
  }
}

export type SinkJobs = ReturnType<typeof sinkJobs>

/** What a job says of itself; everything else has a default. */
export type Opening = Partial<SinkContext> & { logged?: { level: string; message: string; metadata: object }[] }

/** Opens the sink of a `destination`, as a runner does. */
export async function openSink(destination: object, { logged, ...opening }: Opening = {}): Promise<Sink> {
  const found = destinationOf((destination as { type: string }).type)!
  return found.open(found.config.parse(destination), {
    ...{ jobId: 'job_1', runId: 'run_1', signal: new AbortController().signal, guard: createGuard('1') },
    ...{ whole: true, brokers: [], folders: { allowed: '/', own: '/nowhere' }, answerMs: 10_000 },
    log: (level, message, metadata = {}) => void logged?.push({ level, message, metadata }),
    ...opening,
  })
}

/** Rows by their JSON texts, or null for one that is deleted; an id is the member `id`. */
export function rowsOf(data: readonly (string | readonly [id: string, data: null])[], at = 1000): SinkRow[] {
  return data.map((each, i) => {
    if (typeof each !== 'string') return { number: i + 1, id: each[0], op: 'delete', data: 'null', at }
    const id = membersOf(each).get('id') ?? `"row-${i + 1}"`
    return { number: i + 1, id: typeOf(id) === 'string' ? unquoted(id) : id, op: 'upsert', data: each, at }
  })
}

/** One run: opens, writes the pages from a number on, completes, stops; gives back what was refused. */
export async function runOf(
  destination: object,
  opening: Opening & { from?: number },
  pages: readonly (readonly SinkRow[])[],
): Promise<SinkRefusal[]> {
  const { from = 1, ...rest } = opening
  const sink = await openSink(destination, rest)
  const refused: SinkRefusal[] = []
  for (const [i, rows] of pages.entries()) refused.push(...(await writePage(sink, from + i, rows)))
  await sink.complete()
  await sink.stop()
  return refused
}

/** Writes a page and gives back what was refused. */
export async function writePage(sink: Sink, number: number, rows: readonly SinkRow[]): Promise<SinkRefusal[]> {
  const refused: SinkRefusal[] = []
  await sink.write({ number, rows }, async some => void refused.push(...some))
  return refused
}

/** Whether a database holds what a JSON text says: numbers by value, and in a column of texts whatever says the same. */
export function holdsValue(expected: string, actual: string): boolean {
  const [wanted, held] = [typeOf(expected), typeOf(actual)]
  if (wanted !== 'string' && held === 'string' && wanted !== 'null') return saysTheSame(expected, unquoted(actual))
  if (wanted === 'number' && held === 'number') return canonicalNumber(expected) === canonicalNumber(actual)
  return wanted === held && canonicalJson(expected) === canonicalJson(actual)
}

function saysTheSame(expected: string, text: string): boolean {
  if (typeOf(expected) === 'number')
    return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && canonicalNumber(expected) === canonicalNumber(text)
  return isJson(text) && canonicalJson(expected) === canonicalJson(text)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
