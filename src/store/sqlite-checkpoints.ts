import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Table } from '../kernel/projection.ts'
import type { Kept } from './as-of.ts'
import { quoted } from './sqlite-sql.ts'
import { type Checkpoint, type Claim, refusedCommit } from './store.ts'

/*
 * How far projections have come in a file, and from where on earlier versions are there. `kept` is the claim under which
 * the floor holds: a row that was claimed since by a version which keeps none has no versions before where it is.
 */

const FLOOR = 'case when kept = epoch then floor else "offset" end'

export function declareCheckpoints(db: DatabaseSync): void {
  db.exec(`create table if not exists checkpoints(projection text, stream text, "offset" integer not null,
    epoch integer not null default 0, primary key(projection, stream)) strict, without rowid`)
  // Files made before checkpoints had one writer, or before there were versions.
  for (const [name, fallback] of [
    ['epoch', 0],
    ['floor', -1],
    ['kept', 0],
  ])
    if (!db.prepare("select 1 from pragma_table_info('checkpoints') where name = ?").get(name!))
      db.exec(`alter table checkpoints add column ${name} integer not null default ${fallback}`)
}

export function claimIn(statement: (sql: string) => StatementSync, projection: string, stream: string): Claim {
  const row = statement(
    `insert into checkpoints(projection, stream, "offset", epoch, kept) values (?, ?, -1, 1, 1)
     on conflict(projection, stream) do update set epoch = abs(epoch) + 1, floor = ${FLOOR}, kept = abs(epoch) + 1
     returning epoch, "offset"`,
  ).get(projection, stream)!
  return { epoch: row.epoch as number, offset: row.offset as number }
}

/** How far projections have come, in the streams that they have begun. */
export function offsetsIn(
  statement: (sql: string) => StatementSync,
  projections: readonly string[],
): Map<string, number> {
  const rows = statement(
    'select stream, "offset" from checkpoints where projection in (select value from json_each(?)) and "offset" >= 0',
  ).all(JSON.stringify(projections))
  return new Map(rows.map(row => [row.stream as string, row.offset as number]))
}

export function keptIn(statement: (sql: string) => StatementSync): Kept {
  const rows = statement(
    `select stream, max(${FLOOR}) as floor from checkpoints where ${FLOOR} >= 0 group by stream`,
  ).all()
  const { live } = statement("select coalesce(sum(number), 0) as live from generations where state = 'live'").get()!
  return { floors: new Map(rows.map(row => [row.stream as string, row.floor as number])), live: live as number }
}

/** Inside a transaction. */
export function forgetIn(
  statement: (sql: string) => StatementSync,
  { versions }: Table,
  claimed: Omit<Checkpoint, 'offset'>,
  through: number,
  limit: number,
): number {
  const { projection, stream, epoch } = claimed
  const table = quoted(versions!.name)
  const until = statement(
    `select max(until) as until from (select until from ${table} where stream = ? and until <= ? order by until limit ?)`,
  ).get(stream, through, limit)!.until as number | null
  if (until === null) return 0
  const moved = statement(
    'update checkpoints set floor = max(floor, ?) where projection = ? and stream = ? and epoch = ?',
  ).run(until, projection, stream, epoch)
  if (moved.changes === 0) throw refusedCommit(claimed, epochOf(statement, projection, stream))
  return Number(statement(`delete from ${table} where stream = ? and until <= ?`).run(stream, until).changes)
}

export function epochOf(
  statement: (sql: string) => StatementSync,
  projection: string,
  stream: string,
): number | undefined {
  const row = statement('select epoch from checkpoints where projection = ? and stream = ?').get(projection, stream)
  return row?.epoch as number | undefined
}

/**
 * Leaves a projection's checkpoints to nobody, with the floors of the generation that takes its place: who had the last
 * claim is told that it was a swap. Inside a transaction.
 */
export function replaceIn(db: DatabaseSync, projection: string, made: string): void {
  db.prepare(
    `update checkpoints as live set epoch = -abs(epoch), kept = -abs(epoch), floor = coalesce(
       (select ${FLOOR} from checkpoints c where c.projection = ? and c.stream = live.stream), -1)
     where projection = ?`,
  ).run(made, projection)
  db.prepare('delete from checkpoints where projection = ?').run(made)
}
