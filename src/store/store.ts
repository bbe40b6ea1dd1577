import { DomainError } from '../kernel/errors.ts'
import type { Row, Table, Value } from '../kernel/projection.ts'

/**
 * The port to the read models. `test/contracts/store.ts` runs these laws against every adapter:
 *
 * 1. `commit` writes rows and checkpoint in one transaction: after a crash both are there or neither is.
 * 2. A reader sees whole commits only.
 * 3. Text comes back as it went in, to the character.
 * 4. One writer: a checkpoint belongs to whoever claimed it last. A commit under an earlier claim is refused with
 *    CONFLICT and writes nothing, however long its writer slept.
 */
export interface Store {
  /** Whether a commit that waits leaves the store to others meanwhile. */
  readonly parallel: boolean
  /** Makes tables that are missing, and columns: rows from before have null there. */
  declare(tables: readonly Table[]): Promise<void>
  /** Takes a projection's checkpoint in a stream over from whoever had it, and tells where it stands. */
  claim(projection: string, stream: string): Promise<Claim>
  /**
   * The rows with these keys that exist, in the order of the keys, which are parts in the order of `table.key` and all
   * differ. When the text of rows comes to PAGE_BYTES, those of the keys after the last of them are left out.
   */
  load(table: Table, keys: readonly (readonly Value[])[]): Promise<readonly Row[]>
  /** Writes while `before` is under way, and commits once it has resolved; if it rejects, nothing is written. */
  commit(changes: readonly TableChange[], checkpoint: Checkpoint, before?: Promise<unknown>): Promise<void>
  /** How far projections have come in each stream they have read; a stream belongs to one of them. */
  checkpoints(projections: readonly string[]): Promise<ReadonlyMap<string, number>>
  /**
   * Rows in the order of the key's last column; fewer than `limit` when their text comes to PAGE_BYTES, but one at least.
   */
  page(query: PageQuery): Promise<readonly Row[]>
  /** How many rows fit, whatever the limit and offset. */
  count(query: Pick<PageQuery, 'table' | 'equal'>): Promise<number>
  stop(): Promise<void>
}

/**
 * Rows to be written over whatever has their keys. Every writer has them in the same order, that of their keys: commits
 * that meet in a table then wait for each other and never lock each other up.
 */
export interface TableChange {
  readonly table: Table
  readonly rows: readonly Row[]
}

export interface Claim {
  /** Grows with every claim of this checkpoint; a commit names the one it was made under. */
  readonly epoch: number
  /** How far the projection has come; -1 for nothing yet. */
  readonly offset: number
}

export interface Checkpoint {
  readonly projection: string
  readonly stream: string
  readonly offset: number
  readonly epoch: number
}

export interface PageQuery {
  readonly table: Table
  /** Columns that must be equal. */
  readonly equal: Readonly<Record<string, Value>>
  /** Only rows whose last key column is greater. */
  readonly after?: string
  /** Conditions on fields of a column that holds JSON text. */
  readonly fields?: readonly FieldCondition[]
  readonly limit: number
  /** The last rows that fit rather than the first, in the same order. */
  readonly newest?: boolean
  /** Rows to pass over. */
  readonly offset?: number
}

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>='

export interface FieldCondition {
  readonly column: string
  /** A top-level field of the JSON object; it may not contain a double quote. */
  readonly field: string
  readonly comparison: Comparison
  readonly value: string | number | bigint | boolean | null
}

/** Most text in one page, in UTF-16 units: a page of a thousand rows of a megabyte each would be no page. */
export const PAGE_BYTES = 8 * 1024 * 1024

/** How much text a row holds, in UTF-16 units. */
export function rowBytes(row: Row): number {
  let bytes = 0
  for (const column in row) {
    const value = row[column]
    if (typeof value === 'string') bytes += value.length
  }
  return bytes
}

/** A row from its values, in the order of the columns; there may be more values. */
export function rowOf(columns: readonly string[], values: readonly unknown[]): Row {
  const row: Record<string, Value> = {}
  for (let i = 0; i < columns.length; i++) row[columns[i]!] = values[i] as Value
  return row
}

/** The refusal of a commit whose claim somebody else has taken over. */
export function claimLost({ projection, stream, epoch }: Checkpoint): DomainError {
  const message = `another process has taken over the projection ${projection} of ${stream} since claim ${epoch}`
  return new DomainError('CONFLICT', message)
}
