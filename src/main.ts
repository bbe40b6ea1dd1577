import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { isEmbedded, openKeys, openLog, openStore } from './adapters.ts'
import type { Config, Role } from './config.ts'
import { holdDataDir } from './data-dir.ts'
import { startAccess } from './edge/auth/access.ts'
import { deriveKeys } from './edge/auth/keys.ts'
import { loadSecrets } from './edge/auth/secrets.ts'
import { createTokens } from './edge/auth/tokens.ts'
import { followCheckpoints } from './edge/checkpoints.ts'
import { startCommands } from './edge/commands.ts'
import { createHealth, type Work } from './edge/health.ts'
import type { Keys } from './edge/idempotency/keys.ts'
import { createLimits } from './edge/limits.ts'
import { createProgress, type Progress } from './edge/progress.ts'
import { createReceipts } from './edge/receipts.ts'
import { type Edge, startEdge, startProbes } from './edge/server.ts'
import type { Probes } from './edge/services.ts'
import { openSharedRedis, type SharedRedis } from './edge/shared-redis.ts'
import { createCodec } from './log/codec.ts'
import type { Log, LogStats, Stream } from './log/log.ts'
import { recordsProjection } from './projections/records.ts'
import { startThread } from './start-thread.ts'
import type { Store } from './store/store.ts'
import { createLogger, type Logger } from './telemetry/logger.ts'
import { createMetrics, type Metrics } from './telemetry/metrics.ts'
import type { News, Progressed, ThreadData, ThreadRole } from './thread.ts'
import { keepThrough } from './threads/keys.ts'
import { appendThrough } from './threads/log.ts'
import { type ReadStore, readThrough } from './threads/store.ts'
import { COMMANDS, startDecider } from './workers/decider.ts'

/*
 * The composition root, top to bottom: what every process has, then the parts that its roles name. What blocks or is
 * heavy runs in threads (thread.ts): the log's writer, the projector, the reader of a read store in a file.
 */

const STATS_MS = 1000

export interface Service {
  readonly url: string
  readonly credentialsFile: string | undefined
  stop(): Promise<void>
}

