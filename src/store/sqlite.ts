import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { Row, Table, Value } from '../kernel/projection.ts'
import {
  claimLost,
  type FieldCondition,
  PAGE_BYTES,
  type PageQuery,
  rowBytes,
  rowOf,
  type Store,
  type TableChange,
} from './store.ts'

/** Rows and keys in one statement: what a statement costs by itself is more than what a row does. */
const ROWS_A_STATEMENT = 20
const KEYS_A_STATEMENT = 32

/**
 * The read models in one SQLite file. Commits are not fsynced one by one (synchronous = NORMAL): after a power cut the
 * file is at some earlier commit, rows and checkpoint alike, and the projector reads on from there.
 */
export function openSqliteStore(options: { file: string; readOnly?: boolean; cacheMb?: number }): Store {
  const db = new DatabaseSync(options.file, { timeout: 10_000, readOnly: options.readOnly ?? false })
  db.exec(`pragma cache_size = -${(options.cacheMb ?? 64) * 1024}; pragma busy_timeout = 10000;`)
  if (!options.readOnly) {
    db.exec(`pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 8000;
      create table if not exists checkpoints(projection text, stream text, "offset" integer not null,
        epoch integer not null default 0, primary key(projection, stream)) strict, without rowid;`)
    // Files made before checkpoints had one writer.
    if (!db.prepare("select 1 from pragma_table_info('checkpoints') where name = 'epoch'").get())
      db.exec('alter table checkpoints add column epoch integer not null default 0')
  }
  const prepared = new Map<string, StatementSync>()

  function statement(sql: string): StatementSync {
    let found = prepared.get(sql)
    if (!found) {
      found = db.prepare(sql)
      prepared.set(sql, found)
    }
    return found
  }

  function upsertOf(table: Table, count: number): StatementSync {
    const columns = Object.keys(table.columns)
    const rest = columns.filter(column => !table.key.includes(column))
    const set = rest.map(column => `${quoted(column)} = excluded.${quoted(column)}`).join(', ')
    const row = `(${columns.map(() => '?').join(', ')})`
    // `or fail`: else SQLite keeps a journal for each statement, to undo half of one. A failure here undoes all of a commit.
    return statement(
      `insert or fail into ${quoted(table.name)}(${columns.map(quoted).join(', ')}) values ${Array(count).fill(row).join(', ')}
       on conflict(${table.key.map(quoted).join(', ')}) do update set ${set}`,
    )
  }

  /** Writes rows, many to a statement: what a statement costs by itself is more than what a row does. */
  function upsert({ table, rows }: TableChange): void {
    const columns = Object.keys(table.columns)
    for (let at = 0; at < rows.length; ) {
      const count = rows.length - at >= ROWS_A_STATEMENT ? ROWS_A_STATEMENT : 1
      const values: SQLInputValue[] = []
      for (let i = at; i < at + count; i++) for (const column of columns) values.push(rows[i]![column] as SQLInputValue)
      upsertOf(table, count).run(...values)
      at += count
    }
  }

  /** A cross join goes through its left side from first to last, so that rows come in the order of the keys. */
  function loadOf(table: Table, count: number): StatementSync {
    const columns = Object.keys(table.columns).map(column => `t.${quoted(column)}`)
    const parts = `(${table.key.map(() => '?').join(', ')})`
    const same = table.key.map((column, i) => `t.${quoted(column)} = k.column${i + 1}`)
    return statement(
      `select ${columns.join(', ')} from (values ${Array(count).fill(parts).join(', ')}) k
       cross join ${quoted(table.name)} t on ${same.join(' and ')}`,
    )
  }

  function load(table: Table, keys: readonly (readonly Value[])[]): Row[] {
    const columns = Object.keys(table.columns)
    const rows: Row[] = []
    let bytes = 0
    for (let at = 0; at < keys.length && bytes < PAGE_BYTES; ) {
      const count = keys.length - at >= KEYS_A_STATEMENT ? KEYS_A_STATEMENT : 1
      const found = loadOf(table, count)
      // As objects these would be slow ones, without a shape.
      found.setReturnArrays(true)
      const parts: SQLInputValue[] = []
      // As many as there are columns, also for a key that somebody else has made: the others' would shift.
      for (const key of keys.slice(at, at + count))
        for (let i = 0; i < table.key.length; i++) parts.push(key[i] ?? null)
      for (const values of found.iterate(...parts)) {
        const row = rowOf(columns, values as unknown as readonly Value[])
        rows.push(row)
        bytes += rowBytes(row)
        if (bytes >= PAGE_BYTES) break
      }
      at += count
    }
    return rows
  }

  let last: Promise<unknown> = Promise.resolve()
  /** One at a time: a commit may wait in the middle, and nobody may see it half done. */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return done
  }

  return {
    parallel: false,
    // In turn as well: inside a commit that fails, a new table would be rolled back with it.
    declare: tables =>
      exclusively(async () => {
        for (const table of tables) {
          const columns = Object.entries(table.columns).map(([name, type]) => `${quoted(name)} ${type}`)
          const key = table.key.map(quoted).join(', ')
          const body = `${columns.join(', ')}, primary key(${key})`
          db.exec(`create table if not exists ${quoted(table.name)}(${body}) strict, without rowid`)
          const there = new Set(
            db
              .prepare('select name from pragma_table_info(?)')
              .all(table.name)
              .map(row => row.name),
          )
          for (const [name, type] of Object.entries(table.columns))
            if (!there.has(name)) db.exec(`alter table ${quoted(table.name)} add column ${quoted(name)} ${type}`)
          for (const index of table.indexes ?? [])
            db.exec(
              `create index if not exists ${quoted(`${table.name} by ${index.join(', ')}`)} on ${quoted(table.name)}(${index.map(quoted).join(', ')})`,
            )
        }
      }),
    claim: (projection, stream) =>
      exclusively(async () => {
        const row = statement(
          `insert into checkpoints(projection, stream, "offset", epoch) values (?, ?, -1, 1)
           on conflict(projection, stream) do update set epoch = epoch + 1 returning epoch, "offset"`,
        ).get(projection, stream)!
        return { epoch: row.epoch as number, offset: row.offset as number }
      }),
    load: (table, keys) => exclusively(async () => load(table, keys)),
    commit: (changes, checkpoint, before) =>
      exclusively(async () => {
        const { projection, stream, offset, epoch } = checkpoint
        db.exec('begin immediate')
        try {
          const moved = statement(
            'update checkpoints set "offset" = ? where projection = ? and stream = ? and epoch = ?',
          ).run(offset, projection, stream, epoch)
          if (moved.changes === 0) throw claimLost(checkpoint)
          for (const change of changes) upsert(change)
          await before
          db.exec('commit')
        } catch (error) {
          if (db.isTransaction) db.exec('rollback')
          throw error
        }
      }),
    checkpoints: projections =>
      exclusively(async () => {
        const rows = statement(
          'select stream, "offset" from checkpoints where projection in (select value from json_each(?)) and "offset" >= 0',
        ).all(JSON.stringify(projections))
        return new Map(rows.map(row => [row.stream as string, row.offset as number]))
      }),
    page: query =>
      exclusively(async () => {
        const { sql, values } = pageSql(query)
        const rows: Row[] = []
        let bytes = 0
        for (const row of statement(sql).iterate(...values)) {
          rows.push(row as Row)
          bytes += rowBytes(row as Row)
          if (bytes >= PAGE_BYTES) break
        }
        return rows
      }),
    count: ({ table, equal }) =>
      exclusively(async () => {
        const conditions = Object.keys(equal).map(column => `${quoted(column)} = ?`)
        const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
        const sql = `select count(*) as rows from ${quoted(table.name)} ${where}`
        return statement(sql).get(...Object.values(equal))!.rows as number
      }),
    async stop() {
      db.close()
    },
  }
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

