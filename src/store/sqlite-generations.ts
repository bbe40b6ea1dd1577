import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import type { Row, Table, Value } from '../kernel/projection.ts'
import { compareTables, type Dialect } from './differences.ts'
import {
  allTables,
  beside,
  besideName,
  type Generation,
  type Generations,
  type Key,
  madeNoMore,
  replacedBy,
  type Snapshot,
} from './generations.ts'
import { keptIn, offsetsIn, replaceIn } from './sqlite-checkpoints.ts'
import { quoted } from './sqlite-sql.ts'
import { declareTable } from './sqlite-tables.ts'

/** Rows that are removed at once: a few milliseconds in which nobody else can write. */
const REMOVED_AT_ONCE = 2000

/** What generations need of the store that they are in. */
export interface SqliteParts {
  readonly db: DatabaseSync
  readonly file: string
  exclusively<T>(work: () => Promise<T>): Promise<T>
  /** While nobody else uses the connection. */
  transaction<T>(work: () => Promise<T>): Promise<T>
  /** Keeps everybody from committing rows of a projection from now on; a commit under way is waited for. */
  close(projection: string): Promise<() => void>
}

export function sqliteGenerations({ db, file, exclusively, transaction, close }: SqliteParts): Generations {
  function inTransaction<T>(work: () => T): Promise<T> {
    return exclusively(() => transaction(async () => work()))
  }

  function swap(made: Generation, epochs: ReadonlyMap<string, number>, result: string): void {
    const { projection, number } = made
    const claimed = db
      .prepare('select stream, epoch from checkpoints where projection = ?')
      .all(besideName(projection, number))
    const claims = new Map(claimed.map(({ stream, epoch }) => [stream as string, epoch as number]))
    const { live, tables } = replacedBy(made, listed(db), claims, epochs)
    for (const name of tables)
      if (isThere(db, name)) db.exec(`alter table ${quoted(name)} rename to ${quoted(besideName(name, live.number))}`)
    for (const name of made.tables) db.exec(`alter table ${quoted(besideName(name, number))} rename to ${quoted(name)}`)
    replaceIn(db, projection, besideName(projection, number))
    db.prepare("update generations set state = 'old', tables = ? where projection = ? and number = ?").run(
      JSON.stringify(tables),
      projection,
      live.number,
    )
    db.prepare("update generations set state = 'live', result = ? where projection = ? and number = ?").run(
      result,
      projection,
      number,
    )
  }

  return {
    adopt: projections =>
      inTransaction(() => {
        const known = db.prepare('select 1 from generations where projection = ?')
        const insert = db.prepare("insert into generations values (?, 1, ?, 'live', null, null, null, ?, 0, 0)")
        for (const { name, version, tables } of projections) {
          if (known.get(name)) continue
          const filled = db.prepare('select 1 from checkpoints where projection = ?').get(name)
          insert.run(name, filled ? 1 : version, JSON.stringify(allTables(tables).map(table => table.name)))
        }
      }),
    list: () => exclusively(async () => listed(db)),
    begin: plan =>
      inTransaction(() => {
        const { projection, version, rebuild, at } = plan
        const all = listed(db).filter(each => each.projection === projection)
        db.prepare("update generations set state = 'old' where projection = ? and state <> 'live'").run(projection)
        const number = Math.max(1, ...all.map(each => each.number)) + 1
        const tables = allTables(plan.tables)
        for (const table of tables) declareTable(db, beside(table, number))
        db.prepare("insert into generations values (?, ?, ?, 'filling', ?, ?, null, ?, 0, 0)").run(
          ...[projection, number, version, rebuild, at],
          JSON.stringify(tables.map(({ name }) => name)),
        )
        return listed(db).find(each => each.projection === projection && each.number === number)!
      }),
    mark: (generation, step) =>
      inTransaction(() => {
        const { projection, number, rebuild } = generation
        const text = `update generations set state = ?
          where projection = ? and number = ? and rebuild = ? and state not in ('live', 'old')`
        const { changes } = db.prepare(text).run(step, projection, number, rebuild)
        if (changes === 0) throw madeNoMore(generation)
      }),
    tell: ({ projection, number }, done, total) =>
      inTransaction(() => {
        const text = 'update generations set done = ?, total = ? where projection = ? and number = ?'
        db.prepare(text).run(done, total, projection, number)
      }),
    async hold(projection) {
      const open = await close(projection)
      const reading = exclusively(async () => offsetsIn(sql => db.prepare(sql), [projection]))
      const checkpoints = await reading.catch(error => {
        open()
        throw error
      })
      return {
        checkpoints,
        swap: (made, epochs, result) => inTransaction(() => swap(made, epochs, result)).finally(open),
        release: async () => open(),
      }
    },
    removeSome: ({ projection, number, tables }) =>
      inTransaction(() => {
        const name = besideName(projection, number)
        const own = db.prepare("select 1 from generations where projection = ? and number = ? and state <> 'live'")
        if (!own.get(projection, number)) return false
        // Nobody who still fills it can go on.
        db.prepare('delete from checkpoints where projection = ?').run(name)
        for (const table of tables.map(each => besideName(each, number))) {
          if (!isThere(db, table)) continue
          if (!removeRows(db, table)) db.exec(`drop table ${quoted(table)}`)
          return true
        }
        return (
          db.prepare('delete from generations where projection = ? and number = ?').run(projection, number).changes > 0
        )
      }),
    snapshot: async () => openSnapshot(file),
  }
}

