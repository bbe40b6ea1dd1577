import { DomainError } from '../kernel/errors.ts'
import { pause, turn } from '../kernel/pause.ts'
import { passPoint } from '../kernel/points.ts'
import { eventsAfter, isShortened } from '../log/progress.ts'
import type { AnyProjection } from '../projections/index.ts'
import { allTables, type Generation, type Hold, type Snapshot } from '../store/generations.ts'
import type { Store } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Compared, compareGeneration } from './compare.ts'
import { type Filling, type FillingOptions, startFilling } from './filling.ts'

export interface RebuildOptions extends FillingOptions {
  readonly logger: Logger
  /** The rebuild's id: one that was left half-way is gone on with under the same. */
  readonly rebuild: string
  /** Told now and then how many events have been taken in, of how many. */
  readonly onProgress: (done: number, total: number) => void
}

/** What came of a rebuild. */
export interface Rebuilt extends Compared {
  readonly version: number
  readonly version_before: number
}

/** So many events are done in a moment for which live commits can wait. */
const NEAR_EVENTS = 5000
/** How long they wait for it at most, and how often that is tried. */
const CATCH_UP_MS = 3000
const TRIES = 30
const RETRY_MS = 1000
const TELL_MS = 500

/**
 * Makes a projection's rows anew from the first event, compares them with the live ones and puts them in their place.
 * Rejects when `signal` aborts, and when something fails: begun again it goes on from where it was.
 */
export async function rebuildProjection(options: RebuildOptions, signal: AbortSignal): Promise<Rebuilt> {
  const { store, projection, rebuild } = options
  signal.throwIfAborted()
  const { generations } = store
  const all = (await generations.list()).filter(each => each.projection === projection.name)
  const ours = all.find(each => each.rebuild === rebuild && each.state !== 'old')
  // It was put in place, and nobody was told.
  if (ours?.state === 'live') return JSON.parse(ours.result!)
  const generation = ours && fits(ours, projection) ? ours : await begin(options)
  passPoint('rebuild.begun')
  await generations.mark(generation, 'filling')
  const filling = startFilling(options, generation, signal)
  let stopTelling = () => undefined as unknown
  try {
    stopTelling = await tellProgress(options, generation, filling)
    await fillUp(options, filling, signal)
    const compared = await compare(options, generation, filling, signal)
    await generations.mark(generation, 'swapping')
    const before = all.find(({ state }) => state === 'live')!.version
    const rebuilt = { ...compared, version: projection.version, version_before: before }
    await held(options, filling, signal, async hold => {
      passPoint('rebuild.held')
      await hold.swap(generation, filling.epochs, JSON.stringify(rebuilt))
    })
    passPoint('rebuild.swapped')
    return rebuilt
  } finally {
    stopTelling()
    await filling.stop()
  }
}

/** Keeps telling how far it is. The log is counted once: what a rebuild takes in it counts itself. */
async function tellProgress(options: RebuildOptions, generation: Generation, filling: Filling): Promise<() => void> {
  const { log, store, projection, logger, onProgress } = options
  const { topics } = projection
  const ends = new Map((await Promise.all(topics.map(topic => log.ends(topic)))).flatMap(streams => [...streams]))
  const all = await eventsAfter(log, topics, new Map())
  const before = all - (await eventsAfter(log, topics, generation.offsets))
  let telling = false
  const tell = async () => {
    if (telling) return
    telling = true
    try {
      const done = before + filling.taken
      const total = Math.max(done, all + (await eventsAfter(log, topics, ends)))
      onProgress(done, total)
      await store.generations.tell(generation, done, total)
    } catch (error) {
      // It fails by itself, if this does not pass.
      logger.warn({ err: error, projection: projection.name }, 'how far a rebuild is could not be told')
    } finally {
      telling = false
    }
  }
  await tell()
  const timer = setInterval(tell, TELL_MS)
  return () => clearInterval(timer)
}

