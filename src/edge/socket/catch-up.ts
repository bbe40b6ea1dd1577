import { DomainError } from '../../kernel/errors.ts'
import type { Position } from '../../kernel/position.ts'
import type { Stream } from '../../log/log.ts'
import type { Services } from '../services.ts'
import { CHANGES, createSeen, type Seen, SOURCES, sourceStream, type Told } from './changes.ts'
import type { Filter } from './filter.ts'
import type { Hub, Listener } from './hub.ts'
import { encodeFor, type Text } from './messages.ts'
import { earliestKept } from './retention.ts'

/** Once this near to the live end, it is time to join it. */
const NEAR = 2000
const LOOK_AGAIN_MS = 5
/** How long those who wait for the hub to come as far as they are may be behind it. */
const TAIL_MS = 50
const NEVER = new AbortController().signal
/** Most messages that may gather while joining, however short; past it joining begins again from further on. */
const MAX_GATHERED = 5000
/** Length of the messages that are sent in one go, before it is seen how much of them waits. */
const LENGTH_AT_ONCE = 8192
/** And in one turn of the event loop: whoever is live waits no longer for his. */
const LENGTH_A_TURN = 131_072

/** One of the filters that a client catches up with. */
export interface Lane {
  readonly matches: Filter
  /** What it has already, in places of sources by stream. */
  after: ReadonlyMap<string, number>
  /** Pending until the hub is past all of that: whoever went live before would be told of what it has. */
  readonly reaching: ReadonlySet<Promise<unknown>>
}

/** Whoever catches up, with one filter or many, in step. */
export interface Receiver {
  lanes(): Iterable<Lane>
  /** False once there is nobody any more to send to. */
  alive(): boolean
  /** Sends in order; false when one was not taken, after which `alive` is false. */
  send(texts: readonly Text[]): boolean
  hasRoom(): boolean
  /** Resolves when the client may have room for more. */
  room(): Promise<void>
  /** Everything has been sent: what is published from now on is next. */
  goLive(): void
}

/** A client on its way from the past to the live end. */
export interface CatchUp {
  /** The position that includes all that has been sent, and nothing that is still to be. */
  readonly seen: Seen
  /** Resolves when it has gone live, or is not alive any more. */
  readonly done: Promise<void>
}

/**
 * Sends a client every message after `start`, in pages, while live goes on for the others, and makes it live without a
 * gap or a repeat: near the end it lets the hub gather what comes new, reads up to where gathering began, sends what was
 * gathered, and calls `goLive` in the same breath.
 */
