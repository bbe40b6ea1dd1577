import type { Events } from '../events/index.ts'
import { passPoint } from '../kernel/points.ts'
import { isTotal } from '../kernel/position.ts'
import type { Emit, Projection, Source } from '../kernel/projection.ts'
import { createSlots, type Slots } from '../kernel/slots.ts'
import { keyText } from '../log/batch.ts'
import { type Codec, createCodec } from '../log/codec.ts'
import type { EventBatch, Log, Page, Stream } from '../log/log.ts'
import { isReplaced, type Store, type TableChange } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { forgetVersions } from './forgetting.ts'
import { collectOutputs, type Output } from './outputs.ts'
import { shareOut } from './share-out.ts'
import { type WorkingSet, workingSet } from './working-set.ts'

export interface ProjectorOptions<Name extends keyof Events> {
  log: Log
  store: Pick<Store, 'parallel' | 'claim' | 'load' | 'commit'>
  // biome-ignore lint/suspicious/noExplicitAny: each projection knows what it puts out
  projection: Projection<Events[Name], any>
  /** Leads the outputs of a topic to another one. */
  redirect?: (topic: string) => string
  /** Told of outputs with keys of their own, such as conflicts, once they are in the log. */
  onAppended?: (outputs: readonly Output[]) => void
  logger: Logger
  /** Most events and bytes in one transaction: it grows with the backlog up to these. */
  maxEvents: number
  maxBytes: number
  /** How long it is kept what rows were, milliseconds, and what forgets it; for ever unless said. */
  keep?: { ms: number; forget: Store['forget'] } | undefined
  /** Most events in one transaction, where that is less than are read at once. */
  atOnce?: number
  /** Told which streams of a topic are projected here from now on, by name. */
  onHolding: (topic: string, streams: readonly string[]) => void
  /** Told how far each stream has been projected, and how many events that took. */
  onProgress: (stream: string, through: number, events: number) => void
}

const WAIT_MS = 500
/** Streams of a projection that are worked on at once: each holds rows in memory meanwhile. */
const STREAMS_AT_ONCE = 4
/** Text of rows that one transaction works on: a row may hold a megabyte, whatever its event holds. */
const ROW_BYTES = 16 * 1024 * 1024
/** Text of rows that others have followed, which one transaction keeps as versions: each may be a megabyte, too. */
const MOST_VERSION_BYTES = 16 * 1024 * 1024
/** Bytes of outputs that one transaction makes: a small event may have a large row of a conflict in them. */
const MOST_OUTPUT_BYTES = 16 * 1024 * 1024

/**
 * Keeps a read model up with its topics. For each page of a stream: read the rows it touches, fold the events over
 * them, append the outputs to the log, then commit rows and checkpoint in one transaction. The outputs carry the
 * group's checkpoint in the log, so after a crash between the two they are not appended again; the rows are worked out
 * again, and are the same.
 *
 * Projectors share the streams among them. One that holds a stream no longer, and does not know yet, can write neither:
 * whoever has taken over owns the outputs' checkpoint and has claimed the rows'.
 */
export async function startProjector<Name extends keyof Events>(
  options: ProjectorOptions<Name>,
): Promise<{ stop(): Promise<void> }> {
  const { log, projection, logger } = options
  const work = workOf(options)
  const shares = projection.topics.map(topic =>
    shareOut({
      log,
      group: groupOf(projection, topic),
      topic,
      logger,
      onHolding: streams =>
        options.onHolding(
          topic,
          streams.map(({ name }) => name),
        ),
      run: (stream, signal) => follow(work, stream, signal),
    }),
  )
  const joined = await Promise.all(shares)
  return {
    async stop() {
      await Promise.all(joined.map(each => each.stop()))
    },
  }
}

/**
 * Follows streams without sharing them with anybody, until `signal` aborts. Rejects with the first failure, once the
 * others have ended too.
 */
