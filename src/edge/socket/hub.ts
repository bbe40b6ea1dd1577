import { createSlots, type Slots } from '../../kernel/slots.ts'
import { type Follower, followStream } from '../../log/follow.ts'
import type { Page, Stream } from '../../log/log.ts'
import type { Services } from '../services.ts'
import { CHANGES, createSeen, decodeChanges, type Seen, type SeenChange, sourceStream } from './changes.ts'
import { compileFilter, compileJobFilter, type Filter, type FilterSpec, filterKey, type JobFilter } from './filter.ts'
import { JOBS, jobNews } from './jobs.ts'
import { changeMessage } from './messages.ts'
import type { Turns } from './turns.ts'

const LINGER_MS = 30_000
const LIMITS = { maxEvents: 5000, maxBytes: 4_194_304 }

/** Subscribers with the same filter: they share a topic, and each change is encoded once for all of them. */
export interface Group {
  readonly topic: string
  readonly matches: Filter
  readonly matchesJob: JobFilter
  members: number
}

/** A subscription that is about to become live and wants to miss nothing on the way. */
export interface Joining {
  readonly matches: Filter
  onChange(text: string): void
}

/** The live end of `sync.changes`: follows it while anyone listens, and publishes each change to the groups it matches. */
export interface Hub {
  /** Begins to follow, if it does not yet; resolves when it does. */
  start(): Promise<void>
  /** How far it has come in each stream of changes. */
  readonly cursors: ReadonlyMap<string, number>
  position(): string
  join(spec: FilterSpec): Group
  leave(group: Group): void
  readonly joining: Set<Joining>
  /** Whose turn it is to read a page of the past. */
  readonly reading: Slots
  stop(): Promise<void>
}

export function createHub(
  services: Omit<Services, 'live'>,
  turns: Turns,
  publish: (topic: string, text: string) => void,
): Hub {
  const { log, codec, logger, metrics } = services
  const groups = new Map<string, Group>()
  const joining = new Set<Joining>()
  const cursors = new Map<string, number>()
  let seen: Seen = createSeen(log, new Map())
  let followers: Follower[] = []
  let starting: Promise<void> | undefined
  let resting: Promise<unknown> = Promise.resolve()
  let topics = 0
  // When nobody listens, decoding every change for no one would cost as much as for everyone: it rests, after a while.
  let lingering: NodeJS.Timeout | undefined

  async function start(): Promise<void> {
    // Those of before would set the cursors back.
    await resting
    const ends = await log.ends(CHANGES)
    const sources = new Map<string, number>()
    for (const stream of log.streams(CHANGES)) {
      const end = ends.get(stream.name)!
      cursors.set(stream.name, end)
      sources.set(sourceStream(log, stream).name, await lastSource(stream, end))
    }
    seen = createSeen(log, sources)
    const jobEnds = await log.ends(JOBS)
    const follow = (stream: Stream, after: number, onPage: (page: Page) => Promise<void>) =>
      followStream({ log, stream, after, logger, ...LIMITS, onPage })
    followers = [
      ...log.streams(CHANGES).map(stream => follow(stream, cursors.get(stream.name)!, page => take(stream, page))),
      ...log.streams(JOBS).map(stream => follow(stream, jobEnds.get(stream.name)!, takeJobs)),
    ]
  }

  /** They carry the position of the changes so far: a client that continues from there misses none of those. */
  async function takeJobs(page: Page): Promise<void> {
    for (const news of await jobNews(codec, page)) {
      while (!turns.hasRoom(0)) await turns.next()
      turns.take()
      for (const { matchesJob, members, topic } of groups.values()) {
        if (members > 0 && news.matches(matchesJob)) publish(topic, news.text(seen.position()))
      }
    }
  }

  /** Looks back for the last change: places at the end may hold none, for Kafka's marks of transactions take some. */
  async function lastSource(stream: Stream, end: number): Promise<number> {
    for (let back = 1; ; back *= 2) {
      const from = Math.max(-1, end - back)
      let source = -1
      for (let after = from; after < end; ) {
        const page = await log.read(stream, after, { ...LIMITS, waitMs: 0 })
        source = (await decodeChanges(codec, page)).at(-1)?.change.source_offset ?? source
        if (page.through <= after) break
        after = page.through
      }
      if (source >= 0 || from < 0) return source
    }
  }

  async function take(stream: Stream, page: Page): Promise<void> {
    for (const change of await decodeChanges(codec, page)) {
      // As bytes its text may be three times as long.
      while (!turns.hasRoom(change.change.changes.length * 3)) await turns.next()
      deliver(stream, change)
    }
    cursors.set(stream.name, page.through)
  }

  function deliver(stream: Stream, { offset, change }: SeenChange): void {
    cursors.set(stream.name, offset)
    if (!seen.take(change)) return
    let text: string | undefined
    const encoded = () => {
      text ??= changeMessage(change, seen.position())
      return text
    }
    for (const { matches, members, topic } of groups.values()) {
      if (members > 0 && matches(change)) publish(topic, encoded())
    }
    for (const each of joining) if (each.matches(change)) each.onChange(encoded())
    if (text === undefined) return
    turns.take()
    metrics.deliveries.inc()
  }

  async function rest(): Promise<void> {
    const ending = followers
    followers = []
    starting = undefined
    resting = Promise.all(ending.map(follower => follower.stop()))
    await resting
  }

  return {
    cursors,
    joining,
    reading: createSlots(1),
    start() {
      starting ??= start().catch(error => {
        starting = undefined
        throw error
      })
      return starting
    },
    position: () => seen.position(),
    join(spec) {
      const key = filterKey(spec)
      let group = groups.get(key)
      if (!group) {
        group = {
          topic: `changes/${topics++}`,
          matches: compileFilter(spec),
          matchesJob: compileJobFilter(spec),
          members: 0,
        }
        groups.set(key, group)
      }
      clearTimeout(lingering)
      group.members++
      return group
    },
    leave(group) {
      group.members--
      if (group.members > 0) return
      for (const [key, each] of groups) if (each === group) groups.delete(key)
      if (groups.size === 0) lingering = setTimeout(() => void rest(), LINGER_MS).unref()
    },
    stop() {
      clearTimeout(lingering)
      return rest()
    },
  }
}
