import { turn } from '../kernel/pause.ts'
import type { Table } from '../kernel/projection.ts'
import { beside, type Generation, type Key, NAMED_KEYS, type Snapshot } from '../store/generations.ts'

/** How the rows of a table that were made anew compare with the live ones. */
export interface ComparedTable {
  readonly table: string
  /** Rows that were made. */
  readonly rows: number
  /** Rows that both have and not the same, that only the live table had, and that only the made one has. */
  readonly changed: number
  readonly live_only: number
  readonly made_only: number
  /** Keys of the first that differ: their columns' values. */
  readonly keys: readonly Key[]
}

export interface Compared {
  readonly rows: number
  readonly differing: number
  /** Rows that only the live tables had, where retention has taken events that they may follow from. */
  readonly gone: number
  readonly tables: readonly ComparedTable[]
}

/** Rows that are compared at once. */
const STRETCH = 5000

/** Compares the tables of a generation with the live ones, in a snapshot in which both are at the same checkpoints. */
export async function compareGeneration(
  snapshot: Snapshot,
  generation: Generation,
  tables: readonly Table[],
  shortened: boolean,
  signal: AbortSignal,
): Promise<Compared> {
  const compared: ComparedTable[] = []
  const floors = await snapshot.floors()
  for (const table of tables) compared.push(await compareTable(snapshot, generation, table, floors, signal))
  return summed(compared, shortened)
}

/** `shortened`: retention has taken events of theirs. */
export function summed(tables: readonly ComparedTable[], shortened: boolean): Compared {
  const sum = (of: (table: ComparedTable) => number) => tables.reduce((total, table) => total + of(table), 0)
  const liveOnly = sum(({ live_only }) => live_only)
  return {
    rows: sum(({ rows }) => rows),
    differing: sum(({ changed, made_only }) => changed + made_only) + (shortened ? 0 : liveOnly),
    gone: shortened ? liveOnly : 0,
    tables,
  }
}

async function compareTable(
  snapshot: Snapshot,
  { number }: Generation,
  table: Table,
  floors: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<ComparedTable> {
  const made = beside(table, number)
  let [rows, changed, live_only, made_only] = [0, 0, 0, 0]
  const keys: Key[] = []
  let after: Key | undefined
  do {
    const found = await snapshot.differences(table, made, floors, after, STRETCH)
    rows += found.made
    changed += found.changed
    live_only += found.liveOnly
    made_only += found.madeOnly
    keys.push(...found.keys.slice(0, NAMED_KEYS - keys.length))
    after = found.next
    await turn()
    signal.throwIfAborted()
  } while (after)
  return { table: table.name, rows, changed, live_only, made_only, keys }
}
