import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { isEmbedded, openLog } from './adapters.ts'
import type { Config } from './config.ts'
import { holdDataDir } from './data-dir.ts'
import { startAccess } from './edge/auth/access.ts'
import { deriveKeys } from './edge/auth/keys.ts'
import { loadSecrets } from './edge/auth/secrets.ts'
import { createTokens } from './edge/auth/tokens.ts'
import { startCommands } from './edge/commands.ts'
import { createHealth } from './edge/health.ts'
import { createLimits } from './edge/limits.ts'
import { createProgress } from './edge/progress.ts'
import { createReceipts } from './edge/receipts.ts'
import { startEdge } from './edge/server.ts'
import { createCodec } from './log/codec.ts'
import { recordsProjection } from './projections/records.ts'
import { createLogger } from './telemetry/logger.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { type Progressed, READY, type Role, STOP, type ThreadData } from './thread.ts'
import { appendThrough } from './threads/log.ts'
import { readThrough } from './threads/store.ts'
import { startDecider } from './workers/decider.ts'

/*
 * The composition root, top to bottom: the threads (thread.ts), then what runs on the main one, the decider and the
 * edge. The main thread reads the log itself and appends through the log thread.
 */

export interface Service {
  readonly url: string
  readonly credentialsFile: string | undefined
  stop(): Promise<void>
}

/** Starts the whole service in this process, and stops what it has started if a part fails. */
export async function startService(config: Config): Promise<Service> {
  const started: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const each of started.splice(0).reverse()) await each()
  }
  try {
    return { ...(await startParts(config, started)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startParts(config: Config, started: (() => Promise<void>)[]): Promise<Omit<Service, 'stop'>> {
  const held = holdDataDir(config.dataDir)
  started.push(async () => held.release())
  const logger = createLogger(config.logLevel)
  const metrics = createMetrics()
  const progress = createProgress()
  const secrets = loadSecrets(config)
  const [mainToLog, projectorToLog, toReader] = [new MessageChannel(), new MessageChannel(), new MessageChannel()]
  const onFailure = (role: Role, error: Error) => {
    // A thread that is gone takes its part of the service with it: better to end and be started again.
    logger.fatal({ err: error, role }, 'a thread failed')
    process.exit(1)
  }
  const thread = async (
    role: Role,
    ports: MessagePort[],
    onMessage: (message: Progressed) => void = () => undefined,
  ) => {
    started.push(await startThread({ role, config, ports }, onMessage, onFailure))
  }

  await thread('log', [mainToLog.port1, projectorToLog.port1])
  const log = appendThrough(mainToLog.port2, await openLog(config, mainToLog.port2))
  started.push(() => log.stop())
  // Nothing of these is in the read model until the projector says so.
  for (const topic of recordsProjection.topics) for (const { name } of log.streams(topic)) progress.advance(name, -1)
  await thread('projector', [projectorToLog.port2], ({ stream, through, events }) => {
    progress.advance(stream, through)
    metrics.projected.inc(events)
  })
  await thread('reader', [toReader.port1])

  const decider = await startDecider({ log, logger })
  started.push(() => decider.stop())
  const access = startAccess(log, logger, config.tokenSeconds)
  started.push(() => access.stop())
  const commands = await startCommands(log, logger)
  started.push(() => commands.stop())
  await access.caughtUp()

  const edge = await startEdge({
    config,
    logger,
    metrics,
    log,
    codec: createCodec(log),
    store: readThrough(toReader.port2),
    progress,
    commands,
    access,
    tokens: createTokens(deriveKeys(secrets.encryptionKey), config.tokenSeconds),
    limits: createLimits(),
    health: createHealth(log, progress, recordsProjection.topics, config.readyLag),
    completePosition: await createReceipts(log),
    admin: secrets.admin,
  })
  started.push(() => edge.stop())
  return { url: `http://${config.host}:${edge.port}/v1/sync`, credentialsFile: secrets.file }
}

type Heaps = Record<Role, { maxYoungGenerationSizeMb: number; maxOldGenerationSizeMb: number }>

/** Heaps in MB. A limit makes V8 collect before a thread has grown large, not only keeps it from growing without end. */
const EMBEDDED_HEAPS: Heaps = {
  log: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 },
  projector: { maxYoungGenerationSizeMb: 48, maxOldGenerationSizeMb: 256 },
  reader: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 },
}

/** Reading Kafka makes several objects a record: with a small young generation half the time goes into collecting. */
const KAFKA_HEAPS: Heaps = {
  ...EMBEDDED_HEAPS,
  projector: { maxYoungGenerationSizeMb: 96, maxOldGenerationSizeMb: 512 },
}

/** Starts a thread; resolves with what stops it once the thread says that it works. */
function startThread(
  data: ThreadData,
  onMessage: (message: Progressed) => void,
  onFailure: (role: Role, error: Error) => void,
): Promise<() => Promise<void>> {
  const worker = new Worker(fileURLToPath(new URL('./thread.ts', import.meta.url)), {
    workerData: data,
    transferList: data.ports,
    name: data.role,
    resourceLimits: (isEmbedded(data.config) ? EMBEDDED_HEAPS : KAFKA_HEAPS)[data.role],
  })
  let stopping = false
  const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()))
  return new Promise((resolve, reject) => {
    worker.on('error', error => {
      reject(error)
      if (!stopping) onFailure(data.role, error as Error)
    })
    worker.on('message', message => {
      if (message !== READY) return onMessage(message)
      resolve(() => {
        stopping = true
        worker.postMessage(STOP)
        return ended
      })
    })
  })
}
