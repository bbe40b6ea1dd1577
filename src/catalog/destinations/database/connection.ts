import type { TableName } from './names.ts'
import type { ColumnType, Kind } from './types.ts'

/** A value as a database takes it. */
export type Value = string | number | bigint | boolean | null

export interface Column {
  readonly name: string
  /** `time` is of our own columns only; `other` is what sinks do not make. */
  readonly type: ColumnType | 'time' | 'other'
  /** The type as the database calls it. */
  readonly sqlType: string
  /** Keeps its type: a user made it, or something hangs on it. What does not fit is refused. */
  readonly fixed: boolean
  /** When it can be given a value: `never` when the database works it out, `insert` when the database numbers its rows. */
  readonly settable: 'always' | 'insert' | 'never'
}

export interface Table {
  readonly name: TableName
  /** Made by a sink, which may widen its columns and put another in its place. */
  readonly ours: boolean
  readonly columns: readonly Column[]
}

export interface UniqueIndex {
  readonly name: string
  /** Only of the rows for which something is true. */
  readonly partial: boolean
}

export interface NewColumn {
  readonly name: string
  readonly type: Column['type']
  /** As the database calls it, when it is not a type of ours. */
  readonly sqlType?: string
  /** What rows get that are there already, as SQL. */
  readonly initially?: string
}

/** Rows on their way into a table: the values of `columns`, then NULL in `nulls`. */
export interface Insert {
  readonly into: TableName
  readonly columns: readonly Column[]
  readonly nulls?: readonly Column[]
  readonly rows: readonly (readonly Value[])[]
  /** SQL after the rows, `on conflict …`; the row that is there is called `held`. */
  readonly tail?: string
}

/**
 * A connection to a database. What is common to databases is SQL that callers write; what is not is here. One transaction
 * at a time; all but `transaction` and `stop` is called within one.
 *
 * Every call fails with one of these: SourceBusy for what may pass, a RowFault when a row cannot go in, a ShapeFault when a
 * table is not as it was last seen, else a DomainError.
 */
export interface Connection {
  readonly dialect: Dialect
  /** All of it or nothing. `long` when it may take as long as a whole table does, and not only a page. */
  transaction<T>(work: () => Promise<T>, long?: 'long'): Promise<T>
  /** A part that leaves nothing behind when it fails, and the transaction goes on. */
  attempt<T>(work: () => Promise<T>): Promise<T>
  /** Parameters are $1, $2 … */
  run(sql: string, values?: readonly Value[]): Promise<void>
  rows(sql: string, values?: readonly Value[]): Promise<Record<string, unknown>[]>
  exists(table: TableName): Promise<boolean>
  /** A table as it is, undefined when there is none. Fails for what is no table, and for tables of the service itself. */
  describe(table: TableName): Promise<Table | undefined>
  /** Keeps everybody from changing the columns of a table until the transaction ends. To write to it does so too. */
  hold(table: TableName): Promise<void>
  /** What is another one whenever a table has changed its columns. */
  version(table: TableName): Promise<string>
  create(table: TableName, columns: readonly NewColumn[]): Promise<void>
  /** Makes an empty table with all that another one has. */
  createLike(table: TableName, like: TableName): Promise<void>
  /** Makes an empty table of just these columns of another one. */
  createKeys(keys: TableName, of: Table, columns: readonly Column[]): Promise<void>
  addColumn(table: TableName, column: NewColumn): Promise<void>
  /** Gives a column of our own another type, and its values with it. */
  widen(table: Table, column: Column, type: ColumnType): Promise<void>
  /** Does the same to a column in a table of keys. */
  widenKey(keys: TableName, column: Column, type: ColumnType): Promise<void>
  /** The unique indexes of a table over just these columns that `on conflict` can name. */
  uniqueIndexes(table: TableName, columns: readonly string[]): Promise<readonly UniqueIndex[]>
  /** Whether anything would go with a table if another one took its place: views, triggers, indexes of users' … */
  isTiedTo(table: TableName): Promise<boolean>
  insert(insert: Insert): Promise<void>
  stop(): Promise<void>
}

/** What differs between databases without asking one. */
export interface Dialect {
  readonly name: 'postgres' | 'sqlite'
  /** Locks the rows that a select finds, after it. */
  readonly forUpdate: string
  /** What it calls the types. */
  readonly types: Readonly<Record<ColumnType | 'time', string>>
  /** What a kind of numbers becomes that only a decimal holds. */
  decimal(text: string): Kind
  /** What two columns' names have in common when they name the same column. */
  nameKey(name: string): string
  /** Why a name cannot be a column's; undefined when it can. */
  wrongName(name: string): string | undefined
  /** Why a column cannot hold a text, of whatever type; undefined when it can. */
  wrongText(text: string): string | undefined
  /** A value for a column by its JSON text; undefined when it does not fit. */
  bind(column: Column, text: string): Value | undefined
  /** A moment for a column of type `time`. */
  time(ms: number): string
  /** A value of one of our types as one of another that takes it, `reference` being SQL. */
  widened(from: Column['type'], to: Column['type'], reference: string): string
  /** What lets an insert give values to columns that the database else numbers by itself. */
  readonly overriding: string
  /** A column's value as something that can be compared for being the same. */
  comparable(column: Column, reference: string): string
}

/** A row that a table does not take. When many are written in one statement, nobody knows which. */
export class RowFault extends Error {
  readonly code: string
  readonly column: string | null
  constructor(code: string, message: string, column: string | null) {
    super(message)
    this.name = 'RowFault'
    this.code = code
    this.column = column
  }
}

/** A table or column is not as it was thought to be: somebody has changed it meanwhile. */
export class ShapeFault extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ShapeFault'
  }
}
