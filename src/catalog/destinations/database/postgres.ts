import type { SinkContext } from '../destination.ts'
import { postgresTable } from './config.ts'
import { type Column, type Connection, type Insert, type NewColumn, RowFault } from './connection.ts'
import { quoted, quotedList, quotedTable, type TableName } from './names.ts'
import { binaryArray, elementType } from './postgres/arrays.ts'
import { createCatalog, MADE_BY_US, NO_VALUE_YET } from './postgres/catalog.ts'
import { postgresDialect as dialect } from './postgres/dialect.ts'
import { columnIn } from './postgres/faults.ts'
import { createSession } from './postgres/session.ts'

/** Most rows in one statement: what a statement costs by itself does not show any more. */
const ROWS_A_STATEMENT = 5000

/** A database of a PostgreSQL server, 14 or newer, and the table in it that is meant. */
export async function openPostgres(
  url: string,
  table: string,
  context: SinkContext,
): Promise<{ connection: Connection; target: TableName }> {
  const session = createSession(url, context)
  const run = async (sql: string, values?: Parameters<typeof session.query>[1]) =>
    void (await session.query(sql, values))
  const catalog = createCatalog(async <Row>(sql: string, values: readonly unknown[]) => {
    const { rows } = await session.query(sql, values as Parameters<typeof session.query>[1])
    return rows as Row[]
  })

  /** A column of ours without a value is of type text for now, which only its comment tells from others. */
  const noteNoValue = (at: string, { name }: { name: string }, note: string) =>
    run(`comment on column ${at}.${quoted(name)} is ${note}`)

  async function insert({ into, columns, nulls = [], rows, tail = '' }: Insert): Promise<void> {
    const names = [...columns, ...nulls].map(({ name }) => name)
    const sources = columns.map((column, i) => valueSql(column, `c${i}`))
    const nothings = nulls.map(({ sqlType }) => `null::${sqlType}`)
    const arrays = columns.map((column, i) => `$${i + 1}::${elementType(carried(column))}[]`)
    const sql = `insert into ${quotedTable(into)} as held (${quotedList(names)}) ${dialect.overriding}
      select ${[...sources, ...nothings].join(', ')}
      from unnest(${arrays.join(', ')}) as given(${columns.map((_, i) => `c${i}`).join(', ')}) ${tail}`
    for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
      const some = rows.slice(at, at + ROWS_A_STATEMENT)
      try {
        await session.query(
          sql,
          columns.map((column, i) => binaryArray(carried(column), some, i)),
        )
      } catch (error) {
        throw error instanceof RowFault && some.length === 1 ? columnIn(error, columns, some[0]!) : error
      }
    }
  }

  const connection: Connection = {
    dialect,
    transaction: session.transaction,
    async attempt(work) {
      session.send('savepoint part')
      try {
        const result = await work()
        session.send('release savepoint part')
        return result
      } catch (error) {
        await run('rollback to savepoint part')
        throw error
      }
    },
    run,
    rows: async (sql, values) => (await session.query(sql, values)).rows,
    exists: catalog.exists,
    describe: catalog.describe,
    hold: name => run(`lock table ${quotedTable(name)} in row exclusive mode`),
    async version(name) {
      const at = quotedTable(name)
      const sql = "select concat_ws(' ', oid, xmin, relfilenode) as version from pg_class where oid = $1::regclass"
      return (await session.query(sql, [at])).rows[0]!.version
    },
    async create(name, columns) {
      const at = quotedTable(name)
      await run(`create table ${at} (${columns.map(columnSql).join(', ')})`)
      await run(`comment on table ${at} is '${MADE_BY_US}'`)
      for (const column of columns) if (column.type === 'none') await noteNoValue(at, column, `'${NO_VALUE_YET}'`)
    },
    createLike: (name, like) => run(`create table ${quotedTable(name)} (like ${quotedTable(like)} including all)`),
    createKeys: (keys, of, columns) =>
      run(
        `create table ${quotedTable(keys)} as select ${quotedList(columns.map(({ name }) => name))}
         from ${quotedTable(of.name)} where false`,
      ),
    async addColumn(name, column) {
      const at = quotedTable(name)
      await run(`alter table ${at} add column ${columnSql(column)}`)
      if (column.type === 'none') await noteNoValue(at, column, `'${NO_VALUE_YET}'`)
    },
    async widen({ name }, column, type) {
      await alterType(name, column, type)
      if (column.type === 'none') await noteNoValue(quotedTable(name), column, 'null')
    },
    widenKey: alterType,
    uniqueIndexes: catalog.uniqueIndexes,
    isTiedTo: catalog.isTiedTo,
    insert,
    stop: session.stop,
  }

  function alterType(name: TableName, column: Column, type: keyof typeof dialect.types): Promise<void> {
    const using = dialect.widened(column.type, type, quoted(column.name))
    return run(
      `alter table ${quotedTable(name)} alter column ${quoted(column.name)} type ${dialect.types[type]} using ${using}`,
    )
  }

  const { schema, name } = postgresTable(table)
  try {
    const found = await session.transaction(async () => {
      const there = schema ?? (await catalog.currentSchema())
      await catalog.requireSchema(there)
      return there
    })
    return { connection, target: { schema: found, name } }
  } catch (error) {
    await session.stop()
    throw error
  }
}

function columnSql({ name, type, sqlType, initially }: NewColumn): string {
  return `${quoted(name)} ${sqlType ?? dialect.types[type as keyof typeof dialect.types]}${initially ? ` default ${initially}` : ''}`
}

/** As what a column's values go over the wire: those of users' columns as text, which PostgreSQL reads. */
function carried({ fixed, type }: Column): Column['type'] {
  return fixed ? 'other' : type
}

function valueSql(column: Column, reference: string): string {
  return elementType(carried(column)) === 'text' ? `${reference}::${column.sqlType}` : reference
}