export async function projectStreams<Name extends keyof Events>(
  options: Omit<ProjectorOptions<Name>, 'logger' | 'onHolding'>,
  streams: readonly Stream[],
  signal: AbortSignal,
): Promise<void> {
  const work = workOf(options)
  const failing = new AbortController()
  const either = AbortSignal.any([signal, failing.signal])
  let failure: { error: unknown } | undefined
  const following = streams.map(stream =>
    follow(work, stream, either).catch(error => {
      if (!either.aborted) failure = { error }
      failing.abort()
    }),
  )
  await Promise.all(following)
  if (failure) throw failure.error
}

function workOf<Options extends { log: Log }>(options: Options) {
  const slots = { slots: createSlots(STREAMS_AT_ONCE), forgetting: createSlots(1) }
  return { ...options, codec: createCodec(options.log), ...slots }
}

/** A group shares the streams of one topic: a member that follows another topic would be given some, and leave them. */
function groupOf({ name, topics }: { name: string; topics: readonly string[] }, topic: string): string {
  return topics.length === 1 ? `projector-${name}` : `projector-${name}-${topic}`
}

/** What the streams of a projector share. */
interface Work<Name extends keyof Events> extends Omit<ProjectorOptions<Name>, 'logger' | 'onHolding'> {
  readonly codec: Codec
  readonly slots: Slots
  readonly forgetting: Slots
}

/** A stream that is held. */
interface Held {
  readonly stream: Stream
  readonly group: string
  /** Of the claim under which its rows are written. */
  epoch: number
  /** Up to where it has been read, and all of that projected. */
  after: number
  /** Up to where its outputs are in the log, from this process or one before: those are not appended again. */
  told: number
  /** Most events whose rows are read at once. */
  atOnce: number
}

/** Follows a stream until `signal` aborts or something fails; a failure leaves it to begin again from the checkpoints. */
async function follow<Name extends keyof Events>(work: Work<Name>, stream: Stream, signal: AbortSignal): Promise<void> {
  const { log, projection, maxEvents, atOnce = maxEvents } = work
  const group = groupOf(projection, stream.topic)
  const told = await log.own(group, stream)
  const held: Held = { stream, group, epoch: 0, after: -1, told, atOnce }
  while (!signal.aborted) {
    try {
      await followHeld(work, held, signal)
    } catch (error) {
      // Rebuilt rows have come in between. Nobody else has the stream: it goes on from these.
      if (!isReplaced(error)) throw error
    }
  }
}

/** Follows a stream under one claim, until rebuilt rows come in between. */
async function followHeld<Name extends keyof Events>(work: Work<Name>, held: Held, signal: AbortSignal): Promise<void> {
  const { store, projection, keep } = work
  const { epoch, offset } = await store.claim(projection.name, held.stream.name)
  held.epoch = epoch
  // A checkpoint does not move over what is of other topics.
  held.after = Math.max(offset, held.after)
  const works = [(until: AbortSignal) => readOn(work, held, until)]
  if (keep) works.push(until => forgetVersions(work, held, keep, until))
  await together(works, signal)
}

/** Does all of it until `signal` aborts, or one of them fails: then the others end first. */
async function together(
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  await Promise.all(works.map(work => work(either).catch(error => failed.abort({ error }))))
  if (failed.signal.aborted) throw failed.signal.reason.error
}

async function readOn<Name extends keyof Events>(work: Work<Name>, held: Held, signal: AbortSignal): Promise<void> {
  const { log, store, projection, codec, slots, maxEvents, maxBytes, onProgress } = work
  const { stream, epoch } = held
  // In a log of one order what lies between the events of a topic is of other topics.
  const own = !isTotal(log.place(stream, 0))
  onProgress(stream.name, held.after, 0)
  while (!signal.aborted) {
    const page = await log.read(stream, held.after, { maxEvents, maxBytes, waitMs: WAIT_MS, signal })
    await codec.prepare(page.events)
    for (let from = 0; from < page.events.length; ) {
      from = await slots.take(signal, () => project(work, held, page, from))
    }
    const moved = page.through > held.after || page.events.length > 0
    // Nothing but a transaction that was given up: who asks the checkpoint would wait for the rest of it for ever.
    if (own && moved && page.events.length === 0) {
      const passed = { projection: projection.name, stream: stream.name, offset: page.through, epoch }
      await slots.take(signal, () => store.commit([], passed, Promise.resolve()))
    }
    held.after = page.through
    if (moved) onProgress(stream.name, page.through, page.events.length)
  }
}

