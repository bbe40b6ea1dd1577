import { setPriority } from 'node:os'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { isEmbedded, openKeeper, openLog, openStore } from './adapters.ts'
import type { Config } from './config.ts'
import { DomainError } from './kernel/errors.ts'
import { crashAt } from './kernel/points.ts'
import { alone } from './log/alone.ts'
import { startCommands } from './log/commands.ts'
import { beyondLog } from './log/ends.ts'
import type { Log, LogStats } from './log/log.ts'
import { newId } from './log/new-id.ts'
import { projections } from './projections/index.ts'
import { allTables } from './store/generations.ts'
import type { Store } from './store/store.ts'
import { createLogger } from './telemetry/logger.ts'
import { serveKeeping } from './threads/keys.ts'
import { appendThrough, serveAppends } from './threads/log.ts'
import { serveReads } from './threads/store.ts'
import type { Output } from './workers/outputs.ts'
import { startProjector } from './workers/projector.ts'
import { startRebuilder } from './workers/rebuilder.ts'

/*
 * What each thread beside the main one is made of:
 *
 *   log        writes the log: SQLite with group commit, or a producer to Kafka; and idempotency keys
 *   projector  the projections, into the read store, and their rebuilds
 *   reader     answers queries from the read store
 *   runner     runs jobs
 */
export type ThreadRole = 'log' | 'projector' | 'reader' | 'runner'

export interface ThreadData {
  role: ThreadRole
  config: Config
  /** For the log thread: where appends come from. For others: the log thread, or whoever asks. */
  ports: MessagePort[]
  /** For the log thread of a process with an edge: where idempotency keys to keep come from. */
  keeping?: MessagePort | undefined
}

/** Told by a thread once it works. */
export const READY = 'ready'
/** Told to a thread that it should end in order. */
export const STOP = 'stop'

/**
 * What threads tell: how far a stream is, by how many events; which streams are held; how far a rebuild is, and in how many
 * rows it differed that should not; which conflicts were found; how the thread's log is doing.
 */
export type News = Progressed | { stats: LogStats }
export type Progressed =
  | { progress: ReadonlyMap<string, { through: number; events: number }> }
  | { holding: readonly string[] }
  | { rebuilding: { projection: string; percent: number } }
  | { rebuilt: { projection: string; differing: number } }
  | { conflicts: readonly { type: string; policy: string }[] }
  | { taken: { accepted: number; rejected: number; bytes: number } }
  | { ended: { connector: string; status: 'success' | 'failure'; seconds: number } }

