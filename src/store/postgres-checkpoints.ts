import type { PoolClient } from 'pg'
import type { Table } from '../kernel/projection.ts'
import type { Kept } from './as-of.ts'
import { nameOf } from './postgres-sql.ts'
import { type Checkpoint, type Claim, refusedCommit } from './store.ts'

/* How far projections have come in a database, and from where on earlier versions are there: migrations/0006_versions.sql. */

const FLOOR = 'case when c.kept = c.epoch then c.floor else c."offset" end'

export async function claimIn(client: PoolClient, projection: string, stream: string): Promise<Claim> {
  const { rows } = await client.query<Claim>(
    `insert into superinsight.checkpoints as c(projection, stream, "offset", epoch, kept) values ($1, $2, -1, 1, 1)
     on conflict(projection, stream) do update set epoch = abs(c.epoch) + 1, floor = ${FLOOR}, kept = abs(c.epoch) + 1
     returning epoch, "offset"`,
    [projection, stream],
  )
  return rows[0]!
}

/** How far projections have come, in the streams that they have begun. */
export async function offsetsIn(client: PoolClient, projections: readonly string[]): Promise<Map<string, number>> {
  const text = 'select stream, "offset" from superinsight.checkpoints where projection = any($1) and "offset" >= 0'
  const { rows } = await client.query<{ stream: string; offset: number }>(text, [projections])
  return new Map(rows.map(({ stream, offset }) => [stream, offset]))
}

export async function keptIn(client: PoolClient): Promise<Kept> {
  const text = `select stream, max(${FLOOR}) as floor from superinsight.checkpoints c where ${FLOOR} >= 0 group by stream
    union all select null, coalesce(sum(number), 0)::bigint from superinsight.generations where state = 'live'`
  const { rows } = await client.query<{ stream: string | null; floor: number }>(text)
  const { floor: live } = rows.find(({ stream }) => stream === null)!
  const floors = rows.flatMap(({ stream, floor }) => (stream === null ? [] : [[stream, floor] as const]))
  return { floors: new Map(floors), live }
}

/** Moves the floor in a transaction of its own: who commits rows of the stream meanwhile waits for that, not for the versions to go. */
export async function forgetIn(
  client: PoolClient,
  { versions }: Table,
  claimed: Omit<Checkpoint, 'offset'>,
  through: number,
  limit: number,
): Promise<number> {
  const { projection, stream, epoch } = claimed
  const table = nameOf(versions!)
  const { rows } = await client.query<{ until: number | null }>(
    `select max(until) as until from
       (select until from ${table} where stream = $1 and until <= $2 order by until limit $3) oldest`,
    [stream, through, limit],
  )
  const { until } = rows[0]!
  if (until === null) return 0
  const moved = await client.query(
    `update superinsight.checkpoints set floor = greatest(floor, $1)
     where projection = $2 and stream = $3 and epoch = $4`,
    [until, projection, stream, epoch],
  )
  if (moved.rowCount === 0) throw refusedCommit(claimed, await epochOf(client, projection, stream))
  // A table that a swap has put in this one's place since has a floor of its own, and keeps what it has.
  const gone = await client.query(
    `delete from ${table} where stream = $1 and until <= $2 and exists (
       select 1 from superinsight.checkpoints where projection = $3 and stream = $1 and epoch = $4)`,
    [stream, until, projection, epoch],
  )
  return gone.rowCount!
}

export async function epochOf(client: PoolClient, projection: string, stream: string): Promise<number | undefined> {
  const text = 'select epoch from superinsight.checkpoints where projection = $1 and stream = $2'
  return (await client.query<{ epoch: number }>(text, [projection, stream])).rows[0]?.epoch
}

/**
 * Leaves a projection's checkpoints to nobody, with the floors of the generation that takes its place: who had the last
 * claim is told that it was a swap.
 */
export async function replaceIn(client: PoolClient, projection: string, made: string): Promise<void> {
  await client.query(
    `update superinsight.checkpoints live set epoch = -abs(epoch), kept = -abs(epoch), floor = coalesce(
       (select ${FLOOR} from superinsight.checkpoints c where c.projection = $2 and c.stream = live.stream), -1)
     where projection = $1`,
    [projection, made],
  )
  await client.query('delete from superinsight.checkpoints where projection = $1', [made])
}
