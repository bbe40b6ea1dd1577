import type { Command } from '../domain/deciders.ts'
import type { RebuildRequested } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import { pause } from '../kernel/pause.ts'
import { type Codec, createCodec } from '../log/codec.ts'
import type { Commands } from '../log/commands.ts'
import type { Log, Stream } from '../log/log.ts'
import type { AnyProjection } from '../projections/index.ts'
import type { Store } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Rebuilt, rebuildProjection, removeOld } from './rebuild.ts'
import { shareOut } from './share-out.ts'

const REBUILDS = 'sync.projections'
const GROUP = 'rebuilder'
const LIMITS = { maxEvents: 1000, maxBytes: 1_048_576 }
/** How often in a row a rebuild may fail without having come further before it is given up. */
const MOST_FAILURES = 5
const RETRY_MS = 1000

export interface RebuilderOptions {
  log: Log
  store: Store
  projections: readonly AnyProjection[]
  commands: Commands
  logger: Logger
  maxEvents: number
  maxBytes: number
  /** Most events in one transaction. */
  atOnce: number
  /** A new id for a rebuild that nobody has asked for. */
  newId: () => string
  /** Told how much of a rebuild is done, in percent, and what came of it. */
  onProgress: (projection: string, percent: number) => void
  onRebuilt: (projection: string, differing: number) => void
}

/** Rebuilds that were asked for and have not ended, by projection, in the order that they were asked for. */
type UnderWay = Map<string, RebuildRequested>

/**
 * Makes read models anew that somebody asks for, and those whose rows are of an earlier version than this code, one after
 * the other. Of all the processes on a log one does it, and another goes on when that one ends: the claims of the
 * generation's checkpoints keep out whoever had it before.
 */
export function startRebuilder(options: RebuilderOptions): Promise<{ stop(): Promise<void> }> {
  const { log, logger } = options
  const run = (stream: Stream, signal: AbortSignal) => work(options, stream, signal)
  return shareOut({ log, group: GROUP, topic: REBUILDS, logger, onHolding: () => undefined, run })
}

async function work(options: RebuilderOptions, stream: Stream, signal: AbortSignal): Promise<void> {
  const { log, store } = options
  const codec = createCodec(log)
  const underWay: UnderWay = new Map()
  let after = -1
  const readOn = async (waitMs: number) => {
    const page = await log.read(stream, after, { ...LIMITS, waitMs, signal })
    await take(codec, underWay, page.events)
    after = page.through
  }
  const [end] = (await log.ends(REBUILDS)).values()
  while (after < end! && !signal.aborted) await readOn(1000)
  await removeOld(store, each => underWay.get(each.projection)?.rebuild_id === each.rebuild, signal)
  await askForNewVersions(options, underWay, signal)
  while (!signal.aborted) {
    const [next] = underWay.values()
    if (!next) await readOn(1000)
    else {
      await perform(options, next, signal)
      // Its end may be yet to come in the log.
      if (!signal.aborted) underWay.delete(next.projection)
      await removeOld(store, each => underWay.get(each.projection)?.rebuild_id === each.rebuild, signal)
    }
  }
}

async function take(
  codec: Codec,
  underWay: UnderWay,
  events: Awaited<ReturnType<Log['read']>>['events'],
): Promise<void> {
  await codec.prepare(events)
  for (const { value } of events) {
    const { type, data } = codec.decode(value)
    if (type === 'RebuildRequested') underWay.set(data.projection, data)
    else if (type === 'RebuildCompleted' || type === 'RebuildFailed') {
      if (underWay.get(data.projection)?.rebuild_id === data.rebuild_id) underWay.delete(data.projection)
    }
  }
}

