import { type Connection, RowFault } from './connection.ts'

/**
 * Writes rows, and when the database does not take them all at once, those that it takes: halves them until the ones that
 * fail are alone. What has been written and failed is undone before the next try.
 */
export async function writeWhatGoes<Row>(
  connection: Connection,
  rows: readonly Row[],
  put: (rows: readonly Row[]) => Promise<void>,
  onRefused: (row: Row, fault: RowFault) => void,
): Promise<void> {
  if (rows.length === 0) return
  try {
    await connection.attempt(() => put(rows))
  } catch (error) {
    if (!(error instanceof RowFault)) throw error
    if (rows.length === 1) return onRefused(rows[0]!, error)
    // The first half first: what comes later in a page counts.
    const half = rows.length >> 1
    await writeWhatGoes(connection, rows.slice(0, half), put, onRefused)
    await writeWhatGoes(connection, rows.slice(half), put, onRefused)
  }
}
