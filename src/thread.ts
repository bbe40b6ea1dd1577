import { setPriority } from 'node:os'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { isEmbedded, openKeeper, openLog, openStore } from './adapters.ts'
import type { Config } from './config.ts'
import { crashAt } from './kernel/points.ts'
import { alone } from './log/alone.ts'
import type { Log, LogStats } from './log/log.ts'
import { recordsProjection } from './projections/records.ts'
import { createLogger } from './telemetry/logger.ts'
import { serveKeeping } from './threads/keys.ts'
import { appendThrough, serveAppends } from './threads/log.ts'
import { serveReads } from './threads/store.ts'
import { startProjector } from './workers/projector.ts'

/*
 * What each thread beside the main one is made of:
 *
 *   log        writes the log: SQLite with group commit, or a producer to Kafka; and idempotency keys
 *   projector  the records projection, into the read store
 *   reader     answers queries from the read store
 */
export type ThreadRole = 'log' | 'projector' | 'reader'

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

/** What threads tell: how far a stream is, by how many events; which streams are held; how the thread's log is doing. */
export type News = Progressed | { stats: LogStats }
export type Progressed = { stream: string; through: number; events: number } | { holding: readonly string[] }

const threads: Record<ThreadRole, (data: ThreadData) => Promise<() => Promise<void>>> = {
  async log({ config, ports, keeping }) {
    const log = await openLog(config)
    tellStats(log)
    for (const port of ports) {
      serveAppends(port, log)
      if ('onCommit' in log) log.onCommit(head => port.postMessage({ head }))
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
    const store = await openStore(config, { readOnly: false, cacheMb: 64, log: own.id })
    await store.declare(recordsProjection.tables)
    const projector = await startProjector({
      // A read store in a file of this process's own needs every stream.
      log: config.databaseUrl
        ? log
        : { ...log, share: (_group, topic, onStreams) => alone(log.streams(topic), onStreams) },
      store,
      projection: recordsProjection,
      outputTopic: 'sync.changes',
      outputType: 'RecordChanged',
      logger: createLogger(config.logLevel),
      maxEvents: config.projectionEvents,
      maxBytes: config.projectionBytes,
      onHolding: streams => tell({ holding: streams.map(({ name }) => name) }),
      onProgress: (stream, through, events) => tell({ stream, through, events }),
    })
    return async () => {
      await projector.stop()
      await store.stop()
      await own.stop()
    }
  },

  async reader({ config, ports: [port] }) {
    const store = await openStore(config, { readOnly: true, cacheMb: 16 })
    serveReads(port!, store)
    return () => store.stop()
  },
}

const PROJECTOR_NICENESS = 10
const STATS_MS = 1000

function tell(news: News): void {
  parentPort!.postMessage(news)
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
    process.exit(0)
  })
  parentPort.postMessage(READY)
}
