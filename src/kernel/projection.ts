/** A table of a read model. The key's columns come first and are its primary key; the last of them orders a page. */
export interface Table {
  readonly name: string
  readonly columns: Readonly<Record<string, 'text' | 'integer'>>
  readonly key: readonly string[]
  /** Columns that pages are asked for by, each list with an index of its own. */
  readonly indexes?: readonly (readonly string[])[]
  /**
   * Where rows go that others have followed, so that the table can be read as it was at an earlier moment: `versionsOf`
   * this one. Such a table has `stream` and `offset`: the place of the event that made the row so.
   */
  readonly versions?: Table
  /** Whether its rows stay as they are once they are written: each is a new one. */
  readonly appended?: boolean
  /** Whether it has many rows that are written again and again, each by the stream that it names: worth remembering. */
  readonly remembered?: boolean
  /** Columns beside the key that stay as they are when a row is followed by another. */
  readonly fixed?: readonly string[]
  /**
   * Two columns with the place from which on a row counts, where that is not its event's: the stream and the offset. Null
   * in one: the event's.
   */
  readonly since?: readonly [stream: string, offset: string]
}

/** A table's earlier versions: its rows as they were, each until the event at offset `until` of the same stream. */
export function versionsOf(table: Omit<Table, 'versions' | 'indexes'>): Table {
  const key = [...table.key, 'offset']
  const first = Object.fromEntries(key.map(name => [name, table.columns[name]!]))
  return {
    name: `${table.name}_versions`,
    columns: { ...first, ...table.columns, until: 'integer' },
    key,
    indexes: [['stream', 'until']],
    appended: true,
  }
}

/** A table that keeps its versions; the projection has both among its tables. */
export function versioned<T extends Table>(table: T): T & { readonly versions: Table } {
  return { ...table, versions: versionsOf(table) }
}

/**
 * The version that `row` makes of the row it is written over; undefined when that does not become one: the table keeps
 * none, the event is the same, or one that has come again.
 */
export function followed(table: Table, was: Row | null | undefined, row: Row): Row | undefined {
  if (!table.versions || !was || was.stream !== row.stream) return undefined
  return (was.offset as number) < (row.offset as number) ? { ...was, until: row.offset! } : undefined
}

export type Value = string | number | null
export type Row = Readonly<Record<string, Value>>

/** A row's key as one string: its parts joined by a NUL, which no part may contain. */
export const KEY_SEPARATOR = '\0'

/** A text from outside as every database takes it: PostgreSQL has no room for a NUL in one, which becomes U+FFFD. */
export function storable<Text extends string | null>(text: Text): Text {
  return text?.includes('\0') ? (text.replaceAll('\0', '\ufffd') as Text) : text
}

/**
 * The rows a batch of events works on: read from the store before, written back after. `get` has what `wants` named, and
 * what was put; `put` takes any row. Of a table that keeps its versions it must know the row that is there: it was wanted, or
 * is told as `was`, every column of it; null when there is none.
 */
export interface Rows {
  get(table: Table, key: string): Row | undefined
  put(table: Table, key: string, row: Row, was?: Row | null): void
}

/** Whether a row has this event, or one after it, in it already: one that comes again changes nothing. */
export function hasHad(row: Row | undefined, { stream, offset }: Pick<Source, 'stream' | 'offset'>): boolean {
  return row !== undefined && row.stream === stream && (row.offset as number) >= offset
}

/** The place an event was read from, and its key. */
export interface Source {
  readonly stream: string
  readonly offset: number
  readonly key: string
}

/**
 * Puts an event out: under the key of the event that it follows from, in the partition of that one; or, with a key of its
 * own, wherever that belongs. It is made only where it is not out already, as in a rebuild all are.
 */
export type Emit<Outputs> = <Name extends keyof Outputs>(type: Name, make: () => Outputs[Name], key?: string) => void

/**
 * A read model, pure: the same events give the same rows and the same outputs, whenever and in whatever batches they
 * come. `wants` names the rows that `evolve` may look at, so that a whole batch's are read at once; it goes by the
 * event's key, so that events need not all be decoded before. Streams are projected side by side: a row that depends on
 * what it was must belong to one stream (its key, or the stream's name in it).
 *
 * `Outputs` are the events that `evolve` puts out, by type.
 */
export interface Projection<Event, Outputs = object> {
  readonly name: string
  /** Grows with each change of what the same events give: a store that was filled by an earlier one is filled anew. */
  readonly version: number
  readonly topics: readonly string[]
  readonly tables: readonly Table[]
  wants(source: Source, want: (table: Table, key: string) => void): void
  evolve(rows: Rows, event: Event, source: Source, type: string, emit: Emit<Outputs>): void
}
