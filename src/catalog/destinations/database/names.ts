import { randomBytes } from 'node:crypto'
import { fingerprint } from '../../../kernel/hash.ts'

/** A table, in a schema where the database has such. */
export interface TableName {
  readonly schema: string | null
  readonly name: string
}

/** What every table and index of the sinks' own begins with, besides the ones that users name. */
export const OWN_PREFIX = '_superinsight_'

/** An identifier as SQL has it, whatever is in it. NUL cannot be, and is refused before. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

export function quotedTable({ schema, name }: TableName): string {
  return schema === null ? quoted(name) : `${quoted(schema)}.${quoted(name)}`
}

/** Identifiers in a list, as in `insert into t(…)`. */
export function quotedList(identifiers: readonly string[]): string {
  return identifiers.map(quoted).join(', ')
}

/** A table as a message shows it. */
export function shownTable({ schema, name }: TableName): string {
  return schema === null ? name : `${schema}.${name}`
}

/** A table of a job's own beside the one it writes to: always the same, and no other job's. */
export function besideTable(table: TableName, what: 'new' | 'seen', jobId: string): TableName {
  return { ...table, name: `${OWN_PREFIX}${what}_${fingerprint(`${jobId}\n${shownTable(table)}`)}` }
}

/** A name that no index has: tables are renamed and their indexes are not, so it cannot follow from the table's. */
export function newIndexName(): string {
  return `${OWN_PREFIX}${randomBytes(10).toString('hex')}`
}
