import { turn } from '../kernel/pause.ts'
import type { Log, Page } from '../log/log.ts'
import type { AnyProjection } from '../projections/index.ts'
import { type Generation, storeBeside } from '../store/generations.ts'
import type { Store } from '../store/store.ts'
import { projectStreams } from './projector.ts'

export interface FillingOptions {
  log: Log
  store: Store
  projection: AnyProjection
  /** Most events and bytes that are read at once. */
  maxEvents: number
  maxBytes: number
  /** Most events in one transaction: commits of live rows wait for it where a store has room for one. */
  atOnce: number
}

/** A generation that is being filled from the first event, or from where it was left. */
export interface Filling {
  /** The claims that it is filled under, by stream. */
  readonly epochs: ReadonlyMap<string, number>
  /** How far it has come in each stream. */
  readonly reached: ReadonlyMap<string, number>
  /** Events that it has taken in since it was started. */
  readonly taken: number
  /** Fills on to exactly these offsets, the live rows' own; false when that takes longer than `ms`. Rejects when filling fails. */
  reach(offsets: ReadonlyMap<string, number>, ms?: number): Promise<boolean>
  /** Lets the transactions under way finish; aborting does it too. */
  stop(): Promise<void>
}

/**
 * Fills a generation, or a store of its own, with the machinery that fills the live rows, but for its tables and checkpoints, and up to given
 * offsets only, so that it is never ahead. Nothing is put out: what these events put out is in the log already.
 */
export function startFilling(
  options: FillingOptions,
  generation: Generation | undefined,
  signal: AbortSignal,
): Filling {
  const { log, store, projection, ...limits } = options
  const stopping = new AbortController()
  const epochs = new Map<string, number>()
  const reached = new Map<string, number>()
  const looking = new Set<() => void>()
  let caps: ReadonlyMap<string, number> = new Map()
  let failure: { error: unknown } | undefined
  let taken = 0
  let raised = Promise.withResolvers<void>()

  async function read(...[stream, after, limits]: Parameters<Log['read']>): Promise<Page> {
    const before = raised.promise
    const cap = caps.get(stream.name) ?? -1
    if (after < cap) return upTo(cap, await log.read(stream, after, limits))
    await before
    return { events: [], through: after }
  }

  const beside = generation ? storeBeside(store, generation.number, epochs) : store
  const filling = projectStreams(
    {
      ...limits,
      projection,
      log: { ...log, read, own: async () => Number.POSITIVE_INFINITY },
      store: {
        ...beside,
        async commit(...commit) {
          await beside.commit(...commit)
          // Live rows, and whoever asks it to stop.
          await turn()
        },
      },
      onProgress(stream, through, events) {
        reached.set(stream, through)
        taken += events
        for (const look of looking) look()
      },
    },
    projection.topics.flatMap(topic => log.streams(topic)),
    stopping.signal,
  ).catch(error => {
    failure = { error }
    for (const look of looking) look()
  })

  function raise(offsets: ReadonlyMap<string, number>): void {
    caps = offsets
    raised.resolve()
    raised = Promise.withResolvers()
  }

  const stop = (): Promise<void> => {
    stopping.abort()
    raised.resolve()
    for (const look of looking) look()
    return filling
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) void stop()

  return {
    epochs,
    reached,
    get taken() {
      return taken
    },
    reach(offsets, ms) {
      raise(offsets)
      return new Promise((resolve, reject) => {
        const there = () => [...offsets].every(([stream, offset]) => (reached.get(stream) ?? -1) >= offset)
        const end = (settle: () => void) => {
          clearTimeout(timer)
          looking.delete(look)
          settle()
        }
        const look = () => {
          if (failure) end(() => reject(failure!.error))
          else if (stopping.signal.aborted) end(() => reject(stopping.signal.reason))
          else if (there()) end(() => resolve(true))
        }
        const timer = ms === undefined ? undefined : setTimeout(() => end(() => resolve(false)), ms)
        looking.add(look)
        look()
      })
    },
    stop() {
      signal.removeEventListener('abort', stop)
      return stop()
    },
  }
}

/** A page without the events after an offset. */
function upTo(cap: number, { events, through }: Page): Page {
  if (through <= cap) return { events, through }
  let end = events.length
  while (end > 0 && events[end - 1]!.offset > cap) end--
  return { events: events.slice(0, end), through: cap }
}
