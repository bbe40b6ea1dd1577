import { tmpdir } from 'node:os'
import { openLog } from '../src/adapters.ts'
import { readConfig } from '../src/config.ts'
import type { Bench, Figures } from './bench.ts'
import { fillRecords } from './fill.ts'
import { rebuildLive } from './live-rebuild.ts'
import { serve, writtenPerSecond } from './measure.ts'
import { freshKafkaParts, kafkaEnv } from './parts.ts'
import { startPostgres } from './postgres.ts'
import { postgresStore, type ReadStore, sqliteStore } from './read-store.ts'

/**
 * Marks every change as told already, as it is when a read model is built anew: what is left is to read the log and to
 * write the rows.
 */
async function tellAll(env: Record<string, string>): Promise<void> {
  const log = await openLog(readConfig({ DATA_DIR: tmpdir(), ...env }))
  const ends = await log.ends('sync.records')
  for (const stream of log.streams('sync.records')) {
    const consumed = { group: 'projector-records', stream, offset: ends.get(stream.name)! }
    await log.own(consumed.group, stream)
    await log.append([], { consumed })
  }
  await log.stop()
}

async function rebuildInto(
  store: ReadStore,
  env: Record<string, string>,
  records: number,
  more: () => Promise<Figures>,
): Promise<Figures> {
  try {
    await fillRecords(env, records)
    await tellAll(env)
    const service = serve(env)
    let events_per_s: number
    try {
      events_per_s = await writtenPerSecond(records, store.projected, [service.process])
    } finally {
      await service.stop()
    }
    return { events_per_s, ...(await more()) }
  } finally {
    await store.remove()
  }
}

/** From the embedded log in the same folder. */
async function rebuildSqlite(records: number, profile: string | undefined): Promise<Figures> {
  const store = sqliteStore()
  return rebuildInto(store, store.env, records, () => rebuildLive(store.env, records, profile))
}

/** From Kafka, by a projector that is a process of its own. */
async function rebuildPostgres(records: number): Promise<Figures> {
  const [parts, postgres] = await Promise.all([freshKafkaParts(), startPostgres()])
  try {
    const store = await postgresStore(postgres)
    const env = { ...kafkaEnv(parts), ...store.env, ROLES: 'projector' }
    return await rebuildInto(store, env, records, async () => ({}))
  } finally {
    await postgres.stop()
    await parts.stop()
  }
}

export const rebuild: Bench = {
  name: 'rebuild',
  about: 'from the log into an empty read store, and (SQLite) of a service that is read meanwhile',
  run(options) {
    const records = Number(options.records ?? 1_000_000)
    return options.store === 'postgres' ? rebuildPostgres(records) : rebuildSqlite(records, options.profile)
  },
}
