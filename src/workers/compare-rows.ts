import { turn } from '../kernel/pause.ts'
import type { Row, Table } from '../kernel/projection.ts'
import type { Key, Snapshot } from '../store/generations.ts'

/** A row that is not as it should be: both are there and differ in these columns, or only one of them is. */
export interface UnlikeRow {
  readonly key: Key
  readonly columns: readonly string[]
  readonly only: 'live' | 'made' | undefined
}

const AT_ONCE = 1000

/**
 * Compares a table in two stores, both read in the order of its keys; tells every row that is not the same in both. Of
 * versions only those after the floors count: the live store forgets the others.
 */
export async function compareRows(
  table: Table,
  live: Snapshot,
  made: Snapshot,
  floors: ReadonlyMap<string, number>,
  onUnlike: (row: UnlikeRow) => void,
  signal: AbortSignal,
): Promise<number> {
  const [left, right] = [live, made].map(each => rowsOf(each, table, floors, signal)) as [Rows, Rows]
  let [a, b] = [await left.next(), await right.next()]
  let rows = 0
  while (!(a.done && b.done)) {
    const order = a.done ? 1 : b.done ? -1 : compareKeys(table, a.value, b.value)
    if (order < 0) onUnlike({ key: keyOf(table, a.value!), columns: [], only: 'live' })
    else if (order > 0) onUnlike({ key: keyOf(table, b.value!), columns: [], only: 'made' })
    else {
      const [before, after] = [a.value!, b.value!]
      const columns = Object.keys(table.columns).filter(column => before[column] !== after[column])
      if (columns.length > 0) onUnlike({ key: keyOf(table, before), columns, only: undefined })
    }
    if (order >= 0) rows++
    if (order <= 0) a = await left.next()
    if (order >= 0) b = await right.next()
  }
  return rows
}

type Rows = AsyncGenerator<Row, undefined>

async function* rowsOf(
  snapshot: Snapshot,
  table: Table,
  floors: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Rows {
  const counts = (row: Row) => (row.until as number) > (floors.get(row.stream as string) ?? -1)
  for (let after: Key | undefined; ; ) {
    await turn()
    signal.throwIfAborted()
    const rows = await snapshot.rows(table, after, AT_ONCE)
    yield* table.columns.until && floors.size > 0 ? rows.filter(counts) : rows
    if (rows.length < AT_ONCE) return undefined
    after = keyOf(table, rows.at(-1)!)
  }
}

function keyOf({ key }: Table, row: Row): Key {
  return key.map(column => row[column]!)
}

/** Texts in the order of their bytes, as both databases have them. */
function compareKeys({ key }: Table, a: Row, b: Row): number {
  for (const column of key) {
    const [left, right] = [a[column]!, b[column]!]
    if (left === right) continue
    if (typeof left === 'number' || typeof right === 'number') return Number(left) - Number(right)
    return Buffer.compare(Buffer.from(left), Buffer.from(right))
  }
  return 0
}