/** Whether a generation that was begun before is of this version, and the same tables. */
function fits({ version, tables }: Generation, projection: AnyProjection): boolean {
  const names = allTables(projection.tables).map(({ name }) => name)
  return version === projection.version && tables.join() === names.join()
}

function begin({ store, projection, rebuild }: RebuildOptions): Promise<Generation> {
  const { name, version, tables } = projection
  return store.generations.begin({ projection: name, version, tables, rebuild, at: Date.now() })
}

/** Fills until there is so little left that it can be done while live commits wait. */
async function fillUp(options: RebuildOptions, filling: Filling, signal: AbortSignal): Promise<void> {
  const { log, store, projection } = options
  for (let left = Number.POSITIVE_INFINITY; left > NEAR_EVENTS; ) {
    signal.throwIfAborted()
    await filling.reach(await store.checkpoints([projection.name]))
    const live = await store.checkpoints([projection.name])
    const [ours, theirs] = [filling.reached, live].map(offsets => eventsAfter(log, projection.topics, offsets))
    left = (await ours!) - (await theirs!)
  }
}

/** Holds the live rows, fills up to exactly where they are, and does something then. */
async function held<Result>(
  options: RebuildOptions,
  filling: Filling,
  signal: AbortSignal,
  work: (hold: Hold) => Promise<Result>,
): Promise<Result> {
  const { store, projection, logger } = options
  for (let tries = 1; ; tries++) {
    let hold: Hold | undefined
    try {
      hold = await store.generations.hold(projection.name, projection.tables)
      if (await filling.reach(hold.checkpoints, CATCH_UP_MS)) return await work(hold)
      throw new DomainError('UNAVAILABLE', `more than ${CATCH_UP_MS} ms of events have come meanwhile`)
    } catch (error) {
      const passing = error instanceof DomainError && error.code === 'UNAVAILABLE'
      if (!passing || tries === TRIES || signal.aborted) throw error
      logger.warn({ err: error, projection: projection.name, tries }, 'the live rows could not be held, trying again')
    } finally {
      await hold?.release().catch(error => logger.debug({ err: error }, 'the hold had ended already'))
    }
    await pause(RETRY_MS, signal)
    await fillUp(options, filling, signal)
  }
}

/** Compares both generations as they are at one moment, in which they include the same events. */
async function compare(
  options: RebuildOptions,
  generation: Generation,
  filling: Filling,
  signal: AbortSignal,
): Promise<Compared> {
  const { log, store, projection } = options
  await store.generations.mark(generation, 'comparing')
  const snapshot = await held(options, filling, signal, hold => snapshotOf(options, hold))
  try {
    passPoint('rebuild.comparing')
    const shortened = await isShortened(log, projection.topics)
    return await compareGeneration(snapshot, generation, allTables(projection.tables), shortened, signal)
  } finally {
    await snapshot.close()
  }
}

/** What is there while the live rows are held: a hold that the store has taken back meanwhile has kept nothing as it was. */
async function snapshotOf({ store, projection }: RebuildOptions, { checkpoints }: Hold): Promise<Snapshot> {
  const snapshot = await store.generations.snapshot()
  let same = false
  try {
    const there = await snapshot.checkpoints([projection.name])
    same = there.size === checkpoints.size && [...there].every(([stream, offset]) => checkpoints.get(stream) === offset)
  } finally {
    if (!same) await snapshot.close()
  }
  if (!same) throw new DomainError('UNAVAILABLE', `${projection.name} has gone on while it was held`)
  return snapshot
}

/** Removes old generations, and those that nobody wants, a piece at a time. */
export async function removeOld(
  store: Store,
  wanted: (generation: Generation) => boolean,
  signal: AbortSignal,
): Promise<void> {
  for (const generation of await store.generations.list()) {
    if (generation.state === 'live' || (generation.state !== 'old' && wanted(generation))) continue
    while (!signal.aborted && (await store.generations.removeSome(generation))) await turn()
  }
}
