import type { Events } from '../events/index.ts'
import { pause } from '../kernel/pause.ts'
import { isTotal } from '../kernel/position.ts'
import { createSlots } from '../kernel/slots.ts'
import { createCodec } from '../log/codec.ts'
import type { Log, Stream } from '../log/log.ts'
import { isReplaced } from '../store/store.ts'
import { forgetVersions } from './forgetting.ts'
import { type Held, type ProjectorOptions, project, type Work } from './project-page.ts'
import { rowMemory } from './remembered-rows.ts'
import { shareOut } from './share-out.ts'

const WAIT_MS = 500
/**
 * A transaction of a few events costs hardly less than one of a hundred. So after one of fewer than these a stream's next
 * one begins this much later than it did, milliseconds, with all that has come meanwhile. Who was idle begins at once.
 */
const FEW_EVENTS = 100
const LINGER_MS = 5
/** Streams of a projection that are worked on at once: each holds rows in memory meanwhile. */
const STREAMS_AT_ONCE = 4

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

function workOf<Options extends { log: Log; rememberedBytes?: number }>(options: Options) {
  const memory = options.rememberedBytes ? rowMemory(options.rememberedBytes) : undefined
  const slots = { slots: createSlots(STREAMS_AT_ONCE), forgetting: createSlots(1) }
  return { ...options, codec: createCodec(options.log), memory, ...slots }
}

/** A group shares the streams of one topic: a member that follows another topic would be given some, and leave them. */
function groupOf({ name, topics }: { name: string; topics: readonly string[] }, topic: string): string {
  return topics.length === 1 ? `projector-${name}` : `projector-${name}-${topic}`
}

/** Follows a stream until `signal` aborts or something fails; a failure leaves it to begin again from the checkpoints. */
async function follow<Name extends keyof Events>(work: Work<Name>, stream: Stream, signal: AbortSignal): Promise<void> {
  const { log, projection, maxEvents, atOnce = maxEvents } = work
  const group = groupOf(projection, stream.topic)
  const told = await log.own(group, stream)
  const held: Held = { stream, group, epoch: 0, after: -1, told, atOnce, remembered: undefined }
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
  const { store, projection, keep, memory } = work
  const { epoch, offset } = await store.claim(projection.name, held.stream.name)
  held.epoch = epoch
  // A checkpoint does not move over what is of other topics.
  held.after = Math.max(offset, held.after)
  const works = [(until: AbortSignal) => readOn(work, held, until)]
  if (keep) works.push(until => forgetVersions(work, held, keep, until))
  held.remembered = memory?.begin(projection.tables, held.stream.name)
  try {
    await together(works, signal)
  } finally {
    held.remembered?.end()
  }
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
    const began = performance.now()
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
    const lingers = LINGER_MS - (performance.now() - began)
    if (page.events.length < FEW_EVENTS && lingers > 0) await pause(lingers, signal)
  }
}
