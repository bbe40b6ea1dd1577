import { createGuard } from '../../src/catalog/reach/guard.ts'
import { readConfig } from '../../src/config.ts'
import type { JobEvent } from '../../src/domain/job.ts'
import { createRules } from '../../src/intake/rules.ts'
import { formatLimits, rowLimits } from '../../src/limits.ts'
import { createCodec } from '../../src/log/codec.ts'
import { startCommands } from '../../src/log/commands.ts'
import type { Log } from '../../src/log/log.ts'
import type { FileStore } from '../../src/store/files.ts'
import type { SecretStore } from '../../src/store/secrets.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startDecider } from '../../src/workers/decider.ts'
import { startRunner } from '../../src/workers/runner.ts'
import { readTopic } from './events.ts'
import { until } from './processes.ts'

const logger = createLogger('silent')
const nothing = () => undefined

/** All that has happened to jobs. */
export async function jobEvents(log: Log): Promise<JobEvent[]> {
  const codec = createCodec(log)
  const all = await readTopic(log, 'sync.jobs')
  await codec.prepare(all)
  return all.map(({ value }) => codec.decode(value) as JobEvent)
}

/** The names of a log's job events, once one of `last` is among them. */
export async function jobEventsWith(log: Log, ...last: JobEvent['type'][]): Promise<JobEvent['type'][]> {
  return until(`${last.join(' or ')} to be in the log`, async () => {
    const types = (await jobEvents(log)).map(({ type }) => type)
    return types.some(type => last.includes(type)) && types
  })
}

/** Decides commands until it is stopped. */
export function startTestDecider(log: Log): Promise<{ stop(): Promise<void> }> {
  return startDecider({ log, logger, onHolding: nothing, onProgress: nothing })
}

/** Runs jobs into data sets without rules, until it is stopped. */
export async function startTestRunner(log: Log, files = {} as FileStore): Promise<{ stop(): Promise<void> }> {
  const config = readConfig({})
  const commands = await startCommands(log, logger)
  const runner = await startRunner({
    ...{ log, logger, commands, codec: createCodec(log), files },
    rules: createRules(new Map(), rowLimits(config), { get: async () => undefined }),
    rulesReady: async () => undefined,
    grow: async () => undefined,
    limits: {
      ...{ pageRows: 100, pageBytes: 1_000_000, maxDepth: config.jsonDepth, maxRecordBytes: config.lineBytes },
      ...{ formatLimits: formatLimits(config), rowLimits: rowLimits(config), retries: config.retries },
      ...{ answerBytes: config.answerBytes, answerMs: config.answerMs },
    },
    ...{ guard: createGuard(''), secrets: {} as SecretStore, brokers: [], folders: { allowed: '/', own: '/nowhere' } },
    datasets: undefined as never,
    concurrency: { open: config.openRuns, runs: config.runs, threads: config.fileRuns, memory: config.datasetRuns },
    ...{ onTaken: nothing, onEnded: nothing, onHolding: nothing, onProgress: nothing },
  })
  return {
    async stop() {
      await runner.stop()
      await commands.stop()
    },
  }
}

/**
 * A log for one runner, which sees events `lagMs` late, and may die: from then on it gets no answer any more, and nothing of
 * it is written.
 */
export function mortal(log: Log, lagMs = 0) {
  let diedAt: number | undefined
  const died = Promise.withResolvers<void>()
  const die = () => {
    diedAt ??= Date.now()
    died.resolve()
  }
  let dying: 'before' | 'after' | undefined
  const forever = new Promise<never>(nothing)
  const unlessDead = <Result>(result: Result) => (diedAt === undefined ? result : forever)
  const alive = <Result>(work: () => Promise<Result>) => (diedAt === undefined ? work().then(unlessDead) : forever)
  const over: Log = {
    ...log,
    read: (...args) =>
      alive(async () => {
        const page = await log.read(...args)
        if (page.events.length > 0 && lagMs > 0) await new Promise(resolve => setTimeout(resolve, lagMs))
        return page
      }),
    own: (...args) => alive(() => log.own(...args)),
    ends: (...args) => alive(() => log.ends(...args)),
    written: (...args) => alive(() => log.written(...args)),
    append(batches, options) {
      if (dying && diedAt === undefined && batches.some(({ topic }) => topic === 'sync.commands')) {
        if (dying === 'after') void log.append(batches, options)
        die()
      }
      return alive(() => log.append(batches, options))
    },
  }
  return {
    log: over,
    /** Milliseconds since 1970; undefined while it lives. */
    get diedAt() {
      return diedAt
    },
    /** Lets it die when it next sends a command: before that is in the log, or right after. */
    dieAtCommand(when: 'before' | 'after') {
      dying = when
    },
    die,
    died: died.promise,
  }
}
