import { pause } from '../../kernel/pause.ts'
import type { Codec } from '../../log/codec.ts'
import type { Log } from '../../log/log.ts'
import { readEvents, type Seen } from './events.ts'
import { type Asked, endsOf, inOneOrder, type Named, placesOf, type Range, timeIn } from './range.ts'

const LOOK_AGAIN_MS = 50
/** Bytes that are kept of each stream: a follower stays for long. */
const PAGE_BYTES = 65_536
/** How long after a time an event may show that was taken in by then. */
const SETTLED_MS = 1000

/** Where topics end, for many who ask again and again. */
export type Ends = (topics: readonly string[]) => Promise<ReadonlyMap<string, number>>

/** Asks the log for those that the same topics have in common once, and no sooner again than after a moment. */
export function shareEnds(log: Log): Ends {
  const asked = new Map<string, { at: number; ends: Promise<ReadonlyMap<string, number>> }>()
  return topics => {
    const name = topics.join()
    const now = performance.now()
    const last = asked.get(name)
    if (last && now - last.at < LOOK_AGAIN_MS) return last.ends
    for (const [each, { at }] of asked) if (now - at > LOOK_AGAIN_MS) asked.delete(each)
    const ends = endsOf(log, topics)
    asked.set(name, { at: now, ends })
    return ends
  }
}

export interface Following {
  readonly log: Log
  readonly codec: Codec
  readonly ends: Ends
  readonly asked: Asked
  readonly range: Range
  /** Where it ends, which may lie ahead. */
  readonly to: Named | undefined
  readonly signal: AbortSignal
}

/**
 * Reads a part of history and then what comes, until `to` or for ever. Gives an empty group whenever there is nothing
 * more for now. Where the log has an order for each stream only, what has come since the last look is told by time.
 * Throws GONE when retention takes events before they are read.
 */
export async function* followEvents(following: Following): AsyncGenerator<readonly Seen[]> {
  const { log, codec, ends, asked, to, signal } = following
  const last = to && (await endAt(log, asked.topics, to))
  let { after, through } = following.range
  for (let asOf = Date.now(); ; ) {
    if ([...through].some(([name, offset]) => offset > (after.get(name) ?? -1))) {
      yield* readEvents(log, codec, asked, { after, through }, signal, PAGE_BYTES)
      after = new Map([...through].map(([name, offset]) => [name, Math.max(offset, after.get(name) ?? -1)]))
    }
    yield []
    if (signal.aborted || last?.passed(after, asOf)) return
    await pause(LOOK_AGAIN_MS, signal)
    asOf = Date.now()
    const [reached, most] = await Promise.all([ends(asked.topics), last?.places()])
    through = most ? new Map([...reached].map(([name, end]) => [name, Math.min(end, most.get(name) ?? -1)])) : reached
  }
}

interface End {
  places(): Promise<ReadonlyMap<string, number>>
  /** Whether nothing more is to come, when all has been read up to `reached` that was there at the time `asOf`. */
  passed(reached: ReadonlyMap<string, number>, asOf: number): boolean
}

async function endAt(log: Log, topics: readonly string[], to: Named): Promise<End> {
  const time = timeIn(to)
  if (time !== undefined)
    return { places: () => placesOf(log, topics, to), passed: (_, asOf) => asOf > time + SETTLED_MS }
  const [places, ends] = await Promise.all([placesOf(log, topics, to), endsOf(log, topics)])
  // Given out, it is in the log. Brokers may show it a moment later.
  const open = inOneOrder(log, topics) ? [] : [...places].filter(([name, place]) => place > ends.get(name)!)
  return { places: async () => places, passed: reached => open.every(([name, place]) => reached.get(name)! >= place) }
}
