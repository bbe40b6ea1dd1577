import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { isEmbedded, openLog } from './adapters.ts'
import type { Config, Role } from './config.ts'
import { holdDataDir } from './data-dir.ts'
import type { Work } from './edge/health.ts'
import { createLimits } from './edge/limits.ts'
import { createProgress } from './edge/progress.ts'
import { type Edge, startProbes } from './edge/server.ts'
import { startFront } from './front.ts'
import type { LogStats, Stream } from './log/log.ts'
import { healthOf, type Process } from './process.ts'
import { projectedTopics } from './projections/index.ts'
import { startThread } from './start-thread.ts'
import { createLogger } from './telemetry/logger.ts'
import { createMetrics, type Metrics } from './telemetry/metrics.ts'
import type { News, ThreadRole } from './thread.ts'
import { appendThrough } from './threads/log.ts'
import { COMMANDS, startDecider } from './workers/decider.ts'
import { JOBS } from './workers/runner.ts'

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
  const [mainToLog, projectorToLog, runnerToLog, toKeeper] = Array.from({ length: 4 }, () => new MessageChannel()) as [
    MessageChannel,
    MessageChannel,
    MessageChannel,
    MessageChannel,
  ]
  const writerThread = has('edge') || isEmbedded(config)
  const keeping = has('edge') ? toKeeper.port1 : undefined
  const writers = [mainToLog.port1, projectorToLog.port1, runnerToLog.port1]
  if (writerThread) await thread('log', { ports: writers, keeping })
  const own = await openLog(config, mainToLog.port2)
  const log = writerThread ? appendThrough(mainToLog.port2, own, { gather: true }) : own
  started.push(() => log.stop())
  const telling = setInterval(() => onStats('main', own.stats()), STATS_MS)
  started.push(async () => clearInterval(telling))

  const parts: Process = { config, logger, metrics, log, thread, onStop: stop => void started.push(stop) }
  const works: Work[] = []
  if (has('projector')) works.push(await startProjection(parts, writerThread ? [projectorToLog.port2] : []))
  if (has('decider')) works.push(await startDeciding(parts))
  if (has('runner')) works.push(await startRunning(parts, writerThread ? [runnerToLog.port2] : []))
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
    if ('conflicts' in news) return news.conflicts.forEach(labels => void metrics.conflicts.inc(labels))
    if ('rebuilding' in news)
      return metrics.rebuild.set({ projection: news.rebuilding.projection }, news.rebuilding.percent)
    if ('rebuilt' in news) return metrics.rebuilt(news.rebuilt)
    if (!('progress' in news)) return
    for (const [stream, { through, events }] of news.progress) {
      advance(stream, through)
      metrics.projected.inc(events)
    }
  })
  return { topics: projectedTopics, progress, ours: true }
}

async function startRunning({ metrics, thread }: Process, ports: MessagePort[]): Promise<Work> {
  const { progress, hold, advance } = holder(metrics)
  await thread('runner', { ports }, news => {
    if ('holding' in news) return hold(news.holding)
    if ('progress' in news) {
      for (const [stream, { through }] of news.progress) advance(stream, through)
      return
    }
    if ('taken' in news) return metrics.taken(news.taken)
    if (!('ended' in news)) return
    const { connector, status, seconds } = news.ended
    metrics.operations.inc({ connector, status })
    metrics.latency.observe(seconds)
  })
  return { topics: [JOBS], progress, ours: true, label: 'runner ' }
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
