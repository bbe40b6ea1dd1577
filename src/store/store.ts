import { DomainError } from '../kernel/errors.ts'
import type { Row, Table, Value } from '../kernel/projection.ts'
import type { Generations } from './generations.ts'

/**
 * The port to the read models. `test/contracts/store.ts` runs these laws against every adapter:
 *
 * 1. `commit` writes rows and checkpoint in one transaction: after a crash both are there or neither is.
 * 2. A reader sees whole commits only.
 * 3. Text comes back as it went in, to the character.
 * 4. One writer: a checkpoint belongs to whoever claimed it last. A commit under an earlier claim is refused with
 *    CONFLICT and writes nothing, however long its writer slept.
 * 5. A read as of a moment sees each row as the last event at or before it has left it, whatever is written meanwhile; or
 *    is refused with GONE, when earlier versions that it would need are not kept any more.
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
  load(table: Table, keys: readonly (readonly Value[])[], asOf?: Moment): Promise<readonly Row[]>
  /** Writes while `before` is under way, and commits once it has resolved; if it rejects, nothing is written. */
  commit(changes: readonly TableChange[], checkpoint: Checkpoint, before?: Promise<unknown>): Promise<void>
  /** How far projections have come in each stream they have read; a stream belongs to one of them. */
  checkpoints(projections: readonly string[]): Promise<ReadonlyMap<string, number>>
  /**
   * Rows in the order of the key's last column; fewer than `limit` when their text comes to PAGE_BYTES, but one at least.
   */
  page(query: PageQuery): Promise<readonly Row[]>
  /** How many rows fit, whatever the limit and offset. */
  count(query: Pick<PageQuery, 'table' | 'equal' | 'asOf'>): Promise<number>
  /**
   * For each stream the earliest offset that a moment may name besides -1: up to there earlier versions were forgotten, or
   * were not kept when the rows were made. Streams that are not named have all of them.
   */
  floors(): Promise<ReadonlyMap<string, number>>
  /**
   * Forgets about `limit` earlier versions of one of a projection's tables, the oldest of those that ended at or before
   * offset `through` of a stream; tells how many. The stream's floor moves before they go. Refused with CONFLICT under
   * an earlier claim.
   */
  forget(table: Table, claimed: Omit<Checkpoint, 'offset'>, through: number, limit: number): Promise<number>
  /** Rows that are made anew beside those that are read. */
  readonly generations: Generations
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

/**
 * A moment in the past: for each stream the offset of the last event that counts. A stream that is not named had none yet.
 */
export type Moment = ReadonlyMap<string, number>

export interface PageQuery {
  readonly table: Table
  /** The rows as they were then, of a table that keeps its versions. */
  readonly asOf?: Moment | undefined
  /** Columns that must be equal. */
  readonly equal: Readonly<Record<string, Value>>
  /** Only rows whose last key column is greater. */
  readonly after?: string
  /** Only rows whose last key column is not greater. */
  readonly upTo?: string | undefined
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

/** The refusal of a read that needs versions which are not kept any more. */
export function notKept(stream: string, floor: number): DomainError {
  const message = `what rows were before offset ${floor} of ${stream} is no longer kept`
  return new DomainError('GONE', `as_of: ${message}`, { details: [{ field: 'as_of', message }] })
}

/**
 * A stream of a moment, and the floor there, that the moment is before. One before all events of a stream is before no floor
 * there, but for a table whose rows count from places in other streams on: such a row may be there before its own event.
 */
export function goneIn(
  moment: Moment,
  floors: ReadonlyMap<string, number>,
  table?: Table,
): readonly [string, number] | undefined {
  const early = table?.since !== undefined && [...moment.values()].some(offset => offset >= 0)
  return [...floors].find(([stream, floor]) => {
    const offset = moment.get(stream)
    return offset !== undefined && offset < floor && (offset >= 0 || early)
  })
}

/** The refusal of a commit whose claim somebody else has taken over. */
export function claimLost({ projection, stream, epoch }: Omit<Checkpoint, 'offset'>): DomainError {
  const message = `another process has taken over the projection ${projection} of ${stream} since claim ${epoch}`
  return new DomainError('CONFLICT', message)
}

const REPLACED = 'generation'

/**
 * The refusal of a commit, from the epoch that the checkpoint has now. A swap leaves that of the last claim with a minus:
 * nobody has claimed it since, and who had that one may claim it again at once, to read the rows anew.
 */
export function refusedCommit(checkpoint: Omit<Checkpoint, 'offset'>, epoch: number | undefined): DomainError {
  if (epoch !== -checkpoint.epoch) return claimLost(checkpoint)
  const message = `the rows of the projection ${checkpoint.projection} have been replaced by rebuilt ones`
  return new DomainError('CONFLICT', message, { details: [{ field: REPLACED, message }] })
}

/** Whether a commit was refused because a swap came in between. */
export function isReplaced(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'CONFLICT' && error.details[0]?.field === REPLACED
}
