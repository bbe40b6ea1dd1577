import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientBase } from 'pg'
import { DomainError } from '../kernel/errors.ts'

/** One file of src/store/migrations: `<number>_<name>.sql`. */
export interface Migration {
  readonly number: number
  readonly name: string
  readonly sql: string
}

const FOLDER = fileURLToPath(new URL('../../src/store/migrations', import.meta.url))

export function readMigrations(folder = FOLDER): Migration[] {
  return readdirSync(folder)
    .filter(file => file.endsWith('.sql'))
    .sort()
    .map(file => ({ number: Number.parseInt(file, 10), name: file, sql: readFileSync(join(folder, file), 'utf8') }))
}

/**
 * Applies the migrations that a database lacks, inside the caller's transaction, which holds the lock that keeps other
 * starters out. A migration that was applied in another form, or that only a newer version knows, stops the start.
 */
export async function migrate(client: ClientBase, migrations: readonly Migration[]): Promise<void> {
  await client.query(`create schema if not exists superinsight;
    create table if not exists superinsight.migrations (
      number integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`)
  const { rows } = await client.query<{ number: number; name: string; checksum: string }>(
    'select number, name, checksum from superinsight.migrations order by number',
  )
  const applied = new Map(rows.map(row => [row.number, row]))
  for (const { number, name } of applied.values()) {
    if (!migrations.some(each => each.number === number)) {
      throw refused(`the database has migration ${name}, which this version does not know: start a newer version`)
    }
  }
  for (const { number, name, sql } of migrations) {
    const checksum = createHash('sha256').update(sql).digest('hex')
    const found = applied.get(number)
    if (found && found.checksum !== checksum) {
      throw refused(`migration ${name} differs from ${found.name}, as it was applied to the database`)
    }
    if (found) continue
    await client.query(sql)
    await client.query('insert into superinsight.migrations(number, name, checksum) values ($1, $2, $3)', [
      number,
      name,
      checksum,
    ])
  }
}

function refused(message: string): DomainError {
  return new DomainError('VALIDATION_ERROR', `DATABASE_URL: ${message}`)
}