/** Asks for a rebuild of each projection whose rows an earlier version has made. */
async function askForNewVersions(options: RebuilderOptions, underWay: UnderWay, signal: AbortSignal): Promise<void> {
  const { store, projections, logger, newId } = options
  for (const { projection, state, version } of await store.generations.list()) {
    const code = projections.find(({ name }) => name === projection)
    if (state !== 'live' || !code || code.version <= version || underWay.has(projection)) continue
    logger.info({ projection, version, code: code.version }, 'the rows are of an earlier version, making them anew')
    const data = { rebuild_id: newId(), projection, reason: 'version' }
    while (!signal.aborted && !(await send(options, { type: 'RequestRebuild', data }))) await pause(RETRY_MS, signal)
  }
}

/**
 * Sends a command. What is refused was decided otherwise meanwhile, and is as good as done; false when nobody decides
 * at the moment.
 */
async function send({ commands, logger }: RebuilderOptions, command: Command): Promise<boolean> {
  const { projection, rebuild_id } = command.data as { projection: string; rebuild_id: string }
  try {
    await commands.send(`projection/${projection}`, command, { actor: 'projector', requestId: rebuild_id })
    return true
  } catch (error) {
    if (!(error instanceof DomainError) || (error.code !== 'CONFLICT' && error.code !== 'UNAVAILABLE')) throw error
    logger.info({ err: error, projection, command: command.type }, 'a command about a rebuild was not taken')
    return error.code === 'CONFLICT'
  }
}

async function perform(options: RebuilderOptions, asked: RebuildRequested, signal: AbortSignal): Promise<void> {
  const { projections, logger, onProgress, onRebuilt } = options
  const { rebuild_id, projection: name } = asked
  const projection = projections.find(each => each.name === name)
  const failed = (error: string): Command => ({ type: 'FailRebuild', data: { rebuild_id, projection: name, error } })
  if (!projection) return tell(options, failed(`this version has no projection ${name}`), signal)
  let reached = -1
  for (let failures = 0; !signal.aborted; ) {
    let now = reached
    try {
      const rebuilt = await rebuildProjection(
        {
          ...options,
          projection,
          rebuild: rebuild_id,
          onProgress(done, total) {
            now = done
            onProgress(name, percentOf(done, total))
          },
        },
        signal,
      )
      report(logger, name, rebuilt)
      onRebuilt(name, rebuilt.version === rebuilt.version_before ? rebuilt.differing : 0)
      const { tables, ...rest } = rebuilt
      const data = { rebuild_id, projection: name, ...rest, compared: JSON.stringify(tables) }
      return tell(options, { type: 'CompleteRebuild', data }, signal)
    } catch (error) {
      if (signal.aborted) return
      // Somebody else is at it: who holds the stream finds out when it takes it again.
      if (error instanceof DomainError && error.code === 'CONFLICT') throw error
      failures = now > reached ? 1 : failures + 1
      reached = Math.max(now, reached)
      logger.error({ err: error, projection: name, rebuild: rebuild_id, failures }, 'a rebuild failed')
      onProgress(name, 0)
      if (failures >= MOST_FAILURES) return tell(options, failed((error as Error).message.slice(0, 500)), signal)
      await pause(RETRY_MS, signal)
    }
  }
}

async function tell(options: RebuilderOptions, command: Command, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await send(options, command))) await pause(RETRY_MS, signal)
}

function report(logger: Logger, projection: string, { rows, differing, gone, tables, ...versions }: Rebuilt): void {
  const same = versions.version === versions.version_before
  // Which rows is in the event: a log line holds nobody's keys.
  const counts = tables.map(({ keys: _, ...each }) => each)
  const told = { projection, ...versions, rows, differing, gone, tables: counts }
  // By the same code from the same events: the live rows were not as they should have been.
  if (same && differing > 0)
    logger.error(told, 'live rows were not what follows from the events; the rebuilt ones are read now')
  else logger.info(told, 'a read model was made anew')
}

/** In percent with one decimal. */
function percentOf(done: number, total: number): number {
  return total === 0 ? 100 : Math.round((done / total) * 1000) / 10
}
