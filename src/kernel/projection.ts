/** A table of a read model. The key's columns come first and are its primary key; the last of them orders a page. */
export interface Table {
  readonly name: string
  readonly columns: Readonly<Record<string, 'text' | 'integer'>>
  readonly key: readonly string[]
  /** Columns that pages are asked for by, each list with an index of its own. */
  readonly indexes?: readonly (readonly string[])[]
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
 * what was put; `put` takes any row.
 */
export interface Rows {
  get(table: Table, key: string): Row | undefined
  put(table: Table, key: string, row: Row): void
}

/** The place an event was read from, and its key. */
export interface Source {
  readonly stream: string
  readonly offset: number
  readonly key: string
}

/**
 * Puts an event out: under the key of the event that it follows from, in the partition of that one; or, with a key of its
 * own, wherever that belongs.
 */
export type Emit<Outputs> = <Name extends keyof Outputs>(type: Name, event: Outputs[Name], key?: string) => void

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
  readonly topics: readonly string[]
  readonly tables: readonly Table[]
  wants(source: Source, want: (table: Table, key: string) => void): void
  evolve(rows: Rows, event: Event, source: Source, type: string, emit: Emit<Outputs>): void
}
