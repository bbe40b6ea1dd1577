import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getEnvironmentData, type MessagePort, setEnvironmentData } from 'node:worker_threads'
import type { Config } from './config.ts'
import { holdDataDir } from './data-dir.ts'
import type { Keeper, Keys } from './edge/idempotency/keys.ts'
import type { SharedRedis } from './edge/redis.ts'
import { schemas } from './events/index.ts'
import { DomainError } from './kernel/errors.ts'
import type { EmbeddedLog, Grown } from './log/embedded.ts'
import type { Log, TopicSpec } from './log/log.ts'
import type { Migrated, Report } from './log/migrate/migrate.ts'
import type { FileStore } from './store/files.ts'
import type { SecretStore } from './store/secrets.ts'
import type { Store } from './store/store.ts'
import type { VerifyParts } from './workers/verify.ts'

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
  return openKafkaLog({ ...kafkaOptions(config), maxPendingBytes: config.logPendingBytes })
}

function kafkaOptions(config: Config) {
  return {
    brokers: config.kafkaBrokers,
    registryUrl: config.registryUrl!,
    schemaCache: join(config.dataDir, 'schemas.json'),
    clientId: 'superinsight-sync',
    timeoutMs: config.kafkaTimeoutMs,
    sessionMs: config.sessionSeconds * 1000,
  }
}

/** The embedded log; a connection that does not write learns from the log thread when it has grown. */
async function openEmbedded(config: Config, writer: MessagePort | undefined): Promise<EmbeddedLog> {
  const { openEmbeddedLog } = await import('./log/embedded.ts')
  const log = openEmbeddedLog({ file: join(config.dataDir, 'log.db'), maxPendingBytes: config.logPendingBytes })
  writer?.on('message', ({ grown }: { grown?: Grown }) => {
    if (grown) log.grewTo(grown)
  })
  return log
}

/** Copies the embedded log in DATA_DIR to the Kafka that the configuration names; nobody else may use DATA_DIR meanwhile. */
export async function copyLogToKafka(config: Config, report: Report): Promise<Migrated> {
  if (isEmbedded(config))
    throw new DomainError('VALIDATION_ERROR', 'set KAFKA_BROKERS and SCHEMA_REGISTRY_URL: they say where to copy to')
  const file = join(config.dataDir, 'log.db')
  if (!existsSync(file))
    throw new DomainError('VALIDATION_ERROR', `DATA_DIR=${config.dataDir}: there is no log.db to copy`)
  const { migrate } = await import('./log/migrate/migrate.ts')
  const held = holdDataDir(config.dataDir)
  try {
    const { clientId, ...kafka } = kafkaOptions(config)
    return await migrate({
      ...kafka,
      clientId: `${clientId}-migrate`,
      file,
      topics: readTopics(),
      schemas,
      report,
    })
  } finally {
    held.release()
  }
}

