import type { BoundRow } from './bind.ts'
import type { Column, Connection, Table, Value } from './connection.ts'
import { newIndexName, quoted, quotedList, quotedTable, type TableName } from './names.ts'
import { DELETED_AT, placesOf } from './rows.ts'
import type { ColumnType } from './types.ts'
import { closeUnseen } from './versions.ts'

/**
 * The keys that a run has brought, in a table beside the job's: written in the transactions of its rows, so that after a
 * crash neither is ahead. At the end of a run that brings all there is, a row without its key here is gone at the source.
 */
export function createSeen(connection: Connection, name: TableName, keys: readonly string[]) {
  const at = quotedTable(name)

  const remove = () => connection.run(`drop table if exists ${at}`)

  return {
    /** Forgets the run before. */
    remove,
    /** Makes the table when it is not there; `table` is the one whose rows are looked after. */
    async begin(table: Table, columns: readonly Column[]): Promise<void> {
      await remove()
      await connection.createKeys(name, table, columns)
      await connection.run(
        `create unique index ${quoted(newIndexName())} on ${at}(${quotedList(columns.map(c => c.name))})`,
      )
    },
    async add(columns: readonly Column[], rows: readonly BoundRow[]): Promise<void> {
      const places = placesOf(columns, keys)
      const values = rows.map(row => places.map(place => row.values[place] as Value))
      const own = places.map(place => columns[place]!)
      const tail = `on conflict (${quotedList(own.map(column => column.name))}) do nothing`
      await connection.insert({ into: name, columns: own, rows: values, tail })
    },
    widen: (column: Column, type: ColumnType) => connection.widenKey(name, column, type),
    isThere: () => connection.exists(name),
    /** Treats the rows whose keys did not come as deleted, at a moment. */
    async deleteOthers(table: Table, how: 'soft' | 'hard' | 'close', moment: number): Promise<void> {
      const held = quotedTable(table.name)
      const same = keys.map(key => `seen.${quoted(key)} = held.${quoted(key)}`).join(' and ')
      const isUnseen = `not exists (select 1 from ${at} as seen where ${same})`
      if (how === 'close') await closeUnseen(connection, table, isUnseen, moment)
      else if (how === 'hard') await connection.run(`delete from ${held} as held where ${isUnseen}`)
      else {
        const set = `${quoted(DELETED_AT)} = cast($1 as ${connection.dialect.types.time})`
        const sql = `update ${held} as held set ${set} where ${quoted(DELETED_AT)} is null and ${isUnseen}`
        await connection.run(sql, [connection.dialect.time(moment)])
      }
    },
  }
}

export type Seen = ReturnType<typeof createSeen>