const threads: Record<ThreadRole, (data: ThreadData) => Promise<() => Promise<void>>> = {
  async log({ config, ports, keeping }) {
    const log = await openLog(config)
    tellStats(log)
    for (const port of ports) {
      serveAppends(port, log)
      if ('onCommit' in log) log.onCommit(grown => port.postMessage({ grown }))
    }
    if (!keeping) return () => log.stop()
    const keeper = await openKeeper(config)
    serveKeeping(keeping, keeper)
    return async () => {
      await keeper.stop()
      await log.stop()
    }
  },

  async projector({ config, ports: [toLog] }) {
    // Taking in comes first: the read model follows with what is left of the machine.
    setPriority(PROJECTOR_NICENESS)
    const own = await openLog(config, toLog)
    tellStats(own)
    const log = isEmbedded(config) ? appendThrough(toLog!, own) : own
    const store = await openStore(config, { readOnly: false, cacheMb: 64, walThread: true, log: own.id })
    await store.declare(projections.flatMap(({ tables }) => tables))
    await store.generations.adopt(projections)
    if (isEmbedded(config)) await requireWithinLog(own, store)
    const logger = createLogger(config.logLevel)
    const holding = new Map<string, readonly string[]>()
    // A read store in a file of this process's own needs every stream.
    const shared: Log = config.databaseUrl
      ? log
      : { ...log, share: (_group, topic, onStreams) => alone(log.streams(topic), onStreams) }
    const started = await Promise.all(
      projections.map(projection =>
        startProjector({
          log: shared,
          store,
          projection,
          logger,
          maxEvents: config.projectionEvents,
          maxBytes: config.projectionBytes,
          // From a file of one's own a row is read in a microsecond; with a log of one's own the heap is small.
          rememberedBytes: config.databaseUrl && !isEmbedded(config) ? config.projectionRemembered : 0,
          keep:
            config.versionKeepSeconds < 0 ? undefined : { ms: config.versionKeepSeconds * 1000, forget: store.forget },
          onHolding(topic, streams) {
            holding.set(topic, streams)
            tell({ holding: [...holding.values()].flat() })
          },
          onProgress: tellProgress,
          onAppended: outputs => tell({ conflicts: conflictsAmong(outputs) }),
        }),
      ),
    )
    const commands = await startCommands(log, logger)
    const rebuilder = await startRebuilder({
      ...{ log: shared, store, projections, commands, logger },
      maxEvents: config.projectionEvents,
      maxBytes: config.projectionBytes,
      // Live rows wait for it.
      atOnce: Math.min(config.projectionEvents, REBUILT_EVENTS),
      newId: () => newId('reb', 16),
      onProgress: (projection, percent) => tell({ rebuilding: { projection, percent } }),
      onRebuilt: (projection, differing) => tell({ rebuilt: { projection, differing } }),
    })
    return async () => {
      await rebuilder.stop()
      await commands.stop()
      await Promise.all(started.map(projector => projector.stop()))
      await store.stop()
      await own.stop()
    }
  },

  async runner(data) {
    // Loaded where it runs: what it brings along, users' schemas and expressions, is heavy in every thread.
    const { startRunnerThread } = await import('./runner-thread.ts')
    return startRunnerThread(data, tell, tellProgress, tellStats)
  },

  async reader({ config, ports: [port] }) {
    const store = await openStore(config, { readOnly: true, cacheMb: 16 })
    serveReads(port!, store, allTables(projections.flatMap(({ tables }) => tables)))
    return () => store.stop()
  },
}

/** Throws for rows of events that the log does not have: those that come in their place would never be in the rows. */
async function requireWithinLog(log: Log, store: Store): Promise<void> {
  for (const { name, topics } of projections) {
    const beyond = await beyondLog(log, topics, await store.checkpoints([name]))
    if (!beyond) continue
    const why = `the rows of ${name} are from a later state of the log: ${beyond}`
    throw new DomainError('CONFLICT', `${why}; put the later log back, or start with an empty read store`)
  }
}

function conflictsAmong(outputs: readonly Output[]) {
  return outputs.flatMap(({ type, event }) =>
    type === 'ConflictDetected' ? [{ type: event.conflict_type, policy: event.policy }] : [],
  )
}

const PROJECTOR_NICENESS = 5
const REBUILT_EVENTS = 2500
const STATS_MS = 1000

function tell(news: News): void {
  parentPort!.postMessage(news)
}

let untold = new Map<string, { through: number; events: number }>()

/** Quiet streams advance with every commit of the log: what a turn of the event loop brings is told together. */
function tellProgress(stream: string, through: number, events: number): void {
  if (untold.size === 0) {
    setImmediate(() => {
      const progress = untold
      untold = new Map()
      tell({ progress })
    })
  }
  untold.set(stream, { through, events: (untold.get(stream)?.events ?? 0) + events })
}

function tellStats(log: Log): void {
  setInterval(() => tell({ stats: log.stats() }), STATS_MS).unref()
}

if (process.env.CRASH_AT) crashAt(process.env.CRASH_AT, () => process.kill(process.pid, 'SIGKILL'))

if (parentPort && workerData?.role) {
  const data = workerData as ThreadData
  const stop = await threads[data.role](data)
  parentPort.on('message', async message => {
    if (message !== STOP) return
    await stop()
    // What the last commit has answered goes out before.
    await new Promise(resolve => setImmediate(resolve))
    process.exit(0)
  })
  parentPort.postMessage(READY)
}