/** Opens what a verification looks at, and an empty store for it to fill in a folder of its own. */
export async function openForVerify(
  config: Config,
): Promise<Omit<VerifyParts, 'projections'> & { close(): Promise<void> }> {
  const file = join(config.dataDir, 'log.db')
  if (isEmbedded(config) && !existsSync(file))
    throw new DomainError('VALIDATION_ERROR', `DATA_DIR=${config.dataDir}: there is no log.db to look at`)
  // To open it would make a new log of it.
  if (isEmbedded(config) && statSync(file).size === 0) throw new DomainError('UNAVAILABLE', `DAMAGED  ${file} is empty`)
  const log = await readable(isEmbedded(config) ? file : 'the log', openLog(config))
  const dir = mkdtempSync(join(tmpdir(), 'superinsight-verify-'))
  const { openSqliteStore } = await import('./store/sqlite.ts')
  const scratch = openSqliteStore({ file: join(dir, 'read.db') })
  const rows = join(config.dataDir, 'read.db')
  const there = config.databaseUrl !== undefined || existsSync(rows)
  const opening = there ? openStore(config, { readOnly: true, cacheMb: 16 }) : undefined
  const live = opening && (await readable(config.databaseUrl ? 'DATABASE_URL' : rows, opening))
  const { checkBatches } = await import('./log/embedded-check.ts')
  return {
    ...{ log, live, scratch, topics: readTopics().map(({ name }) => name) },
    ...(isEmbedded(config) ? { checkBatches: () => checkBatches(file) } : {}),
    async close() {
      await scratch.stop()
      await live?.stop()
      await log.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** What cannot be opened is told by its name, not by a stack. */
async function readable<T>(what: string, opening: Promise<T>): Promise<T> {
  return opening.catch(error => {
    throw error instanceof DomainError
      ? error
      : new DomainError('UNAVAILABLE', `DAMAGED  ${what} cannot be read: ${(error as Error).message}`)
  })
}

const TOPICS = fileURLToPath(new URL('../topics', import.meta.url))

/** The declarations in topics/: a file a topic, named after it. */
export function readTopics(): TopicSpec[] {
  // A thread has them from the one that started it: to load YAML and read them takes a third of its start.
  const known = getEnvironmentData(TOPICS) as TopicSpec[] | undefined
  if (known) return known
  const topics = topicsIn(TOPICS)
  setEnvironmentData(TOPICS, topics)
  return topics
}

/** The declarations in a folder. */
export function topicsIn(folder: string): TopicSpec[] {
  const { parse } = createRequire(import.meta.url)('yaml') as typeof import('yaml')
  return readdirSync(folder)
    .filter(file => file.endsWith('.yaml'))
    .map(file => ({ name: file.replace(/\.yaml$/, ''), ...parse(readFileSync(join(folder, file), 'utf8')) }))
}

/**
 * Opens the read store; a read-only one must have been made before. `log` is the id of the log whose rows are written to
 * it: rows of another log, from before a move to Kafka, are dropped.
 */
export async function openStore(
  config: Config,
  { log, ...options }: { readOnly: boolean; cacheMb: number; walThread?: boolean; log?: string },
): Promise<Store> {
  if (config.databaseUrl) {
    const { openPostgresStore } = await import('./store/postgres.ts')
    return openPostgresStore({ url: config.databaseUrl, readOnly: options.readOnly, log })
  }
  const { openSqliteStore } = await import('./store/sqlite.ts')
  const file = join(config.dataDir, 'read.db')
  if (log !== undefined) {
    const { keepOnlyRowsOf } = await import('./store/sqlite-log.ts')
    keepOnlyRowsOf(log, file)
  }
  return openSqliteStore({ file, ...options })
}

/** Opens where other systems' secrets are kept, sealed with a key of 32 bytes. */
export async function openSecrets(config: Config, key: Uint8Array): Promise<SecretStore> {
  const { sealing } = await import('./store/secrets.ts')
  if (config.databaseUrl) {
    const { openPostgresSecrets } = await import('./store/keeps-postgres.ts')
    return sealing(openPostgresSecrets(config.databaseUrl), key)
  }
  const { openSqliteSecrets } = await import('./store/secrets-sqlite.ts')
  return sealing(openSqliteSecrets(join(config.dataDir, 'secrets.db')), key)
}

/** Opens where uploaded files wait for their import. */
export async function openFiles(config: Config): Promise<FileStore> {
  if (config.databaseUrl) {
    const { openPostgresFiles } = await import('./store/keeps-postgres.ts')
    return openPostgresFiles(config.databaseUrl)
  }
  const { openFileDirectory } = await import('./store/files-directory.ts')
  return openFileDirectory(join(config.dataDir, 'files'))
}

function keysFile(config: Config): string {
  return join(config.dataDir, 'keys.db')
}

/** Opens what writes this process's own idempotency keys; `openKeys` reads what it has made. */
export async function openKeeper(config: Config): Promise<Keeper> {
  const { openKeeper } = await import('./edge/idempotency/keeper.ts')
  const { idempotencySeconds: seconds, idempotencyBytes: maxBytes } = config
  return openKeeper({ file: keysFile(config), seconds, maxBytes })
}

/** Opens the idempotency keys: those of all edges, given a Redis, else this process's own. */
export async function openKeys(
  config: Config,
  redis: SharedRedis | undefined,
  own: { keep: Keeper['keep']; onDropped: (keys: number) => void },
): Promise<Keys> {
  const { openOwnKeys } = await import('./edge/idempotency/sqlite.ts')
  const keys = openOwnKeys({ file: keysFile(config), ...own })
  if (!redis) return keys
  const { openSharedKeys } = await import('./edge/idempotency/redis.ts')
  return openSharedKeys({ redis, own: keys, seconds: config.idempotencySeconds })
}