function pageSql(query: PageQuery): { sql: string; values: SQLInputValue[] } {
  const last = quoted(query.table.key.at(-1)!)
  const conditions: string[] = []
  const values: SQLInputValue[] = []
  for (const [column, value] of Object.entries(query.equal)) {
    conditions.push(`${quoted(column)} = ?`)
    values.push(value)
  }
  if (query.after !== undefined) {
    conditions.push(`${last} > ?`)
    values.push(query.after)
  }
  for (const field of query.fields ?? []) {
    const condition = fieldSql(field)
    conditions.push(condition.sql)
    values.push(...condition.values)
  }
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return {
    sql: `select * from (
      select * from ${quoted(query.table.name)} ${where} order by ${last} ${query.newest ? 'desc' : ''} limit ? offset ?
    ) order by ${last}`,
    values: [...values, query.limit, query.offset ?? 0],
  }
}

/** `->>` gives a JSON number as a number, true as 1, a missing field as null; json_type tells them apart. */
function fieldSql({ column, field, comparison, value }: FieldCondition): { sql: string; values: SQLInputValue[] } {
  // As a JSON string: SQLite reads escapes in a path when it has a backslash.
  const path = `$.${JSON.stringify(field)}`
  const type = `json_type(${quoted(column)}, ?)`
  if (value === null) {
    return { sql: `coalesce(${type}, 'null') ${comparison === '!=' ? '<>' : '='} 'null'`, values: [path] }
  }
  if (typeof value === 'boolean') {
    return { sql: `coalesce(${type}, 'null') ${comparison === '!=' ? '<>' : '='} ?`, values: [path, String(value)] }
  }
  const types = typeof value === 'string' ? "('text')" : "('integer', 'real')"
  const compared = `(${type} in ${types} and ${quoted(column)} ->> ? ${comparison === '!=' ? '=' : comparison} ?)`
  return { sql: comparison === '!=' ? `not coalesce(${compared}, 0)` : compared, values: [path, path, bound(value)] }
}

/** An integer past 64 bits as a real number, which is what SQLite makes of one in JSON text. */
function bound(value: string | number | bigint): SQLInputValue {
  return typeof value === 'bigint' && BigInt.asIntN(64, value) !== value ? Number(value) : value
}
