import type { SinkContext } from '../destination.ts'
import type { Connection, Table } from './connection.ts'
import { quoted, quotedList, quotedTable, type TableName } from './names.ts'
import { createShaper } from './shape.ts'
import type { ColumnType } from './types.ts'

/**
 * A table that a run fills anew: its rows go to a table beside it, and at the run's end that one takes its place, so that
 * whoever reads never sees it empty or half full.
 */
export function createReplacement(
  connection: Connection,
  target: TableName,
  staging: TableName,
  log: SinkContext['log'],
) {
  const shaper = createShaper(connection, log)
  const [to, from] = [quotedTable(target), quotedTable(staging)]

  const takePlace = () => connection.run(`alter table ${from} rename to ${quoted(target.name)}`)

  /** Puts all rows of one for those of the other in the table that is there: its views, triggers and grants stay. */
  async function moveRows(staged: Table, table: Table): Promise<void> {
    const { dialect } = connection
    const columns = staged.columns.filter(({ settable }) => settable !== 'never')
    for (const { name, type, sqlType } of columns)
      if (!shaper.columnOf(table, name)) await connection.addColumn(target, { name, type, sqlType })
    const there = (await shaper.describe(target))!
    const fields = columns.map(({ name, type }) => ({ name, kind: type as ColumnType, isTaken: true }))
    const fitted = there.ours ? await shaper.fit(there, { name: target, fields, extra: [] }) : there
    const names = columns.map(({ name }) => name)
    const values = columns.map(({ name, type }) =>
      dialect.widened(type, shaper.columnOf(fitted, name)!.type, quoted(name)),
    )
    await connection.run(`delete from ${to}`)
    await connection.run(
      `insert into ${to} (${quotedList(names)}) ${dialect.overriding} select ${values.join(', ')} from ${from}`,
    )
    await connection.run(`drop table ${from}`)
  }

  return {
    /** Fails when the table that is there cannot be written to. */
    check: () => shaper.describe(target),
    /** Forgets the run before. */
    begin: () => connection.run(`drop table if exists ${from}`),
    /** Makes the table beside when it has to be like one that a user has made; whether it has. */
    async make(): Promise<boolean> {
      const table = await shaper.describe(target)
      if (!table || table.ours) return false
      await connection.createLike(staging, target)
      return true
    },
    async finish(): Promise<void> {
      const [staged, table] = [await shaper.describe(staging), await shaper.describe(target)]
      if (!staged) {
        if (table) await connection.run(`delete from ${to}`)
      } else if (!table) {
        await takePlace()
      } else if (table.ours && !(await connection.isTiedTo(target))) {
        await connection.run(`drop table ${to}`)
        await takePlace()
      } else {
        await moveRows(staged, table)
      }
    },
  }
}
