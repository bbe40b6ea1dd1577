import type { Table, Value } from '../kernel/projection.ts'
import { type Differences, type Key, NAMED_KEYS } from './generations.ts'

/** How a database says what a comparison is made of. */
export interface Dialect {
  nameOf(table: Table): string
  quoted(identifier: string): string
  /** Unequal, where null equals null. */
  readonly isNot: string
  /** A parameter; with its type where the database cannot see it. */
  parameter(number: number, type?: 'text' | 'integer'): string
  query(sql: string, values: readonly Value[]): Promise<readonly (readonly Value[])[]>
}

/** A condition with its values, which come in the order of the text. */
interface Condition {
  readonly sql: string
  readonly values: readonly Value[]
}

/**
 * Compares two tables in a stretch of keys that has `limit` rows of one of them, or is the last. All of it is the
 * database's work: as rows in here both tables would cost several times as much.
 */
export async function compareTables(
  dialect: Dialect,
  live: Table,
  made: Table,
  floors: ReadonlyMap<string, number>,
  after: Key | undefined,
  limit: number,
): Promise<Differences> {
  const ends = [await lastKey(dialect, live, floors, after, limit), await lastKey(dialect, made, floors, after, limit)]
  const next = await leastKey(
    dialect,
    live,
    ends.filter(end => end !== undefined),
  )
  // Up to its own last key a table has `limit` rows: mostly both end with the same, and nothing is left to count.
  const countOf = async (table: Table, end: Key | undefined) =>
    end && next && end.every((part, at) => part === next[at])
      ? limit
      : countBetween(dialect, table, floors, after, next)
  const inLive = await countOf(live, ends[0])
  const inMade = await countOf(made, ends[1])
  const unlike = await unlikeBetween(dialect, live, made, floors, after, next)
  const liveOnly = unlike.filter(row => row.at(-1) === 1)
  const madeOnly = inMade - (inLive - liveOnly.length)
  const more = madeOnly > 0 ? await onlyBetween(dialect, made, live, floors, after, next) : []
  const keys = [...unlike.map(row => row.slice(0, -1)), ...more].slice(0, NAMED_KEYS)
  return {
    ...{ live: inLive, made: inMade, changed: unlike.length - liveOnly.length },
    ...{ liveOnly: liveOnly.length, madeOnly, keys, next },
  }
}

function keyOf({ quoted }: Dialect, table: Table, alias: string): string {
  return table.key.map(column => `${alias}.${quoted(column)}`).join(', ')
}

/** Whether a row's key lies after one key, and not after another. */
function between(
  dialect: Dialect,
  table: Table,
  alias: string,
  floors: ReadonlyMap<string, number>,
  after: Key | undefined,
  to: Key | undefined,
): Condition {
  const conditions: string[] = []
  const values: Value[] = []
  const bound = (operator: string, key: Key) => {
    const parameters = key.map(part => dialect.parameter(values.push(part)))
    conditions.push(`(${keyOf(dialect, table, alias)}) ${operator} (${parameters.join(', ')})`)
  }
  if (after) bound('>', after)
  if (to) bound('<=', to)
  if (floors.size > 0 && table.columns.until) {
    const whens = [...floors].map(
      ([stream, floor]) =>
        `when ${dialect.parameter(values.push(stream))} then ${dialect.parameter(values.push(floor), 'integer')}`,
    )
    conditions.push(`${alias}."until" > case ${alias}."stream" ${whens.join(' ')} else -1 end`)
  }
  return { sql: conditions.length > 0 ? conditions.join(' and ') : 'true', values }
}

async function lastKey(
  dialect: Dialect,
  table: Table,
  floors: ReadonlyMap<string, number>,
  after: Key | undefined,
  limit: number,
): Promise<Key | undefined> {
  const { sql, values } = between(dialect, table, 't', floors, after, undefined)
  const key = keyOf(dialect, table, 't')
  const text = `select ${key} from ${dialect.nameOf(table)} t where ${sql} order by ${key} limit 1 offset ${limit - 1}`
  return (await dialect.query(text, values))[0]
}

/** The database knows its own order. */
async function leastKey(dialect: Dialect, table: Table, keys: readonly Key[]): Promise<Key | undefined> {
  const [a, b] = keys
  if (!a || !b) return a ?? b
  const parameters = (from: number) =>
    table.key.map((column, i) => dialect.parameter(from + i, table.columns[column])).join(', ')
  const sql = `select case when (${parameters(1)}) <= (${parameters(1 + a.length)}) then 1 else 0 end`
  const [row] = await dialect.query(sql, [...a, ...b])
  return row![0] === 1 ? a : b
}

async function countBetween(
  dialect: Dialect,
  table: Table,
  floors: ReadonlyMap<string, number>,
  after: Key | undefined,
  to: Key | undefined,
): Promise<number> {
  const { sql, values } = between(dialect, table, 't', floors, after, to)
  const [row] = await dialect.query(`select count(*) from ${dialect.nameOf(table)} t where ${sql}`, values)
  return Number(row![0])
}

function join(dialect: Dialect, left: Table): string {
  return left.key.map(column => `l.${dialect.quoted(column)} = r.${dialect.quoted(column)}`).join(' and ')
}

/** Keys of the live table's rows that the other one has not, or not so; behind each 1 when it has no such row. */
function unlikeBetween(
  dialect: Dialect,
  live: Table,
  made: Table,
  floors: ReadonlyMap<string, number>,
  after: Key | undefined,
  to: Key | undefined,
) {
  const { sql, values } = between(dialect, live, 'l', floors, after, to)
  const first = `r.${dialect.quoted(live.key[0]!)}`
  const rest = Object.keys(live.columns).filter(column => !live.key.includes(column))
  const unequal = rest.map(column => `l.${dialect.quoted(column)} ${dialect.isNot} r.${dialect.quoted(column)}`)
  const text = `select ${keyOf(dialect, live, 'l')}, case when ${first} is null then 1 else 0 end
    from ${dialect.nameOf(live)} l left join ${dialect.nameOf(made)} r on ${join(dialect, live)}
    where ${sql} and (${[`${first} is null`, ...unequal].join(' or ')}) order by ${keyOf(dialect, live, 'l')}`
  return dialect.query(text, values)
}

/** Keys of the first rows that one table has and the other has not. */
function onlyBetween(
  dialect: Dialect,
  table: Table,
  other: Table,
  floors: ReadonlyMap<string, number>,
  after: Key | undefined,
  to: Key | undefined,
) {
  const { sql, values } = between(dialect, table, 'l', floors, after, to)
  const text = `select ${keyOf(dialect, table, 'l')}
    from ${dialect.nameOf(table)} l left join ${dialect.nameOf(other)} r on ${join(dialect, table)}
    where ${sql} and r.${dialect.quoted(table.key[0]!)} is null order by ${keyOf(dialect, table, 'l')} limit ${NAMED_KEYS}`
  return dialect.query(text, values)
}
