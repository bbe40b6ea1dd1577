import { setPriority } from 'node:os'
import { isEmbedded, openFiles, openLog, openSecrets, openStore } from './adapters.ts'
import { createGuard } from './catalog/reach/guard.ts'
import { deriveKeys } from './edge/auth/keys.ts'
import { loadSecrets } from './edge/auth/secrets.ts'
import { createGrow } from './intake/growth.ts'
import { createRules } from './intake/rules.ts'
import { timeOrderedId } from './kernel/id.ts'
import { augmentLimits, formatLimits, rowLimits, translatorOf } from './limits.ts'
import { createCodec } from './log/codec.ts'
import { startCommands } from './log/commands.ts'
import type { Log } from './log/log.ts'
import { followView } from './log/view.ts'
import { evolveSettings, type SettingsView } from './projections/settings.ts'
import type { FileStore } from './store/files.ts'
import { createLogger, type Logger } from './telemetry/logger.ts'
import type { News, ThreadData } from './thread.ts'
import { appendThrough } from './threads/log.ts'
import { readDatasets } from './workers/datasets-then.ts'
import { startRunner } from './workers/runner.ts'

/** How a thread tells the main one how it is doing. */
type Tell = (news: News) => void

/** Above the projector's: what a run brings has to be projected too, which takes longer than bringing it. */
const RUNNER_NICENESS = 15
const SWEEP_MS = 3_600_000
const PAGE_BYTES = 4_194_304
const READ_CACHE_MB = 16

/** Runs jobs until what it gives back is called. */
export async function startRunnerThread(
  { config, ports: [toLog] }: ThreadData,
  tell: Tell,
  tellProgress: (stream: string, through: number, events: number) => void,
  tellStats: (log: Log) => void,
): Promise<() => Promise<void>> {
  // Where nobody is answered and nothing is projected there is nothing more urgent.
  if (config.roles.length > 1) setPriority(RUNNER_NICENESS)
  const own = await openLog(config, toLog)
  tellStats(own)
  const log = isEmbedded(config) ? appendThrough(toLog!, own) : own
  const logger = createLogger(config.logLevel)
  const settings = new Map() as SettingsView
  const followed = followView(log, 'sync.datasets', logger, ({ type, data }) => evolveSettings(settings, type, data))
  await followed.caughtUp()
  const secrets = await openSecrets(config, deriveKeys(loadSecrets(config).encryptionKey).sealing)
  const rules = createRules(settings, rowLimits(config), secrets)
  await rules.prepare()
  followed.onChange(() => void rules.prepare().catch(error => logger.error({ err: error }, 'secrets cannot be read')))
  const files = await openFiles(config)
  const keepFiles = () => removeOldFiles(files, config.fileKeepSeconds, logger)
  void keepFiles()
  const sweeping = setInterval(keepFiles, SWEEP_MS).unref()
  const commands = await startCommands(log, logger)
  const datasets = readDatasets({
    ...{ log, waitMs: config.answerMs, augmentation: augmentLimits(config), translator: translatorOf(config) },
    dilution: { groups: config.dilutionGroups, remembered: config.rememberedRows },
    openStore: () => openStore(config, { readOnly: true, cacheMb: READ_CACHE_MB }),
  })
  const runner = await startRunner({
    ...{ log, logger, commands, files, codec: createCodec(log) },
    ...{ rules, grow: createGrow({ ...followed, view: settings }, commands) },
    rulesReady: () => followed.caughtUp().then(() => rules.prepare()),
    // A page is a transaction of its own on Kafka, and has to fit into memory with what it becomes.
    limits: {
      pageRows: config.runRows,
      pageBytes: PAGE_BYTES,
      maxDepth: config.jsonDepth,
      maxRecordBytes: config.lineBytes,
      formatLimits: formatLimits(config),
      answerBytes: config.answerBytes,
      answerMs: config.answerMs,
      rowLimits: rowLimits(config),
      retries: config.retries,
    },
    guard: createGuard(config.allowPrivate),
    secrets,
    brokers: config.kafkaBrokers,
    folders: { allowed: config.sqliteFolders, own: config.dataDir },
    concurrency: { open: config.openRuns, runs: config.runs, threads: config.fileRuns, memory: config.datasetRuns },
    datasets,
    onTaken: taken => tell({ taken }),
    onEnded: (connector, status, seconds) => tell({ ended: { connector, status, seconds } }),
    onHolding: streams => tell({ holding: streams.map(({ name }) => name) }),
    onProgress: (stream, through) => tellProgress(stream, through, 0),
  })
  return async () => {
    clearInterval(sweeping)
    await runner.stop()
    await datasets.stop()
    await commands.stop()
    await followed.stop()
    await files.stop()
    await secrets.stop()
    await own.stop()
  }
}

/** A file that is no longer wanted by its job, or never was. */
async function removeOldFiles(files: FileStore, keepSeconds: number, logger: Logger): Promise<void> {
  const oldest = timeOrderedId('file', Date.now() - keepSeconds * 1000, new Uint8Array(12))
  await files.removeBefore(oldest).catch(error => logger.warn({ err: error }, 'old files could not be removed'))
}
