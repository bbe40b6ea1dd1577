import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { classPath } from '../test/kit/jars.ts'
import { freePort, type Running, run } from '../test/kit/processes.ts'
import { DATASET, type LastRecord } from './fill.ts'
import type { KafkaParts } from './parts.ts'
import { type Database, PASSWORD, USER } from './postgres.ts'

const POM = fileURLToPath(new URL('./connect-pom.xml', import.meta.url))

const TABLE = 'sink'

/** The table as the sink itself would make it, but for text of any length in the key. */
const COLUMNS = `dataset text, id text, op text, data text, version bigint, updated_at text, upsert boolean, source text,
  actor text, request_id text, line bigint, received_at timestamp, job_id text, keeps_rules boolean, primary key (dataset, id)`

/** Debezium's JDBC sink in a Kafka Connect worker of its own. */
export interface Sink {
  readonly process: Running
  /** Rows that are there. */
  rows(): Promise<number>
  /** How many of these records are in its rows. */
  has(records: readonly LastRecord[]): Promise<number>
  stop(): Promise<void>
}

/**
 * Starts the sink from `sync.records` into TABLE. It decodes the same Avro as the projector, in Confluent's wire format
 * with the schema from the registry, and writes every field but the two with records in them, which it cannot write.
 *
 * Its settings are the fastest of those tried on 2 cores. What matters is two tasks instead of one (half as much again),
 * the parallel collector instead of G1 or the serial one (a quarter), and arrays through `unnest` instead of rewritten
 * batches (a tenth). Batches of 1,000 to 10,000 and the consumer's sizes are within a tenth of each other;
 * `use.reduction.buffer` has nothing to reduce here and costs more than it saves.
 */
export async function startSink(parts: KafkaParts, database: Database): Promise<Sink> {
  await database.query(`create table ${TABLE}(${COLUMNS})`)
  const dir = mkdtempSync(join(tmpdir(), 'sync-connect-'))
  const registry = new URL('/apis/registry/v2', parts.registryUrl).href
  const url = `http://127.0.0.1:${await freePort()}`
  const worker = {
    'bootstrap.servers': parts.brokers,
    listeners: url,
    'offset.storage.file.filename': join(dir, 'offsets'),
    'key.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
    'value.converter': 'io.apicurio.registry.utils.converter.AvroConverter',
    'value.converter.apicurio.registry.url': registry,
    'value.converter.apicurio.registry.id-handler': 'io.apicurio.registry.serde.Legacy4ByteIdHandler',
    'value.converter.apicurio.registry.use-id': 'contentId',
    'consumer.max.poll.records': 10_000,
    'consumer.fetch.min.bytes': 1_000_000,
    'consumer.fetch.max.wait.ms': 100,
    'consumer.max.partition.fetch.bytes': 4_000_000,
  }
  const connector = {
    name: `sink-of-${new URL(database.url).pathname.slice(1)}`,
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': 2,
    topics: 'sync.records',
    'connection.url': `${database.jdbcUrl}?reWriteBatchedInserts=true`,
    'connection.username': USER,
    'connection.password': PASSWORD,
    'insert.mode': 'upsert',
    'primary.key.mode': 'record_value',
    'primary.key.fields': 'dataset,id',
    'schema.evolution': 'none',
    'collection.name.format': TABLE,
    'batch.size': 2000,
    'dialect.postgres.unnest.insert.enabled': true,
    'field.exclude.list': 'sync.records:conflict,sync.records:origin',
  }
  const files = { worker: join(dir, 'worker.properties'), connector: join(dir, 'connector.properties') }
  writeFileSync(files.worker, properties(worker))
  writeFileSync(files.connector, properties(connector))
  const process = run('java', [
    ...['-Xms1g', '-Xmx1g', '-Xmn600m', '-XX:+UseParallelGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
    ...['-cp', classPath('connect-4.1.1-debezium-3.5.0', POM), 'org.apache.kafka.connect.cli.ConnectStandalone'],
    ...[files.worker, files.connector],
  ])
  const count = async (where: string, values: readonly unknown[]) => {
    const rows = await database.query<{ count: number }>(`select count(*)::int as count from ${TABLE} ${where}`, values)
    return rows[0]!.count
  }
  return {
    process,
    async rows() {
      const rows = await count('', [])
      if (rows === 0) await checkTasks(`${url}/connectors/${connector.name}/status`)
      return rows
    },
    has: records =>
      count('join unnest($2::text[], $3::bigint[]) as r(id, line) using (id, line) where dataset = $1', [
        DATASET,
        records.map(({ id }) => id),
        records.map(({ line }) => line),
      ]),
    async stop() {
      await process.end()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** A task that has failed writes nothing more, and says why only here. Before the worker answers there is none. */
async function checkTasks(url: string): Promise<void> {
  const answer = await fetch(url).catch(() => undefined)
  if (!answer?.ok) return
  const { tasks } = (await answer.json()) as { tasks: { state: string; trace?: string }[] }
  const failed = tasks.find(({ state }) => state === 'FAILED')
  if (failed) throw new Error(`the sink has failed: ${failed.trace}`)
}

function properties(settings: Record<string, string | number | boolean>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
