import { createSlots, type Slots } from '../../kernel/slots.ts'
import { type Follower, followStream } from '../../log/follow.ts'
import type { Page, Stream } from '../../log/log.ts'
import type { Services } from '../services.ts'
import { createBreath } from './breath.ts'
import {
  CHANGES,
  createSeen,
  decodeChanges,
  positionOf,
  type Seen,
  SOURCES,
  sourceStream,
  type Told,
} from './changes.ts'
import { createConflation } from './conflate.ts'
import type { Filter, FilterSpec, JobFilter } from './filter.ts'
import { createGroups, type Group } from './groups.ts'
import { createJobReader, JOBS, type JobNews, newsText } from './jobs.ts'
import { textOf } from './messages.ts'
import { createPages, type Pages } from './pages.ts'
import type { Turns } from './turns.ts'

const LINGER_MS = 30_000
const LIMITS = { maxEvents: 5000, maxBytes: 4_194_304 }
/** The progress of a job is told so often: no one reads faster, and runs write it with every page. */
const PROGRESS_EVERY_MS = 250

/**
 * Who is told of what is new one by one and not through a topic: a subscription that is about to become live, or one
 * whose messages are not quite like those of others.
 */
export interface Listener {
  readonly matches: Filter
  readonly matchesJob: JobFilter
  /** `text` gives the message that everybody gets, with the position that everybody has. */
  onTold(told: Told, text: () => string): void
  onJob(news: JobNews): void
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
  readonly listeners: Set<Listener>
  /** The past, for those who catch up. */
  readonly pages: Pages
  /** Whose turn it is to be sent a page of the past. */
  readonly reading: Slots
  /** To be waited for before each piece of work on the past. */
  breathe(): Promise<void>
  stop(): Promise<void>
}

export function createHub(
  services: Omit<Services, 'live'>,
  turns: Turns,
  publish: (topic: string, text: string) => void,
): Hub {
  const { log, codec, logger, metrics } = services
  const groups = createGroups()
  const listeners = new Set<Listener>()
  const cursors = new Map<string, number>()
  const readJobs = createJobReader(services, () => groups.askFiles)
  const progress = createConflation(PROGRESS_EVERY_MS, tellJob)
  let seen: Seen = createSeen(log, new Map())
  let followers: Follower[] = []
  let starting: Promise<void> | undefined
  let resting: Promise<unknown> = Promise.resolve()
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

  async function takeJobs(page: Page): Promise<void> {
    for (const news of await readJobs(page)) {
      if (news.type === 'sync_progress') await progress.tell(news.jobId, news)
      else await progress.flush(news.jobId).then(() => tellJob(news))
    }
  }

  /** It carries the position of the changes so far: a client that continues from there misses none of those. */
  async function tellJob(news: JobNews): Promise<void> {
    while (!turns.hasRoom(0)) await turns.next()
    turns.take()
    let text: string | undefined
    groups.wantingJob(news, ({ topic }) => {
      text ??= newsText(news, seen.position())
      publish(topic, text)
    })
    for (const listener of listeners) if (listener.matchesJob(news)) listener.onJob(news)
  }

  /** Looks back for the last change: places at the end may hold none, for Kafka's marks of transactions take some. */
  async function lastSource(stream: Stream, end: number): Promise<number> {
    for (let back = 1; ; back *= 2) {
      const from = Math.max(-1, end - back)
      let source: number | undefined
      for (let after = from; after < end; ) {
        const page = await log.read(stream, after, { ...LIMITS, waitMs: 0 })
        source = (await decodeChanges(codec, page)).at(-1)?.place ?? source
        if (page.through <= after) break
        after = page.through
      }
      if (source !== undefined || from < 0) return source ?? -1
    }
  }

  async function take(stream: Stream, page: Page): Promise<void> {
    for (const told of await decodeChanges(codec, page)) {
      // As bytes its text may be three times as long.
      const length = told.type === 'RecordChanged' ? told.data.changes.length : 0
      while (!turns.hasRoom(length * 3)) await turns.next()
      deliver(stream, told)
    }
    cursors.set(stream.name, page.through)
  }

  function deliver(stream: Stream, told: Told): void {
    cursors.set(stream.name, told.offset)
    if (!seen.take(told)) return
    let known: string | undefined
    const text = () => {
      known ??= textOf(told, seen.position())
      return known
    }
    groups.wanting(told, ({ topic }) => publish(topic, text()))
    for (const listener of listeners) if (listener.matches(told)) listener.onTold(told, text)
    if (known === undefined) return
    turns.take()
    metrics.deliveries.inc()
  }

  async function rest(): Promise<void> {
    const ending = followers
    followers = []
    starting = undefined
    resting = Promise.all(ending.map(follower => follower.stop())).then(progress.stop)
    await resting
  }

  /** While it rests it is that of the read model, of which all has been told. */
  function position(): string {
    if (followers.length > 0) return seen.position()
    const { reached } = services.progress
    return positionOf(log, new Map(log.streams(SOURCES).map(({ name }) => [name, reached.get(name) ?? -1])))
  }

  return {
    cursors,
    listeners,
    pages: createPages(services),
    reading: createSlots(1),
    breathe: createBreath(),
    start() {
      starting ??= start().catch(error => {
        starting = undefined
        throw error
      })
      return starting
    },
    position,
    join(spec) {
      clearTimeout(lingering)
      return groups.join(spec)
    },
    leave(group) {
      groups.leave(group)
      if (groups.size === 0) lingering = setTimeout(() => void rest(), LINGER_MS).unref()
    },
    stop() {
      clearTimeout(lingering)
      return rest()
    },
  }
}
