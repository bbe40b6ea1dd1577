import type { Bench } from './bench.ts'
import { startSink } from './connect.ts'
import { fillRecords, type LastRecord } from './fill.ts'
import { median, ratio, serve, writtenPerSecond } from './measure.ts'
import { freshKafkaParts, type KafkaParts, kafkaEnv } from './parts.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { forgetProjectors } from './projectors.ts'
import { postgresStore, type ReadStore, sqliteStore } from './read-store.ts'

const ROUNDS = 3
/** One record in five makes a row, the others change it: what a projector does all day. */
const RECORDS_A_KEY = 5

/** What both sides read: a topic of so many records with so many keys, and the last record of each stream. */
interface Filled {
  readonly parts: KafkaParts
  readonly records: number
  readonly keys: number
  readonly last: readonly LastRecord[]
}

async function throughSink({ parts, records, keys, last }: Filled, postgres: Postgres): Promise<number> {
  const database = await postgres.database()
  const sink = await startSink(parts, database)
  let first = 0
  const written = async () => {
    if ((await sink.has(last)) === last.length) return records
    // Rows are as many as records only at the beginning, and counting them is cheap only then.
    if (first === 0) first = await sink.rows()
    return first
  }
  try {
    const perSecond = await writtenPerSecond(records, written, [sink.process])
    const rows = await sink.rows()
    if (rows !== keys) throw new Error(`the sink has written ${rows} rows of ${keys}`)
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
  about:
    "from Kafka into the read store, upserts of 92 bytes, five to a key, against Debezium's JDBC sink into PostgreSQL",
  async run(options) {
    const records = Number(options.records ?? 1_000_000)
    const [parts, postgres] = await Promise.all([freshKafkaParts(), startPostgres()])
    try {
      const keys = Math.ceil(records / RECORDS_A_KEY)
      const filled = { parts, records, keys, last: await fillRecords(kafkaEnv(parts), records, keys) }
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
