import type { Bench } from './bench.ts'
import { startSink } from './connect.ts'
import { fillRecords } from './fill.ts'
import { median, ratio, serve, writtenPerSecond } from './measure.ts'
import { freshKafkaParts, type KafkaParts, kafkaEnv } from './parts.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { forgetProjectors } from './projectors.ts'
import { postgresStore, type ReadStore, sqliteStore } from './read-store.ts'

const ROUNDS = 3

/** What both sides read: a topic of that many records, the last of each stream with these ids. */
interface Filled {
  readonly parts: KafkaParts
  readonly records: number
  readonly lastIds: readonly string[]
}

async function throughSink({ parts, records, lastIds }: Filled, postgres: Postgres): Promise<number> {
  const database = await postgres.database()
  const sink = await startSink(parts, database)
  let first = 0
  const written = async () => {
    if ((await sink.found(lastIds)) === lastIds.length) return records
    // Counting is cheap only at the beginning.
    if (first === 0) first = await sink.rows()
    return first
  }
  try {
    const perSecond = await writtenPerSecond(records, written, [sink.process])
    const rows = await sink.rows()
    if (rows !== records) throw new Error(`the sink has written ${rows} rows of ${records}`)
    return perSecond
  } finally {
    await sink.stop()
    await database.drop()
  }
}

/**
 * With SQLite the projector is a thread of the whole service, which follows the changes meanwhile; with PostgreSQL it
 * is a process of its own.
 */
async function throughProjector({ parts, records }: Filled, store: ReadStore): Promise<number> {
  await forgetProjectors(parts.brokers)
  const projector = serve({ ...kafkaEnv(parts), ...store.env, ...(store.env.DATABASE_URL && { ROLES: 'projector' }) })
  try {
    return await writtenPerSecond(records, store.projected, [projector.process])
  } finally {
    await projector.stop()
    await store.remove()
  }
}

export const project: Bench = {
  name: 'project',
  about: "from Kafka into the read store, records of 92 bytes, against Debezium's JDBC sink into PostgreSQL",
  async run(options) {
    const records = Number(options.records ?? 1_000_000)
    const [parts, postgres] = await Promise.all([freshKafkaParts(), startPostgres()])
    try {
      const filled = { parts, records, lastIds: await fillRecords(kafkaEnv(parts), records) }
      const reference: number[] = []
      const ours: number[] = []
      // In turns, so that what else the machine does hits both.
      for (let round = 0; round < ROUNDS; round++) {
        reference.push(await throughSink(filled, postgres))
        const store = options.store === 'postgres' ? await postgresStore(postgres) : sqliteStore()
        ours.push(await throughProjector(filled, store))
      }
      const [records_per_s, reference_per_s] = [median(ours), median(reference)]
      return { records_per_s, reference_per_s, ratio: ratio(records_per_s, reference_per_s) }
    } finally {
      await postgres.stop()
      await parts.stop()
    }
  },
}
