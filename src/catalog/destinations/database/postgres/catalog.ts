import { DomainError } from '../../../../kernel/errors.ts'
import { isForeign } from '../config.ts'
import type { Column, Table, UniqueIndex } from '../connection.ts'
import { OWN_PREFIX, quotedTable, shownTable, type TableName } from '../names.ts'
import { postgresDialect } from './dialect.ts'

/** What a table of ours has as its comment: it goes with the table, whoever renames it. A user may take it away. */
export const MADE_BY_US = 'Made by SuperInsight data sync, which makes its columns wider when the data need it.'
/** What a column of ours has as its comment for as long as it has had no value, and may become of any type. */
export const NO_VALUE_YET = 'No value yet.'

type Ask = <Row>(sql: string, values: readonly unknown[]) => Promise<Row[]>

interface FoundColumn {
  readonly name: string
  readonly type: string
  readonly modifier: number
  readonly settable: Column['settable']
  readonly comment: string | null
}

/** What PostgreSQL's own tables say of others. */
export function createCatalog(ask: Ask) {
  const { types } = postgresDialect
  const known = new Map<string, Column['type']>(
    Object.entries(types).map(([type, name]) => [name, type as Column['type']]),
  )

  async function tableOf(table: TableName) {
    const sql = `select c.oid::text as oid, c.relkind::text as kind, obj_description(c.oid, 'pg_class') as comment
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`
    const [found] = await ask<{ oid: string; kind: string; comment: string | null }>(sql, [table.schema, table.name])
    return found
  }

  function columnOf({ name, type, modifier, settable, comment }: FoundColumn, ours: boolean): Column {
    const isPlain = ours && modifier < 0
    const own = type === 'text' ? (comment === NO_VALUE_YET ? 'none' : 'text') : known.get(type)
    const fixed = !isPlain || own === undefined || own === 'time'
    return { name, type: isPlain && own !== undefined ? own : 'other', sqlType: type, fixed, settable }
  }

  return {
    /** The schema that names without one are in. */
    async currentSchema(): Promise<string> {
      const [row] = await ask<{ schema: string | null }>('select current_schema() as schema', [])
      if (row!.schema !== null) return row!.schema
      throw refused('no schema is there for tables without one: name it, as in schema.table')
    },
    async requireSchema(schema: string): Promise<void> {
      if (isForeign(schema)) throw refused(`the schema ${schema} is not for tables of users`)
      const found = await ask('select 1 from pg_namespace where nspname = $1', [schema])
      if (found.length === 0) throw refused(`there is no schema ${schema}`)
    },
    async exists(table: TableName): Promise<boolean> {
      return (await tableOf(table)) !== undefined
    },
    async describe(table: TableName): Promise<Table | undefined> {
      const found = await tableOf(table)
      if (!found) return undefined
      if (found.kind !== 'r' && found.kind !== 'p')
        throw refused(`${shownTable(table)} is no table that can be written to`)
      const ours = found.comment === MADE_BY_US
      const sql = `select attname as name, format_type(atttypid, -1) as type, atttypmod as modifier, 
          case when attgenerated <> '' then 'never' when attidentity = 'a' then 'insert' else 'always' end as settable,
          col_description(attrelid, attnum) as comment
        from pg_attribute where attrelid = $1::oid and attnum > 0 and not attisdropped order by attnum`
      const columns = await ask<FoundColumn>(sql, [found.oid])
      return { name: table, ours, columns: columns.map(column => columnOf(column, ours)) }
    },
    uniqueIndexes(table: TableName, columns: readonly string[]): Promise<UniqueIndex[]> {
      const sql = `select c.relname as name, i.indpred is not null as partial
        from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = $1::regclass and i.indisunique and i.indimmediate and i.indisvalid and i.indexprs is null
          and (select array_agg(a.attname::text order by a.attname::text collate "C") from pg_attribute a
            where a.attrelid = i.indrelid and a.attnum = any((i.indkey::int2[])[0:i.indnkeyatts - 1])) = $2::text[]`
      const sorted = columns.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      return ask(sql, [quotedTable(table), sorted])
    },
    /** Views and rules, foreign keys of others, triggers, policies, publications; indexes not of ours; grants. */
    async isTiedTo(table: TableName): Promise<boolean> {
      const sql = `select 1 from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = $1::regclass
          and d.deptype in ('n', 'a') and d.classid <> 'pg_class'::regclass and d.classid <> 'pg_attrdef'::regclass
        union all
        select 1 from pg_index i join pg_class c on c.oid = i.indexrelid
          where i.indrelid = $1::regclass and not starts_with(c.relname, $2)
        union all
        select 1 from pg_inherits where inhparent = $1::regclass or inhrelid = $1::regclass
        union all
        select 1 from pg_class c where c.oid = $1::regclass and (c.relacl is not null
          or exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attacl is not null))
        limit 1`
      return (await ask(sql, [quotedTable(table), OWN_PREFIX])).length > 0
    },
  }
}

function refused(message: string): DomainError {
  const field = 'destination.table'
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details: [{ field, message }] })
}
