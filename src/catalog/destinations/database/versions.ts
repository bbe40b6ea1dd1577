import type { Batch } from './bind.ts'
import type { Column, Connection, NewColumn, Table } from './connection.ts'
import { OWN_PREFIX, quoted, quotedList, quotedTable } from './names.ts'

/*
 * Rows as versions (slowly changing dimension, type 2): a row that changes leaves the old version, closed, and opens a new
 * one. A version is current from `valid_from` on, until `valid_to`.
 */

export const VALID_FROM = 'valid_from'
export const VALID_TO = 'valid_to'
export const IS_CURRENT = 'is_current'

/** What a table of versions has besides the data. Rows that were there before are versions that begin nobody knows when. */
export const VERSION_COLUMNS: readonly NewColumn[] = [
  { name: VALID_FROM, type: 'time' },
  { name: VALID_TO, type: 'time' },
  { name: IS_CURRENT, type: 'boolean', initially: 'true' },
]

const PAGE = `${OWN_PREFIX}page`
const CHAIN = `${OWN_PREFIX}chain`
/** Columns beside those of the data, which have other names. */
const own = (name: string) => quoted(OWN_PREFIX + name)
const [N, GONE, AT, TURN, SINCE] = [own('n'), own('gone'), own('at'), own('turn'), own('since')]
const [UNTIL, CHANGED, PLACE, WAS_GONE] = [own('until'), own('changed'), own('place'), own('was_gone')]

/**
 * Writes a batch of rows as versions. `columns` are all that the job has ever brought: they decide whether a row has
 * changed. Several rows of one key are versions one after the other. No version begins before the one that it follows,
 * whatever the clocks say.
 */
export async function writeVersions(
  connection: Connection,
  table: Table,
  keys: readonly string[],
  columns: readonly Column[],
  batch: Batch,
): Promise<void> {
  const { types } = connection.dialect
  await connection.run(
    `create temp table ${quoted(PAGE)} as select ${quotedList(columns.map(({ name }) => name))},
       cast(null as ${types.bigint}) as ${N}, cast(null as ${types.boolean}) as ${GONE}, cast(null as ${types.time}) as ${AT}
     from ${quotedTable(table.name)} where false`,
  )
  await fillPage(connection, batch)
  await connection.run(`create temp table ${quoted(CHAIN)} as ${chainSql(connection, table, keys, columns)}`)
  const held = quotedTable(table.name)
  await connection.run(
    `update ${held} as held set ${quoted(VALID_TO)} = next.${SINCE}, ${quoted(IS_CURRENT)} = false
     from ${quoted(CHAIN)} as next
     where held.${quoted(IS_CURRENT)} and ${same(keys, 'held', 'next')} and next.${TURN} = 1`,
  )
  const names = columns.map(({ name }) => name)
  await connection.run(
    `insert into ${held} (${quotedList([...names, VALID_FROM, VALID_TO, IS_CURRENT])})
     select ${quotedList(names)}, ${SINCE}, ${UNTIL}, ${UNTIL} is null from (
       select *, lead(${SINCE}) over (partition by ${quotedList(keys)} order by ${N}) as ${UNTIL} from ${quoted(CHAIN)}
     ) as versions where not ${GONE} order by ${N}`,
  )
  await connection.run(`drop table ${quoted(CHAIN)}`)
  await connection.run(`drop table ${quoted(PAGE)}`)
}

async function fillPage(connection: Connection, { columns, rows }: Batch): Promise<void> {
  const { dialect } = connection
  const column = (name: string, type: 'bigint' | 'boolean' | 'time'): Column => ({
    ...{ name: OWN_PREFIX + name, type, sqlType: dialect.types[type] },
    ...{ fixed: false, settable: 'always' },
  })
  const isTrue = column('gone', 'boolean')
  await connection.insert({
    into: { schema: null, name: PAGE },
    columns: [...columns, column('n', 'bigint'), isTrue, column('at', 'time')],
    rows: rows.map(({ row, gone, values }, i) => [
      ...values,
      i,
      dialect.bind(isTrue, String(gone))!,
      dialect.time(row.at),
    ]),
  })
}

/**
 * The rows of the page that differ from the one before them with their key, in the page or in the table: with their turn
 * among those of their key, and since when they are.
 */
function chainSql({ dialect }: Connection, table: Table, keys: readonly string[], columns: readonly Column[]): string {
  const all = quotedList(columns.map(({ name }) => name))
  const rest = columns.filter(({ name }) => !keys.includes(name))
  const before = (i: number) => own(`before_${i}`)
  const differ = (other: (column: Column, i: number) => string) => {
    if (rest.length === 0) return 'false'
    const now = rest.map(column => dialect.comparable(column, `page.${quoted(column.name)}`))
    const then = rest.map((column, i) => dialect.comparable(column, other(column, i)))
    return `(${now.join(', ')}) is distinct from (${then.join(', ')})`
  }
  const lags = rest.map(({ name }, i) => `, lag(${quoted(name)}) over per_key as ${before(i)}`).join('')
  const from = `held.${quoted(VALID_FROM)}`
  return `
    with page as (
      select *, row_number() over per_key as ${PLACE}, lag(${GONE}) over per_key as ${WAS_GONE}${lags}
      from ${quoted(PAGE)} window per_key as (partition by ${quotedList(keys)} order by ${N})
    ), met as (
      select page.*,
        case when ${PLACE} > 1 then ${GONE} <> ${WAS_GONE} or (not ${GONE} and ${differ((_, i) => `page.${before(i)}`)})
          when held.${quoted(IS_CURRENT)} then ${GONE} or ${differ(({ name }) => `held.${quoted(name)}`)}
          else not ${GONE} end as ${CHANGED},
        max(case when ${PLACE} = 1 and ${from} > ${AT} then ${from} else ${AT} end)
          over (partition by ${keys.map(key => `page.${quoted(key)}`).join(', ')} order by ${N}) as ${SINCE}
      from page left join ${quotedTable(table.name)} as held
        on ${PLACE} = 1 and held.${quoted(IS_CURRENT)} and ${same(keys, 'held', 'page')}
    )
    select ${all}, ${N}, ${GONE}, ${SINCE},
      row_number() over (partition by ${quotedList(keys)} order by ${N}) as ${TURN}
    from met where ${CHANGED}`
}

/** Closes the current versions of rows that are not among `seen`. */
export async function closeUnseen(connection: Connection, table: Table, isUnseen: string, at: number): Promise<void> {
  const now = `cast($1 as ${connection.dialect.types.time})`
  const from = quoted(VALID_FROM)
  await connection.run(
    `update ${quotedTable(table.name)} as held
     set ${quoted(VALID_TO)} = case when ${from} > ${now} then ${from} else ${now} end, ${quoted(IS_CURRENT)} = false
     where ${quoted(IS_CURRENT)} and ${isUnseen}`,
    [connection.dialect.time(at)],
  )
}

function same(keys: readonly string[], left: string, right: string): string {
  return keys.map(key => `${left}.${quoted(key)} = ${right}.${quoted(key)}`).join(' and ')
}
