import { z } from 'zod'
import { invalid } from '../../../kernel/errors.ts'
import type { Position, ReadFrom } from './client.ts'
import type { RecordedEvent } from './reading.ts'

/** How far a stream, or `$all`, is read. */
export interface Place {
  /** What to read next. */
  readonly from: ReadFrom
  /** Whether an event is still to come: a read of `$all` begins with the event that was the last. */
  isBefore(original: RecordedEvent): boolean
  /** Whether it is further than an event is. */
  isPast(original: RecordedEvent): boolean
  /** Moves on to an event. Answers the revision that was wanted, where it is no longer there. */
  moveTo(original: RecordedEvent): bigint | undefined
  /** What a page carries. */
  state(): object
  /** How many events there are to read in this run, from its beginning. */
  total(): number | null
}

/** Revisions and positions are 64 bits wide: a number where a JavaScript number holds them, text where not. -1: none. */
const whole = z.union([z.int().min(-1), z.string().regex(/^(-1|\d{1,20})$/)])
const streamState = z.object({ stream: z.string().optional(), revision: whole, run_after: whole.optional() })
const allState = z.object({ stream: z.literal('$all').optional(), commit: whole, prepare: whole })

function shortened(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value)
}

function parsed<T>(schema: z.ZodType<T>, state: unknown, expected: string): T {
  const found = schema.safeParse(state)
  if (!found.success) throw invalid('state', `expected ${expected}`)
  return found.data
}

/** The stream that a state is of; undefined when it does not say. */
export function streamOfState(state: unknown): string | undefined {
  const { stream } = (state ?? {}) as { stream?: unknown }
  return typeof stream === 'string' ? stream : undefined
}

/** `start`: the first revision to read, when there is no state. `head`: the last there is, -1 for none. */
export function placeInStream(stream: string, state: unknown, start: bigint, head: bigint | undefined): Place {
  const given = state === undefined ? undefined : parsed(streamState, state, '{"revision": number}')
  let last = given ? BigInt(given.revision) : start - 1n
  let runAfter = given?.run_after === undefined ? last : BigInt(given.run_after)
  return {
    get from() {
      return last < 0n ? 'start' : { revision: last + 1n }
    },
    isBefore: original => BigInt(original.getStreamRevision()) > last,
    isPast: original => BigInt(original.getStreamRevision()) < last,
    moveTo(original) {
      const wanted = last + 1n
      last = BigInt(original.getStreamRevision())
      if (last === wanted) return undefined
      runAfter += last - wanted
      return wanted
    },
    state: () => ({ stream, revision: shortened(last), run_after: shortened(runAfter) }),
    total() {
      if (head === undefined) return null
      return Number((head > last ? head : last) - runAfter)
    },
  }
}

/** `start`: the first position to read, when there is no state. */
export function placeInAll(state: unknown, start: Position | undefined): Place {
  const given = state === undefined ? undefined : parsed(allState, state, '{"commit": number, "prepare": number}')
  let last = given && { commit: BigInt(given.commit), prepare: BigInt(given.prepare) }
  if (last && last.commit < 0n) last = undefined
  return {
    get from() {
      return last ?? start ?? 'start'
    },
    isBefore: original => !last || isLater(positionOf(original), last),
    isPast: original => isLater(last ?? start ?? positionOf(original), positionOf(original)),
    moveTo(original) {
      last = positionOf(original)
      return undefined
    },
    state: () => ({
      stream: '$all',
      commit: shortened(last?.commit ?? -1n),
      prepare: shortened(last?.prepare ?? -1n),
    }),
    total: () => null,
  }
}

function positionOf(event: RecordedEvent): Position {
  return { commit: BigInt(event.getCommitPosition()), prepare: BigInt(event.getPreparePosition()) }
}

function isLater(a: Position, b: Position): boolean {
  return a.commit > b.commit || (a.commit === b.commit && a.prepare > b.prepare)
}