/** Projects as many events of a page as a transaction has room for; gives back where the next one begins. */
async function project<Name extends keyof Events>(
  work: Work<Name>,
  held: Held,
  page: Page,
  from: number,
): Promise<number> {
  const { log, store, projection, onAppended: tell } = work
  const { stream, group, epoch } = held
  const { to, changes, outputs, keyed } = await workOut(work, held, page, from)
  passPoint('projector.worked-out')
  const offset = to === page.events.length ? page.through : page.events[to - 1]!.offset
  const onAppended = () => {
    held.told = offset
    if (keyed.length > 0) tell?.(keyed)
    passPoint('projector.changes-appended')
  }
  const consumed = { group, stream, offset }
  const appended = outputs.length === 0 ? Promise.resolve() : log.append(outputs, { consumed }).then(onAppended)
  // The commit below awaits it, but perhaps later than it fails.
  appended.catch(() => undefined)
  // While a store with room for one waits inside a commit nobody else can use it: good when there is nobody else.
  if (!store.parallel && log.streams(stream.topic).length > 1) await appended
  try {
    await store.commit(changes, { projection: projection.name, stream: stream.name, offset, epoch }, appended)
  } catch (error) {
    // What the store has not waited for: else the same outputs would be appended once more, and refused.
    if (isReplaced(error)) await appended
    throw error
  }
  passPoint('projector.committed')
  return to
}

interface WorkedOut {
  /** The first event that there was no room for. */
  to: number
  changes: TableChange[]
  outputs: EventBatch[]
  /** Those with keys of their own. */
  keyed: readonly Output[]
}

/** Works out what the next events of a page do to the rows, as many events as there is room for. */
async function workOut<Name extends keyof Events>(
  work: Work<Name>,
  held: Held,
  page: Page,
  from: number,
): Promise<WorkedOut> {
  const { projection, codec, redirect } = work
  const { sources, working } = await readRows(work, held, page, from)
  const outputs = collectOutputs(codec, held.stream.partition, sources.length, redirect)
  let to = from
  let told = false
  const emit: Emit<Events> = (type, make, key) => {
    if (!told) outputs.add(type, make(), page.events[to]!.key, key)
  }
  for (const source of sources) {
    const { type, data } = codec.read(page.events[to]!)
    told = source.offset <= held.told
    projection.evolve(working, data as Events[Name], source, type, emit)
    to++
    if (outputs.size >= MOST_OUTPUT_BYTES || working.followedBytes >= MOST_VERSION_BYTES) break
  }
  return { to, changes: working.changes(), outputs: outputs.take(), keyed: outputs.keyed }
}

/**
 * Reads the rows of the next events of a page, all at once: sorted by key, neighbours are in one place of the file.
 * Where they have too much text it is fewer events, from then on until more fit again.
 */
async function readRows<Name extends keyof Events>(
  { store, projection, atOnce: most = Number.POSITIVE_INFINITY }: Work<Name>,
  held: Held,
  { events }: Page,
  from: number,
): Promise<{ sources: readonly Source[]; working: WorkingSet }> {
  for (;;) {
    const sources = events
      .slice(from, from + held.atOnce)
      .map(event => ({ stream: held.stream.name, offset: event.offset, key: keyText(event) }))
    const working = workingSet(projection.tables)
    for (const source of sources) projection.wants(source, working.want)
    // One event has its rows whatever their size, so that each transaction comes further.
    const { rows, all } = await working.load(store, sources.length === 1 ? Number.POSITIVE_INFINITY : ROW_BYTES)
    held.atOnce = all
      ? Math.min(most, Math.max(held.atOnce, sources.length + (sources.length >> 2) + 1))
      : Math.max(1, Math.min(rows, sources.length) >> 1)
    if (all) return { sources, working }
  }
}
