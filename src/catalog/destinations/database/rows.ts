import type { Batch, BoundRow } from './bind.ts'
import type { Column, Connection, Table, Value } from './connection.ts'
import { OWN_PREFIX, quoted, quotedList, quotedTable } from './names.ts'

/** What of a job decides how its rows are written. */
export interface Writing {
  readonly mode: 'append' | 'insert_only' | 'upsert' | 'replace' | 'scd2'
  readonly keys: readonly string[]
  readonly onDelete: 'soft' | 'hard' | 'ignore'
}

/** The column that says since when a row is gone. */
export const DELETED_AT = 'deleted_at'

const GONE: string = `${OWN_PREFIX}gone`
const AT: string = `${OWN_PREFIX}at`

/** Adds rows to a table; with keys, rows that are there already stay as they are. */
export async function insertRows(connection: Connection, table: Table, keys: readonly string[], batch: Batch) {
  const tail = keys.length > 0 ? `on conflict (${quotedList(keys)}) do nothing` : ''
  const values = batch.rows.filter(({ gone }) => !gone).map(row => row.values)
  const sorted = keys.length > 0 ? sortedByKey(values, placesOf(batch.columns, keys)) : values
  await connection.insert({ into: table.name, columns: batch.columns, rows: sorted, tail })
}

/**
 * Makes the table have these rows, whole: `absent` are columns of earlier rows, which are NULL in these. Rows that are the
 * same already are not touched. Of several with one key the last counts.
 */
export async function upsertRows(
  connection: Connection,
  table: Table,
  { keys, onDelete }: Writing,
  batch: Batch,
  absent: readonly Column[],
): Promise<void> {
  const places = placesOf(batch.columns, keys)
  const last = lastOfEachKey(batch.rows, places)
  const gone = last.filter(row => row.gone)
  // A row that is only said to be gone is there with what it had last.
  const held =
    gone.length > 0 && onDelete === 'soft'
      ? lastOfEachKey(
          batch.rows.filter(row => !row.gone),
          places,
        )
      : last
  const there = held.filter(row => !row.gone).map(({ values }) => values)
  const nulls = [...absent, ...table.columns.filter(({ name }) => onDelete === 'soft' && name === DELETED_AT)]
  const rows = sortedByKey(there, places)
  const tail = upsertTail(connection, keys, [...batch.columns, ...nulls])
  await connection.insert({ into: table.name, columns: batch.columns, nulls, rows, tail })
  if (gone.length > 0 && onDelete !== 'ignore')
    await deleteRows(connection, table, keys, places, batch.columns, gone, onDelete)
}

function upsertTail({ dialect }: Connection, keys: readonly string[], columns: readonly Column[]): string {
  const conflict = `on conflict (${quotedList(keys)})`
  const rest = columns.filter(({ name, settable }) => settable === 'always' && !keys.includes(name))
  if (rest.length === 0) return `${conflict} do nothing`
  const set = rest.map(({ name }) => `${quoted(name)} = excluded.${quoted(name)}`)
  const of = (row: string) =>
    `(${rest.map(column => dialect.comparable(column, `${row}.${quoted(column.name)}`)).join(', ')})`
  return `${conflict} do update set ${set.join(', ')} where ${of('held')} is distinct from ${of('excluded')}`
}

/** Takes rows away, or says that they are gone. */
async function deleteRows(
  connection: Connection,
  table: Table,
  keys: readonly string[],
  places: readonly number[],
  columns: readonly Column[],
  gone: readonly BoundRow[],
  onDelete: 'soft' | 'hard',
): Promise<void> {
  const { dialect } = connection
  const at: Column = { name: AT, type: 'time', sqlType: dialect.types.time, fixed: true, settable: 'always' }
  const list = { schema: null, name: GONE }
  await connection.run(
    `create temp table ${quoted(GONE)} as select ${quotedList(keys)}, cast(null as ${at.sqlType}) as ${quoted(AT)}
     from ${quotedTable(table.name)} where false`,
  )
  const rows = gone.map(({ row, values }) => [...places.map(place => values[place]!), dialect.time(row.at)])
  await connection.insert({ into: list, columns: [...places.map(place => columns[place]!), at], rows })
  const same = keys.map(key => `held.${quoted(key)} = gone.${quoted(key)}`).join(' and ')
  await connection.run(
    onDelete === 'hard'
      ? `delete from ${quotedTable(table.name)} where (${quotedList(keys)}) in (select ${quotedList(keys)} from ${quoted(GONE)})`
      : `update ${quotedTable(table.name)} as held set ${quoted(DELETED_AT)} = gone.${quoted(AT)}
         from ${quoted(GONE)} as gone where ${same} and held.${quoted(DELETED_AT)} is null`,
  )
  await connection.run(`drop table ${quoted(GONE)}`)
}

/** Where the keys' values stand. */
export function placesOf(columns: readonly Column[], keys: readonly string[]): number[] {
  return keys.map(key => columns.findIndex(({ name }) => name === key))
}

/** One row a key, as they stand. Keys that only the database takes for the same are left to it. */
function lastOfEachKey(rows: readonly BoundRow[], places: readonly number[]): readonly BoundRow[] {
  if (isAscending(rows, places)) return rows
  const last = new Map<unknown, BoundRow>()
  const [first] = places
  for (const row of rows) {
    const key =
      places.length === 1 ? row.values[first!] : JSON.stringify(places.map(place => String(row.values[place])))
    last.set(key, row)
  }
  return last.size === rows.length ? rows : [...last.values()]
}

/** Whether each key is larger than the one before, as sources often give them. */
function isAscending(rows: readonly BoundRow[], places: readonly number[]): boolean {
  return rows.every((row, i) => i === 0 || compareKeys(rows[i - 1]!.values, row.values, places) < 0)
}

/** In the order of the index over the keys, or nearly: rows that are next to each other in it are written faster. */
function sortedByKey(rows: readonly (readonly Value[])[], places: readonly number[]): (readonly Value[])[] {
  return rows.toSorted((a, b) => compareKeys(a, b, places))
}

function compareKeys(a: readonly Value[], b: readonly Value[], places: readonly number[]): number {
  for (const place of places) {
    const [left, right] = [a[place]!, b[place]!]
    if (left < right) return -1
    if (left > right) return 1
  }
  return 0
}
