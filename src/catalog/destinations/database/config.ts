import { z } from 'zod'
import type { SecretPath } from '../../secrets.ts'
import { OWN_PREFIX, type TableName } from './names.ts'
import { DELETED_AT, type Writing } from './rows.ts'
import { IS_CURRENT, VALID_FROM, VALID_TO } from './versions.ts'

/** PostgreSQL cuts longer names off, and two may become one. */
export const POSTGRES_NAME_BYTES = 63

const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine(value => !value.includes('\0'), 'expected a text without NUL')
const columnName = text(200)

export const databaseConfig = z
  .strictObject({
    type: z.literal('database'),
    url: text(2000).refine(
      url => isSqlite(url) || isPostgres(url),
      'expected postgres://user:password@host/database, or sqlite:// and an absolute path',
    ),
    table: text(200).refine(
      name => !lastPart(name).toLowerCase().startsWith(OWN_PREFIX),
      `expected a name without ${OWN_PREFIX}`,
    ),
    mode: z.enum(['append', 'insert_only', 'upsert', 'replace', 'scd2']).optional(),
    key_columns: z
      .array(columnName)
      .min(1)
      .max(30)
      .refine(keys => new Set(keys).size === keys.length, 'expected each column once')
      .optional(),
    on_delete: z.enum(['soft', 'hard', 'ignore']).default('ignore'),
  })
  .transform(config => ({
    ...config,
    mode: config.mode ?? (config.key_columns ? ('upsert' as const) : ('append' as const)),
  }))
  .superRefine(({ url, table, mode, key_columns: keys, on_delete: onDelete }, context) => {
    const wrong = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message })
    if (!keys && mode !== 'append' && mode !== 'replace') wrong(['key_columns'], `mode ${mode} needs key columns`)
    const deletes = mode === 'upsert' || mode === 'scd2' || (mode === 'replace' && onDelete === 'hard')
    if (onDelete !== 'ignore' && !deletes) wrong(['on_delete'], `${onDelete} cannot be done in mode ${mode}`)
    const own = ownColumns({ mode, keys: keys ?? [], onDelete })
    for (const [i, key] of (keys ?? []).entries())
      if (own.includes(key)) wrong(['key_columns', i], `${key} is a column that mode ${mode} makes itself`)
    if (!isPostgres(url)) {
      if (/^sqlite_/i.test(table)) wrong(['table'], 'names that begin with sqlite_ are the database’s own')
      return
    }
    const { schema, name } = postgresTable(table)
    if (schema !== null && isForeign(schema)) wrong(['table'], `the schema ${schema} is not for tables of users`)
    for (const part of [schema, name])
      if (part !== null && !isShort(part)) wrong(['table'], `expected at most ${POSTGRES_NAME_BYTES} bytes`)
    for (const [i, key] of (keys ?? []).entries())
      if (!isShort(key)) wrong(['key_columns', i], `expected at most ${POSTGRES_NAME_BYTES} bytes`)
  })

export type DatabaseConfig = z.output<typeof databaseConfig>

export function isSqlite(url: string): boolean {
  return /^sqlite:\/\/\/./i.test(url)
}

/** The file that a url of SQLite names. */
export function sqlitePath(url: string): string {
  return url.slice('sqlite://'.length)
}

export function isPostgres(url: string): boolean {
  return /^postgres(ql)?:\/\/./i.test(url)
}

/** What a job's configuration says about the way its rows are written. */
export function writingOf({ mode, key_columns: keys = [], on_delete: onDelete }: DatabaseConfig): Writing {
  return { mode, keys: mode === 'append' ? [] : keys, onDelete }
}

/** Columns that the sink makes besides those of the data. */
export function ownColumns({ mode, onDelete }: Writing): readonly string[] {
  if (mode === 'scd2') return [VALID_FROM, VALID_TO, IS_CURRENT]
  return mode === 'upsert' && onDelete === 'soft' ? [DELETED_AT] : []
}

/** `table`, or `schema.table`; further dots belong to the table's name. */
export function postgresTable(table: string): TableName {
  const dot = table.indexOf('.')
  if (dot <= 0 || dot === table.length - 1) return { schema: null, name: table }
  return { schema: table.slice(0, dot), name: table.slice(dot + 1) }
}

/** Whether a schema is PostgreSQL's own, or that of the service's read store. */
export function isForeign(schema: string): boolean {
  return schema === 'superinsight' || schema === 'information_schema' || schema.startsWith('pg_')
}

function lastPart(table: string): string {
  return postgresTable(table).name
}

function isShort(name: string): boolean {
  return Buffer.byteLength(name) <= POSTGRES_NAME_BYTES
}

/** The address when it holds a password, or may hold one: it is not always spelled as it should be. */
export function databaseSecrets(config: unknown): readonly SecretPath[] {
  const url = (config as { url?: unknown } | null)?.url
  if (typeof url !== 'string' || isSqlite(url)) return []
  const who = url.slice(0, Math.max(0, url.lastIndexOf('@'))).replace(/^\w+:\/\//, '')
  return who.includes(':') || /pass|pwd|secret|token/i.test(url) ? [['url']] : []
}
