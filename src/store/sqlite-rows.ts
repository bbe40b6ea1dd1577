import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { Row, Table, Value } from '../kernel/projection.ts'
import { quoted } from './sqlite-sql.ts'
import { PAGE_BYTES, rowBytes, rowOf, type TableChange } from './store.ts'

/** Rows and keys in one statement: what a statement costs by itself is more than what a row does. */
const ROWS_A_STATEMENT = 20
const KEYS_A_STATEMENT = 32

/** How one table is read and written: its statements are prepared once, for one row or key and for many. */
interface Access {
  readonly columns: readonly string[]
  upsert(count: number): StatementSync
  load(count: number): StatementSync
}

/** Rows by their keys: what a projector reads before it works out what events do to them, and writes after. */
export function sqliteRows(db: DatabaseSync) {
  const known = new WeakMap<Table, Access>()

  function accessOf(table: Table): Access {
    let access = known.get(table)
    if (!access) {
      const upsert = prepared(count => db.prepare(upsertSql(table, count)))
      const load = prepared(count => {
        const statement = db.prepare(loadSql(table, count))
        // As objects its rows would be slow ones, without a shape.
        statement.setReturnArrays(true)
        return statement
      })
      access = { columns: Object.keys(table.columns), upsert, load }
      known.set(table, access)
    }
    return access
  }

  return {
    upsert({ table, rows }: TableChange): void {
      const { columns, upsert } = accessOf(table)
      for (let at = 0; at < rows.length; ) {
        const count = rows.length - at >= ROWS_A_STATEMENT ? ROWS_A_STATEMENT : 1
        const values: SQLInputValue[] = []
        for (let i = at; i < at + count; i++)
          for (const column of columns) values.push(rows[i]![column] as SQLInputValue)
        upsert(count).run(...values)
        at += count
      }
    },
    load(table: Table, keys: readonly (readonly Value[])[]): Row[] {
      const { columns, load } = accessOf(table)
      const rows: Row[] = []
      let bytes = 0
      for (let at = 0; at < keys.length && bytes < PAGE_BYTES; ) {
        const count = keys.length - at >= KEYS_A_STATEMENT ? KEYS_A_STATEMENT : 1
        const parts: SQLInputValue[] = []
        // As many as there are columns, also for a key that somebody else has made: the others' would shift.
        for (let n = at; n < at + count; n++) for (let i = 0; i < table.key.length; i++) parts.push(keys[n]![i] ?? null)
        for (const values of load(count).iterate(...parts)) {
          const row = rowOf(columns, values as unknown as readonly Value[])
          rows.push(row)
          bytes += rowBytes(row)
          if (bytes >= PAGE_BYTES) break
        }
        at += count
      }
      return rows
    },
  }
}

function prepared(prepare: (count: number) => StatementSync): (count: number) => StatementSync {
  const statements = new Map<number, StatementSync>()
  return count => {
    let statement = statements.get(count)
    if (!statement) {
      statement = prepare(count)
      statements.set(count, statement)
    }
    return statement
  }
}

function upsertSql(table: Table, count: number): string {
  const columns = Object.keys(table.columns)
  const rest = columns.filter(column => !table.key.includes(column))
  const set = rest.map(column => `${quoted(column)} = excluded.${quoted(column)}`).join(', ')
  const row = `(${columns.map(() => '?').join(', ')})`
  // `or fail`: else SQLite keeps a journal for each statement, to undo half of one. A failure here undoes all of a commit.
  return `insert or fail into ${quoted(table.name)}(${columns.map(quoted).join(', ')})
    values ${Array(count).fill(row).join(', ')}
    on conflict(${table.key.map(quoted).join(', ')}) do update set ${set}`
}

/** A cross join goes through its left side from first to last, so that rows come in the order of the keys. */
function loadSql(table: Table, count: number): string {
  const columns = Object.keys(table.columns).map(column => `t.${quoted(column)}`)
  const parts = `(${table.key.map(() => '?').join(', ')})`
  const same = table.key.map((column, i) => `t.${quoted(column)} = k.column${i + 1}`)
  return `select ${columns.join(', ')} from (values ${Array(count).fill(parts).join(', ')}) k
    cross join ${quoted(table.name)} t on ${same.join(' and ')}`
}
