import type { Position } from '../../kernel/position.ts'
import type { Services } from '../services.ts'
import {
  CHANGES,
  createSeen,
  decodeChanges,
  type Seen,
  SOURCES,
  seekSource,
  sourceStream,
  sourcesOf,
} from './changes.ts'
import type { Filter } from './filter.ts'
import type { Hub } from './hub.ts'
import { changeMessage } from './messages.ts'

const PAGE = { maxEvents: 1000, maxBytes: 2_097_152, waitMs: 0 }
/** Once this near to the live end, it is time to join it. */
const NEAR = 2000
const LOOK_AGAIN_MS = 5
const NEVER = new AbortController().signal
/** Most messages that may gather while joining, however short; past it joining begins again from further on. */
const MAX_GATHERED = 5000

/** What catching up answers when there is nothing to catch up with: the position lies beyond the log's end. */
export const BEYOND = 'beyond the end of the log'

export interface Receiver {
  readonly matches: Filter
  /** False once the subscription has ended. */
  alive(): boolean
  send(text: string): void
  /** Resolves when the client has room for more; undefined when it has. */
  room(): Promise<void> | undefined
}

/**
 * Sends a subscriber every change after `since`, in pages, while live goes on for the others, and makes it live without
 * a gap or a repeat: near the end it lets the hub gather what comes new, reads up to where gathering began, sends what
 * was gathered, and calls `goLive` in the same breath.
 */
export async function catchUp(
  services: Services,
  hub: Hub,
  since: Position,
  receiver: Receiver,
  goLive: () => void,
): Promise<typeof BEYOND | undefined> {
  const { log, codec } = services
  if (!(await untilChangesReach(services, hub, since, receiver))) return BEYOND
  const sources = sourcesOf(log, since)
  const seen = createSeen(log, sources)
  const cursors = new Map<string, number>()
  for (const stream of log.streams(CHANGES)) {
    const source = sources.get(sourceStream(log, stream).name) ?? -1
    cursors.set(stream.name, await seekSource(log, codec, stream, source, hub.cursors.get(stream.name)!))
  }
  const behind = (target: ReadonlyMap<string, number>) =>
    [...target].reduce((sum, [name, end]) => sum + Math.max(0, end - cursors.get(name)!), 0)
  const read = (target: ReadonlyMap<string, number>) => readUpTo(services, hub, target, cursors, seen, receiver)

  while (receiver.alive()) {
    while (receiver.alive() && behind(hub.cursors) > NEAR) await read(new Map(hub.cursors))
    const gathered = gatherer(services.config.socketBufferBytes)
    const joining = { matches: receiver.matches, onChange: gathered.add }
    const target = new Map(hub.cursors)
    hub.joining.add(joining)
    try {
      await read(target)
    } finally {
      hub.joining.delete(joining)
    }
    if (gathered.overflown) continue
    if (!receiver.alive()) return undefined
    for (const text of gathered.texts) receiver.send(text)
    goLive()
    return undefined
  }
  return undefined
}

/** Keeps messages while there are not too many and their text is not longer than `maxLength`, and then none. */
export function gatherer(maxLength: number) {
  const texts: string[] = []
  let length = 0
  let overflown = false
  return {
    texts,
    get overflown() {
      return overflown
    },
    add(text: string) {
      length += text.length
      overflown ||= texts.length === MAX_GATHERED || length > maxLength
      if (overflown) texts.length = 0
      else texts.push(text)
    },
  }
}

/**
 * Waits until the hub has passed every change up to `since`. A receipt may be ahead of the projector; going live before
 * it has caught up would send changes that lie before `since`. False when the projector is at the log's end and that is
 * not as far: the log was put back to an earlier state, and the position was given out by what is lost.
 */
async function untilChangesReach(
  { progress, log }: Services,
  hub: Hub,
  since: Position,
  receiver: Receiver,
): Promise<boolean> {
  for (let reached = false; !reached && receiver.alive(); ) {
    reached = await progress.wait(since, [SOURCES]).then(
      () => true,
      () => false,
    )
    if (reached) break
    const behind = log.streams(SOURCES).map(stream => log.lag(stream, progress.reached.get(stream.name) ?? -1))
    if ((await Promise.all(behind)).every(events => events === 0)) return false
  }
  const ends = await log.ends(CHANGES)
  while (receiver.alive() && [...ends].some(([name, end]) => hub.cursors.get(name)! < end)) {
    await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
  }
  return true
}

async function readUpTo(
  { log, codec }: Services,
  hub: Hub,
  target: ReadonlyMap<string, number>,
  cursors: Map<string, number>,
  seen: Seen,
  receiver: Receiver,
): Promise<void> {
  for (const stream of log.streams(CHANGES)) {
    const end = target.get(stream.name)!
    while (receiver.alive() && cursors.get(stream.name)! < end) {
      const after = cursors.get(stream.name)!
      // One page in a turn of the event loop, whoever catches up: reading and decoding leave no room for anything else.
      const { page, changes } = await hub.reading.take(NEVER, async () => {
        await new Promise(resolve => setImmediate(resolve))
        const read = await log.read(stream, after, PAGE)
        return { page: read, changes: await decodeChanges(codec, read) }
      })
      for (const { offset, change } of changes) {
        if (offset > end) break
        if (!seen.take(change) || !receiver.matches(change)) continue
        receiver.send(changeMessage(change, seen.position()))
        const room = receiver.room()
        if (room) await room
        if (!receiver.alive()) return
      }
      // Nothing up to the end that is known to be there: only what compaction or transactions left behind.
      cursors.set(stream.name, page.events.length === 0 ? Math.max(page.through, end) : Math.min(page.through, end))
    }
  }
}
