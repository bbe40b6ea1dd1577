import type { SinkContext, SinkRefusal, SinkRow } from '../destination.ts'
import { type Batch, type BoundRow, bindRows } from './bind.ts'
import { ownColumns } from './config.ts'
import { type Column, type Connection, type NewColumn, type RowFault, ShapeFault, type Table } from './connection.ts'
import { readKnown } from './known.ts'
import type { TableName } from './names.ts'
import { writeWhatGoes } from './narrow.ts'
import { type PageRow, type ReadPage, readPage } from './page.ts'
import { DELETED_AT, insertRows, upsertRows, type Writing } from './rows.ts'
import type { Seen } from './seen.ts'
import { createShaper } from './shape.ts'
import { IS_CURRENT, VERSION_COLUMNS, writeVersions } from './versions.ts'

export interface LandingOptions {
  readonly connection: Connection
  /** The table that pages are written to. */
  readonly name: TableName
  readonly writing: Writing
  /** Keeps the keys that come, when they are wanted. */
  readonly seen: Seen | undefined
  /** Makes the table when it must not follow from the data alone. */
  readonly makeTable: () => Promise<boolean>
  readonly log: SinkContext['log']
}

/** Puts pages into a table, which is made and made wider as they need. All of it within the caller's transactions. */
export function createLanding({ connection, name, writing, seen, makeTable, log }: LandingOptions) {
  const { dialect } = connection
  const { mode, keys, onDelete } = writing
  const shaper = createShaper(connection, log)
  const ignoreDeletes = onDelete === 'ignore'
  const rules = { dialect, keys, reserved: ownColumns(writing), ignoreDeletes }
  const extra = extraColumns(writing)
  /** What is known of the table from one page to the next; undefined: not looked at. */
  let known: { readonly table: Table | undefined; readonly version: string } | undefined

  /** Keys by the names that the table's columns have. */
  const keysOf = (table: Table) => keys.map(key => shaper.columnOf(table, key)?.name ?? key)
  const hasKeys = (table: Table) => keys.every(key => shaper.columnOf(table, key))
  const keyColumns = (table: Table) => keys.map(key => shaper.columnOf(table, key)!)

  /** Makes sure that the table tells its rows apart, as soon as it has the columns for it. */
  async function tellApart(table: Table): Promise<void> {
    if (keys.length > 0 && hasKeys(table))
      await shaper.requireUnique(table, keys, mode === 'scd2' ? IS_CURRENT : undefined)
  }

  /** The table as it is, with the columns that it needs whatever the data; nobody changes it from now on. */
  async function look(): Promise<Table | undefined> {
    if (known?.table) {
      await connection.hold(name)
      if ((await connection.version(name)) === known.version) return known.table
    }
    if (!(await connection.exists(name))) return keep(undefined)
    await connection.hold(name)
    const table = await shaper.fit((await shaper.describe(name))!, { name, fields: [], extra })
    await tellApart(table)
    return keep(table)
  }

  async function keep(table: Table | undefined): Promise<Table | undefined> {
    known = { table, version: table ? await connection.version(name) : '' }
    return table
  }

  /** Makes the table fit for a page; undefined when there is none and nothing to put into it. */
  async function fit(page: ReadPage): Promise<Table | undefined> {
    let table = await look()
    if (!table) {
      if (page.rows.every(({ gone }) => gone)) return undefined
      if (await makeTable()) table = await shaper.describe(name)
    }
    const widenKey = async (column: Column, type: Parameters<Seen['widen']>[1]) => {
      if (seen && keysOf(table!).includes(column.name) && (await seen.isThere())) await seen.widen(column, type)
    }
    const fitted = await shaper.fit(table, { name, fields: page.fields, extra }, widenKey)
    if (fitted === known?.table) return fitted
    await tellApart(fitted)
    return keep(fitted)
  }

  /** Writes rows, and gives back those that the table does not take. */
  async function write(table: Table, batch: Batch, columnsOfJob: readonly string[]): Promise<SinkRefusal[]> {
    const refused: SinkRefusal[] = []
    const names = new Set(batch.columns.map(column => column.name))
    const absent = table.columns.filter(
      column => columnsOfJob.includes(column.name) && !names.has(column.name) && column.settable === 'always',
    )
    const put = (rows: readonly BoundRow[]) => putRows(table, { columns: batch.columns, rows }, absent)
    const onRefused = ({ row }: BoundRow, { code, column, message }: RowFault) =>
      void refused.push({ row, code, field: column, message })
    await writeWhatGoes(connection, batch.rows, put, onRefused)
    return refused
  }

  function putRows(table: Table, batch: Batch, absent: readonly Column[]): Promise<void> {
    const names = keysOf(table)
    if (mode === 'scd2') return writeVersions(connection, table, names, [...batch.columns, ...absent], batch)
    if (mode === 'upsert' || (mode === 'replace' && keys.length > 0))
      return upsertRows(connection, table, { mode, onDelete, keys: names }, batch, absent)
    return insertRows(connection, table, names, batch)
  }

  /** Keeps the keys of all rows that the source has, those too that the table does not take. */
  async function see(table: Table, page: ReadPage): Promise<void> {
    const rows = [...page.rows, ...page.known].filter(({ gone }) => !gone)
    const isKey = new Set(keys.map(dialect.nameKey))
    const places = page.fields.flatMap((field, place) => (isKey.has(dialect.nameKey(field.name)) ? [place] : []))
    if (places.length < keys.length || !hasKeys(table)) return
    const fields = places.map(place => page.fields[place]!)
    const columns = fields.map(field => shaper.columnOf(table, field.name)!)
    const only = rows.map((row): PageRow => ({ ...row, cells: places.map(place => row.cells[place]) }))
    const { rows: bound } = bindRows(dialect, fields, columns, only, [])
    await add(columns, bound)
  }

  /** A key that the table cannot have is not that of a row there. */
  function add(columns: readonly Column[], rows: readonly BoundRow[]): Promise<void> {
    return writeWhatGoes(connection, rows, some => seen!.add(columns, some), ignored)
  }

  /** Puts in a page without anything new. Whether that is still so is asked when nobody can change it any more. */
  async function takeKnown(table: Table, batch: Batch, columnsOfJob: readonly string[]) {
    if (batch.rows.length === 0) return { refused: [], columns: [] }
    const refused = await write(table, batch, columnsOfJob)
    if (seen) await add(batch.columns, batch.rows)
    if ((await connection.version(name)) !== known!.version) throw new ShapeFault('somebody has changed the table')
    return { refused, columns: batch.columns.map(column => column.name) }
  }

  return {
    look,
    /** Puts a page in; gives back the rows that are refused, and the names of the columns that it brings. */
    async take(rows: readonly SinkRow[], columnsOfJob: readonly string[], isNewRun: boolean) {
      const batch = known?.table && !isNewRun ? readKnown(rows, rules, known.table) : undefined
      if (batch) return takeKnown(known!.table!, batch, columnsOfJob)
      const before = await look()
      const page = readPage(rows, rules, before)
      const table = await fit(page)
      if (!table) return { refused: page.refused, columns: [] }
      if (seen && hasKeys(table) && (isNewRun || !before)) await seen.begin(table, keyColumns(table))
      const columns = page.fields.map(field => shaper.columnOf(table, field.name))
      // A field without a column is one that only deleted rows have: their keys are those of no row.
      if (columns.includes(undefined)) return { refused: page.refused, columns: [] }
      const refused = [...page.refused]
      const all = bindRows(dialect, page.fields, columns as Column[], page.rows, refused)
      refused.push(...(await write(table, all, columnsOfJob)))
      if (seen) await see(table, page)
      return { refused, columns: columns.flatMap((column, i) => (page.fields[i]!.isTaken ? [column!.name] : [])) }
    },
    /** The table is not what it was, or may not be. */
    forget(): void {
      known = undefined
    },
  }
}

function extraColumns({ mode, onDelete }: Writing): readonly NewColumn[] {
  if (mode === 'scd2') return VERSION_COLUMNS
  return mode === 'upsert' && onDelete === 'soft' ? [{ name: DELETED_AT, type: 'time' }] : []
}

const ignored = () => undefined
