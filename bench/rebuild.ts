import { tmpdir } from 'node:os'
import { openLog } from '../src/adapters.ts'
import { readConfig } from '../src/config.ts'
import type { Bench, Figures } from './bench.ts'
import { fillRecords } from './fill.ts'
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

async function rebuildInto(store: ReadStore, env: Record<string, string>, records: number): Promise<Figures> {
  try {
    await fillRecords(env, records)
    await tellAll(env)
    const service = serve(env)
    try {
      return { events_per_s: await writtenPerSecond(records, store.projected, [service.process]) }
    } finally {
      await service.stop()
    }
  } finally {
    await store.remove()
  }
}

/** From the embedded log in the same folder. */
async function rebuildSqlite(records: number): Promise<Figures> {
  const store = sqliteStore()
  return rebuildInto(store, store.env, records)
}

/** From Kafka, by a projector that is a process of its own. */
async function rebuildPostgres(records: number): Promise<Figures> {
  const [parts, postgres] = await Promise.all([freshKafkaParts(), startPostgres()])
  try {
    const store = await postgresStore(postgres)
    return await rebuildInto(store, { ...kafkaEnv(parts), ...store.env, ROLES: 'projector' }, records)
  } finally {
    await postgres.stop()
    await parts.stop()
  }
}

export const rebuild: Bench = {
  name: 'rebuild',
  about: 'from the log into an empty read store: SQLite from the embedded log, PostgreSQL from Kafka',
  run(options) {
    const records = Number(options.records ?? 1_000_000)
    return options.store === 'postgres' ? rebuildPostgres(records) : rebuildSqlite(records)
  },
}
