import type { Events } from '../events/index.ts'
import { passPoint } from '../kernel/points.ts'
import type { Emit, Projection, Source } from '../kernel/projection.ts'
import type { Slots } from '../kernel/slots.ts'
import { keyText } from '../log/batch.ts'
import type { Codec } from '../log/codec.ts'
import type { EventBatch, Log, Page, Stream } from '../log/log.ts'
import { isReplaced, type Store, type TableChange } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { collectOutputs, type Output } from './outputs.ts'
import type { Remembered, rowMemory } from './remembered-rows.ts'
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
  /** Most bytes of rows that are remembered, so that they need not be read from the store before each change. */
  rememberedBytes?: number
  /** Most events in one transaction, where that is less than are read at once. */
  atOnce?: number
  /** Told which streams of a topic are projected here from now on, by name. */
  onHolding: (topic: string, streams: readonly string[]) => void
  /** Told how far each stream has been projected, and how many events that took. */
  onProgress: (stream: string, through: number, events: number) => void
}

/** Text of rows that one transaction works on: a row may hold a megabyte, whatever its event holds. */
const ROW_BYTES = 16 * 1024 * 1024
/** Text of rows that others have followed, which one transaction keeps as versions: each may be a megabyte, too. */
const MOST_VERSION_BYTES = 16 * 1024 * 1024
/** Bytes of outputs that one transaction makes: a small event may have a large row of a conflict in them. */
const MOST_OUTPUT_BYTES = 16 * 1024 * 1024

/** What the streams of a projector share. */
export interface Work<Name extends keyof Events> extends Omit<ProjectorOptions<Name>, 'logger' | 'onHolding'> {
  readonly codec: Codec
  readonly slots: Slots
  readonly forgetting: Slots
  readonly memory: ReturnType<typeof rowMemory> | undefined
}

/** A stream that is held. */
export interface Held {
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
  /** Rows that this claim has written. */
  remembered: Remembered | undefined
}

/** Projects as many events of a page as a transaction has room for; gives back where the next one begins. */
export async function project<Name extends keyof Events>(
  work: Work<Name>,
  held: Held,
  page: Page,
  from: number,
): Promise<number> {
  const { log, store, projection, onAppended: tell } = work
  const { stream, group, epoch } = held
  const { to, changes, outputs, keyed, remember } = await workOut(work, held, page, from)
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
  remember()
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
  /** To be called once they are in the store. */
  remember: () => void
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
  return { to, changes: working.changes(), outputs: outputs.take(), keyed: outputs.keyed, remember: working.remember }
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
    const working = workingSet(projection.tables, held.remembered?.of)
    for (const source of sources) projection.wants(source, working.want)
    // One event has its rows whatever their size, so that each transaction comes further.
    const { rows, all } = await working.load(store, sources.length === 1 ? Number.POSITIVE_INFINITY : ROW_BYTES)
    held.atOnce = all
      ? Math.min(most, Math.max(held.atOnce, sources.length + (sources.length >> 2) + 1))
      : Math.max(1, Math.min(rows, sources.length) >> 1)
    if (all) return { sources, working }
  }
}
