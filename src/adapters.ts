import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MessagePort } from 'node:worker_threads'
import { parse } from 'yaml'
import type { Config } from './config.ts'
import { schemas } from './events/index.ts'
import type { EmbeddedLog } from './log/embedded.ts'
import type { Log, TopicSpec } from './log/log.ts'
import type { Store } from './store/store.ts'

/*
 * The only file that names adapters: which log and which store the configuration means. Each is loaded when it is
 * chosen, so that an embedded service carries no Kafka client in any of its threads.
 */

/** Opens the log that the configuration names, with every topic and schema declared. */
export async function openLog(config: Config, writer?: MessagePort): Promise<Log | EmbeddedLog> {
  const log = isEmbedded(config) ? await openEmbedded(config, writer) : await openKafka(config)
  await log.declare(readTopics(), schemas)
  return log
}

export function isEmbedded(config: Config): boolean {
  return config.kafkaBrokers.length === 0
}

async function openKafka(config: Config): Promise<Log> {
  const { openKafkaLog } = await import('./log/kafka.ts')
  return openKafkaLog({
    brokers: config.kafkaBrokers,
    registryUrl: config.registryUrl!,
    schemaCache: join(config.dataDir, 'schemas.json'),
    clientId: 'superinsight-sync',
    timeoutMs: config.kafkaTimeoutMs,
    sessionMs: config.sessionSeconds * 1000,
    maxPendingBytes: config.logPendingBytes,
  })
}

/** The embedded log; a connection that does not write learns from the log thread when it has grown. */
async function openEmbedded(config: Config, writer: MessagePort | undefined): Promise<EmbeddedLog> {
  const { openEmbeddedLog } = await import('./log/embedded.ts')
  const log = openEmbeddedLog({ file: join(config.dataDir, 'log.db'), maxPendingBytes: config.logPendingBytes })
  writer?.on('message', ({ head }: { head?: number }) => {
    if (head !== undefined) log.grewTo(head)
  })
  return log
}

const TOPICS = fileURLToPath(new URL('../topics', import.meta.url))

/** The declarations in topics/: a file a topic, named after it. */
export function readTopics(folder = TOPICS): TopicSpec[] {
  return readdirSync(folder)
    .filter(file => file.endsWith('.yaml'))
    .map(file => ({ name: file.replace(/\.yaml$/, ''), ...parse(readFileSync(join(folder, file), 'utf8')) }))
}

/** Opens the read store; a read-only one must have been made before. `cacheMb` is for one in a file. */
export async function openStore(config: Config, options: { readOnly: boolean; cacheMb: number }): Promise<Store> {
  if (config.databaseUrl) {
    const { openPostgresStore } = await import('./store/postgres.ts')
    return openPostgresStore({ url: config.databaseUrl, readOnly: options.readOnly })
  }
  const { openSqliteStore } = await import('./store/sqlite.ts')
  return openSqliteStore({ file: join(config.dataDir, 'read.db'), ...options })
}
