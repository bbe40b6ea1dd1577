import { DomainError } from '../../../kernel/errors.ts'
import { SourceBusy } from '../../connectors/connector.ts'
import type { SinkContext } from '../destination.ts'
import {
  type Column,
  type Connection,
  type NewColumn,
  RowFault,
  ShapeFault,
  type Table,
  type UniqueIndex,
} from './connection.ts'
import { newIndexName, OWN_PREFIX, quoted, quotedList, quotedTable, shownTable, type TableName } from './names.ts'
import type { Field } from './page.ts'
import { join, typeOfKind } from './types.ts'

/** What a table must be like before a page's rows go in. */
export interface Wanted {
  readonly name: TableName
  /** Columns from the data, each as wide as the data need. */
  readonly fields: readonly Field[]
  /** Columns of our own. */
  readonly extra: readonly NewColumn[]
}

/** Makes tables fit for what comes. */
export function createShaper(connection: Connection, log: SinkContext['log']) {
  const { dialect } = connection
  /** Columns that could not be widened, and keep their type for as long as this lasts. */
  const stuck = new Set<string>()

  function columnOf(table: Table, name: string): Column | undefined {
    const key = dialect.nameKey(name)
    return table.columns.find(column => dialect.nameKey(column.name) === key)
  }

  async function describe(name: TableName): Promise<Table | undefined> {
    const table = await connection.describe(name)
    if (!table) return undefined
    const columns = table.columns.map(column => (stuck.has(column.name) ? { ...column, fixed: true } : column))
    return { ...table, columns }
  }

  /**
   * The table with what it lacked; `table` is it as it was, undefined when there is none. `beside` is told of each column
   * that gets another type, before it does.
   */
  async function fit(
    table: Table | undefined,
    { name, fields, extra }: Wanted,
    beside?: (column: Column, to: ReturnType<typeof typeOfKind>) => Promise<void>,
  ): Promise<Table> {
    const taken = fields.filter(({ isTaken }) => isTaken)
    if (!table) {
      const columns = taken.map(field => ({ name: field.name, type: typeOfKind(field.kind) }))
      await create(name, [...columns, ...extra])
      return (await describe(name))!
    }
    let changed = false
    for (const field of taken) {
      const column = columnOf(table, field.name)
      if (!column) await connection.addColumn(name, { name: field.name, type: typeOfKind(field.kind) })
      else if (column.fixed || column.type === 'other' || column.type === 'time') continue
      else {
        const type = typeOfKind(join(column.type, field.kind))
        if (type === column.type) continue
        await widen(table, column, type, beside)
      }
      changed = true
    }
    for (const column of extra) {
      if (columnOf(table, column.name)) continue
      await connection.addColumn(name, column)
      changed = true
    }
    return changed ? (await describe(name))! : table
  }

  async function create(name: TableName, columns: readonly NewColumn[]): Promise<void> {
    try {
      await connection.create(name, columns)
    } catch (error) {
      // Somebody else makes it at this moment.
      throw error instanceof RowFault ? new ShapeFault(error.message) : error
    }
  }

  async function widen(
    table: Table,
    column: Column,
    type: ReturnType<typeof typeOfKind>,
    beside: ((column: Column, to: typeof type) => Promise<void>) | undefined,
  ): Promise<void> {
    const metadata = { table: shownTable(table.name), column: column.name, from: column.type, to: type }
    try {
      await connection.attempt(async () => {
        await beside?.(column, type)
        await connection.widen(table, column, type)
      })
      if (column.type !== 'none') log('info', 'a column is made wider for the values that come', metadata)
    } catch (error) {
      if (error instanceof SourceBusy) throw error
      stuck.add(column.name)
      const why = { ...metadata, message: (error as Error).message }
      log('warning', 'a column cannot be made wider: rows whose values do not fit are refused', why)
    }
  }

  /** Makes sure that a table tells rows apart by its keys; `where` when only those are to be told apart that it is true of. */
  async function requireUnique(table: Table, keys: readonly string[], where?: string): Promise<void> {
    const { schema } = table.name
    const columns = keys.map(key => columnOf(table, key)!.name)
    const found = await connection.uniqueIndexes(table.name, columns)
    const isOurs = ({ name }: UniqueIndex) => name.startsWith(OWN_PREFIX)
    if (where !== undefined) {
      // Of a mode in which a key has one row.
      for (const index of found.filter(({ partial }) => !partial)) {
        if (!isOurs(index)) throw wrongKeys(table, 'it takes one row of a key, and no versions')
        await connection.run(`drop index ${quotedTable({ schema, name: index.name })}`)
      }
    }
    if (found.some(index => (where === undefined ? !index.partial : index.partial && isOurs(index)))) return
    const over = `${quotedTable(table.name)}(${quotedList(columns)})${where ? ` where ${quoted(where)}` : ''}`
    try {
      await connection.attempt(() => connection.run(`create unique index ${quoted(newIndexName())} on ${over}`))
    } catch (error) {
      if (error instanceof SourceBusy) throw error
      throw wrongKeys(table, `its rows cannot be told apart by them: ${(error as Error).message}`)
    }
  }

  return { describe, columnOf, fit, requireUnique }
}

export type Shaper = ReturnType<typeof createShaper>

function wrongKeys({ name }: Table, message: string): DomainError {
  const field = 'destination.key_columns'
  const said = `${shownTable(name)}: ${message}`
  return new DomainError('VALIDATION_ERROR', `${field}: ${said}`, { details: [{ field, message: said }] })
}