export function catchUp(services: Services, hub: Hub, start: ReadonlyMap<string, number>, receiver: Receiver): CatchUp {
  const { log, config } = services
  const seen = createSeen(log, start)
  const cursors = new Map<string, number>()

  async function seek(): Promise<void> {
    const forgotten = await log.forgotten(CHANGES)
    for (const stream of log.streams(CHANGES)) {
      if (!receiver.alive()) return
      const place = start.get(sourceStream(log, stream).name) ?? -1
      const end = hub.cursors.get(stream.name)!
      const found = await turn(() => hub.pages.seek(stream, place, end))
      cursors.set(stream.name, Math.max(found, forgotten.get(stream.name)!))
    }
    if (await earliestKept(services, { log: log.id, offsets: start })) throw tooOld()
  }

  /** Does a piece of work in a turn of the event loop, whoever catches up: each leaves no room for anything else. */
  function turn<Result>(work: () => Promise<Result>): Promise<Result> {
    return hub.reading.take(NEVER, async () => {
      await hub.breathe()
      return work()
    })
  }

  function behind(): number {
    return [...hub.cursors].reduce((sum, [name, end]) => sum + Math.max(0, end - cursors.get(name)!), 0)
  }

  async function readUpTo(target: ReadonlyMap<string, number>): Promise<void> {
    for (const stream of log.streams(CHANGES)) {
      const end = target.get(stream.name)!
      while (receiver.alive() && cursors.get(stream.name)! < end) {
        if (!receiver.hasRoom()) await receiver.room()
        else await turn(() => readPage(stream, end))
      }
    }
  }

  async function readPage(stream: Stream, end: number): Promise<void> {
    const after = cursors.get(stream.name)!
    const page = await hub.pages.next(stream, after)
    if (page.forgotten > after) throw tooOld()
    let sent = 0
    let batch = { texts: [] as Text[], length: 0 }
    for (const told of page.told) {
      if (told.offset <= after) continue
      if (!receiver.alive() || told.offset > end) break
      cursors.set(stream.name, told.offset)
      if (!seen.take(told)) continue
      encode(told, batch)
      if (batch.length < LENGTH_AT_ONCE) continue
      sent += batch.length
      if (!receiver.send(batch.texts) || !receiver.hasRoom() || sent >= LENGTH_A_TURN) return
      batch = { texts: [], length: 0 }
    }
    if (!receiver.alive() || !receiver.send(batch.texts)) return
    // Nothing up to the end that is known to be there: only what compaction or transactions left behind.
    cursors.set(stream.name, page.told.length === 0 ? Math.max(page.through, end) : Math.min(page.through, end))
  }

  function encode(told: Told, batch: { texts: Text[]; length: number }): void {
    for (const lane of receiver.lanes()) {
      if (told.place <= (lane.after.get(told.data.source_stream) ?? -1) || !lane.matches(told)) continue
      const text = encodeFor(told, seen)
      batch.texts.push(text)
      batch.length += text.length
    }
  }

  /** Whether it has gone live. Not with a lane that came or went meanwhile: of that one too much or too little gathered. */
  async function join(): Promise<boolean> {
    const lanes = [...receiver.lanes()]
    const gathered = gatherer(config.socketBufferBytes / 4)
    const listener: Listener = {
      matches: told => lanes.some(({ matches }) => matches(told)),
      matchesJob: () => false,
      onJob: () => undefined,
      onTold(told, text) {
        for (const { matches } of lanes) if (matches(told)) gathered.add(text())
      },
    }
    const target = new Map(hub.cursors)
    hub.listeners.add(listener)
    try {
      await readUpTo(target)
    } finally {
      hub.listeners.delete(listener)
    }
    const now = [...receiver.lanes()]
    const same = now.length === lanes.length && now.every(lane => lane.reaching.size === 0 && lanes.includes(lane))
    if (!same || gathered.overflown || !receiver.alive() || !receiver.hasRoom()) return false
    if (receiver.send(gathered.texts)) receiver.goLive()
    return true
  }

  async function run(): Promise<void> {
    await seek()
    while (receiver.alive()) {
      while (receiver.alive() && behind() > NEAR) await readUpTo(new Map(hub.cursors))
      if (!receiver.hasRoom()) await receiver.room()
      else if ([...receiver.lanes()].some(({ reaching }) => reaching.size > 0)) await tail()
      else if (await join()) return
    }
  }

  /** Goes along behind the hub until all lanes are reached, or for a while. */
  async function tail(): Promise<void> {
    await readUpTo(new Map(hub.cursors))
    const reaching = [...receiver.lanes()].flatMap(lane => [...lane.reaching])
    let timer: NodeJS.Timeout | undefined
    const later = new Promise(resolve => {
      timer = setTimeout(resolve, TAIL_MS)
    })
    await Promise.race([later, Promise.allSettled(reaching)])
    clearTimeout(timer)
  }

  return { seen, done: run() }
}

function tooOld(): DomainError {
  const message = 'changes that were still to be sent are no longer kept; subscribe again from the last position'
  return new DomainError('GONE', message)
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
 * Waits until the hub has passed every change up to `since`, which lies in the log. A receipt may be ahead of the
 * projector; going live before it has caught up would send changes that lie before `since`.
 */
export async function hubReaches(
  { progress, log }: Services,
  hub: Hub,
  since: Position,
  alive: () => boolean,
): Promise<void> {
  for (let reached = false; !reached && alive(); ) {
    reached = await progress.wait(since, [SOURCES]).then(
      () => true,
      () => false,
    )
  }
  const ends = await log.ends(CHANGES)
  while (alive() && [...ends].some(([name, end]) => hub.cursors.get(name)! < end)) {
    await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}