function isThere(db: DatabaseSync, table: string): boolean {
  return db.prepare("select 1 from sqlite_schema where type = 'table' and name = ?").get(table) !== undefined
}

/** Every generation that the store has; a file of before there were any has none. */
function listed(db: DatabaseSync): Generation[] {
  if (!isThere(db, 'generations')) return []
  return db
    .prepare(
      'select projection, number, version, state, rebuild, started_at, result, tables, done, total from generations',
    )
    .all()
    .map(({ projection, number, started_at, tables, ...rest }) => ({
      ...rest,
      ...{ projection, number, startedAt: started_at },
      tables: JSON.parse(tables as string),
      offsets: offsetsIn(sql => db.prepare(sql), [besideName(projection as string, number as number)]),
    })) as unknown as Generation[]
}

/** Removes the first rows of a table; false when it had none. */
function removeRows(db: DatabaseSync, table: string): boolean {
  const key = db
    .prepare('select name from pragma_table_info(?) where pk > 0 order by pk')
    .all(table)
    .map(row => quoted(row.name as string))
  const last = db.prepare(`select ${key} from ${quoted(table)} order by ${key} limit 1 offset ?`)
  last.setReturnArrays(true)
  const end = last.get(REMOVED_AT_ONCE - 1) as unknown as SQLInputValue[] | undefined
  if (!end) return db.prepare(`delete from ${quoted(table)}`).run().changes > 0
  const upTo = `(${key}) <= (${key.map(() => '?')})`
  return db.prepare(`delete from ${quoted(table)} where ${upTo}`).run(...end).changes > 0
}

/** A read-only connection of its own: in WAL mode it sees the file as it is now, whatever is written meanwhile. */
function openSnapshot(file: string): Snapshot {
  const db = new DatabaseSync(file, { timeout: 10_000, readOnly: true })
  db.exec('pragma cache_size = -8192; begin')
  // What it sees is settled with the first read.
  db.prepare('select count(*) from sqlite_schema').get()
  const query = (sql: string, values: readonly Value[]): Key[] => {
    const statement = db.prepare(sql)
    statement.setReturnArrays(true)
    return statement.all(...(values as SQLInputValue[])) as unknown as Key[]
  }
  const dialect: Dialect = {
    nameOf: (table: Table) => quoted(table.name),
    quoted,
    isNot: 'is not',
    parameter: () => '?',
    query: async (sql, values) => query(sql, values),
  }
  return {
    checkpoints: async projections => offsetsIn(sql => db.prepare(sql), projections),
    floors: async () => keptIn(sql => db.prepare(sql)).floors,
    async rows(table, after, limit) {
      const key = table.key.map(quoted).join(', ')
      const columns = Object.keys(table.columns).map(quoted).join(', ')
      const where = after ? `where (${key}) > (${after.map(() => '?')})` : ''
      const found = db.prepare(`select ${columns} from ${quoted(table.name)} ${where} order by ${key} limit ?`)
      return found.all(...((after ?? []) as SQLInputValue[]), limit) as Row[]
    },
    differences: (live, made, floors, after, limit) => compareTables(dialect, live, made, floors, after, limit),
    async close() {
      db.close()
    },
  }
}