/** Starts what the roles name in this process, and stops what it has started if a part fails. */
export async function startService(config: Config): Promise<Service> {
  const started: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const each of started.splice(0).reverse()) await each()
  }
  try {
    const { edge, credentialsFile } = await startParts(config, started)
    return { url: `http://${config.host}:${edge.port}/v1/sync`, credentialsFile, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What the parts of a process share. */
interface Process {
  readonly config: Config
  readonly logger: Logger
  readonly metrics: Metrics
  readonly log: Log
  /** Registers how a part that has started is stopped; the last one started stops first. */
  onStop(stop: () => Promise<void>): void
  thread(
    role: ThreadRole,
    ports: Pick<ThreadData, 'ports' | 'keeping'>,
    onNews?: (news: Progressed) => void,
  ): Promise<void>
}

async function startParts(
  config: Config,
  started: (() => Promise<void>)[],
): Promise<{ edge: Edge; credentialsFile: string | undefined }> {
  const held = holdDataDir(config.dataDir)
  started.push(async () => held.release())
  const logger = createLogger(config.logLevel)
  const metrics = createMetrics()
  const has = (role: Role) => config.roles.includes(role)
  const onFailure = (role: ThreadRole, error: Error) => {
    // A thread that is gone takes its part of the service with it: better to end and be started again.
    logger.fatal({ err: error, role }, 'a thread failed')
    process.exit(1)
  }
  const onStats = (part: string, { rebalances, retries }: LogStats) => {
    metrics.rebalances.set({ part }, rebalances)
    metrics.producerRetries.set({ part }, retries)
  }
  const thread: Process['thread'] = async (role, ports, onNews = () => undefined) => {
    const heard = (news: News) => ('stats' in news ? onStats(role, news.stats) : onNews(news))
    started.push(await startThread({ role, config, ...ports }, heard, onFailure))
  }

  // Pushes come at a rate that is worth a thread; a decider or a projector alone writes for itself.
  const [mainToLog, projectorToLog, toKeeper] = [new MessageChannel(), new MessageChannel(), new MessageChannel()]
  const writerThread = has('edge') || isEmbedded(config)
  const keeping = has('edge') ? toKeeper.port1 : undefined
  if (writerThread) await thread('log', { ports: [mainToLog.port1, projectorToLog.port1], keeping })
  const own = await openLog(config, mainToLog.port2)
  const log = writerThread ? appendThrough(mainToLog.port2, own) : own
  started.push(() => log.stop())
  const telling = setInterval(() => onStats('main', own.stats()), STATS_MS)
  started.push(async () => clearInterval(telling))

  const parts: Process = { config, logger, metrics, log, thread, onStop: stop => void started.push(stop) }
  const works: Work[] = []
  if (has('projector')) works.push(await startProjection(parts, writerThread ? [projectorToLog.port2] : []))
  if (has('decider')) works.push(await startDeciding(parts))
  if (has('edge')) return startFront(parts, works, toKeeper.port2)
  const probes = { config, logger, metrics, limits: createLimits(), health: healthOf(parts, works) }
  const edge = await startProbes(probes)
  started.push(() => edge.stop())
  return { edge, credentialsFile: undefined }
}

async function startProjection({ metrics, thread }: Process, ports: MessagePort[]): Promise<Work> {
  const { progress, hold, advance } = holder(metrics)
  await thread('projector', { ports }, news => {
    if ('holding' in news) return hold(news.holding)
    advance(news.stream, news.through)
    metrics.projected.inc(news.events)
  })
  return { topics: recordsProjection.topics, progress, ours: true }
}

async function startDeciding({ log, logger, metrics, onStop }: Process): Promise<Work> {
  const { progress, hold, advance } = holder(metrics)
  const onHolding = (streams: readonly Stream[]) => hold(streams.map(({ name }) => name))
  const decider = await startDecider({ log, logger, onHolding, onProgress: advance })
  onStop(() => decider.stop())
  return { topics: [COMMANDS], progress, ours: true }
}

/** How far the streams are that this process holds, and when each was last committed. */
function holder({ lastCommit }: Metrics) {
  const progress = createProgress()
  return {
    progress,
    hold(streams: readonly string[]) {
      progress.hold(streams)
      lastCommit.reset()
    },
    advance(stream: string, through: number) {
      progress.advance(stream, through)
      lastCommit.set({ stream }, Date.now() / 1000)
    },
  }
}

function healthOf({ config, log }: Process, works: readonly Work[]): Probes['health'] {
  return createHealth({ log, works, maxLag: config.readyLag, stallMs: config.readyStallSeconds * 1000 })
}

async function startFront(
  parts: Process,
  works: readonly Work[],
  toKeeper: MessagePort,
): Promise<{ edge: Edge; credentialsFile: string | undefined }> {
  const { config, logger, metrics, log, onStop } = parts
  const secrets = loadSecrets(config)
  const { store, progress } = await openReads(parts, works)
  const access = startAccess(log, logger, config.tokenSeconds)
  onStop(() => access.stop())
  const commands = await startCommands(log, logger)
  onStop(() => commands.stop())
  await access.caughtUp()
  const redis = await openRedis(parts)
  const reads: Work = { topics: recordsProjection.topics, progress, ours: false }
  const edge = await startEdge({
    config,
    logger,
    metrics,
    log,
    codec: createCodec(log),
    store,
    progress,
    commands,
    access,
    tokens: createTokens(deriveKeys(secrets.encryptionKey), config.tokenSeconds),
    keys: await startKeys(parts, toKeeper, redis),
    limits: createLimits(redis),
    redis,
    health: healthOf(parts, works.some(work => work.progress === progress) ? works : [...works, reads]),
    completePosition: await createReceipts(log),
    admin: secrets.admin,
  })
  onStop(() => edge.stop())
  return { edge, credentialsFile: secrets.file }
}

async function openRedis({ config, logger, metrics, onStop }: Process): Promise<SharedRedis | undefined> {
  if (!config.redisUrl) return undefined
  const redis = openSharedRedis(config.redisUrl, logger, up => metrics.redisUp.set(up ? 1 : 0))
  onStop(async () => redis.stop())
  // Else the first pushes under a key would be known to this edge alone.
  await redis.known
  return redis
}

async function startKeys(
  { config, metrics, onStop }: Process,
  toKeeper: MessagePort,
  redis: SharedRedis | undefined,
): Promise<Keys> {
  const onDropped = (count: number) => metrics.keysDropped.inc(count)
  const keys = await openKeys(config, redis, { keep: keepThrough(toKeeper), onDropped })
  onStop(() => keys.stop())
  return keys
}

/** Where queries read, and how far that is: a database that projectors anywhere write, or this process's own file. */
async function openReads(
  { config, logger, log, thread, onStop }: Process,
  works: readonly Work[],
): Promise<{ store: ReadStore; progress: Progress }> {
  // Nothing of these is in the read model until it says so.
  const begin = (progress: Progress) => {
    const streams = recordsProjection.topics.flatMap(topic => log.streams(topic))
    for (const { name } of streams) if (!progress.reached.has(name)) progress.advance(name, -1)
    return progress
  }
  if (config.databaseUrl) {
    const store: Store = await openStore(config, { readOnly: true, cacheMb: 0 })
    onStop(() => store.stop())
    const checkpoints = followCheckpoints(store, recordsProjection.name, logger)
    onStop(() => checkpoints.stop())
    return { store, progress: begin(checkpoints.progress) }
  }
  const toReader = new MessageChannel()
  await thread('reader', { ports: [toReader.port1] })
  const { progress } = works.find(({ topics }) => topics === recordsProjection.topics)!
  return { store: readThrough(toReader.port2), progress: begin(progress) }
}
