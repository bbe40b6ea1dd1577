import { turn } from '../kernel/pause.ts'
import { createCodec } from '../log/codec.ts'
import { beyondLog } from '../log/ends.ts'
import type { Log, Stream } from '../log/log.ts'
import { eventsAfter, isShortened } from '../log/progress.ts'
import type { AnyProjection } from '../projections/index.ts'
import { allTables, type Snapshot } from '../store/generations.ts'
import type { Store } from '../store/store.ts'
import { compareRows, type UnlikeRow } from './compare-rows.ts'
import { startFilling } from './filling.ts'

/** What a verification looks at. */
export interface VerifyParts {
  readonly log: Log
  readonly topics: readonly string[]
  /** The store that is read, as it is; undefined when there is none yet. */
  readonly live: Store | undefined
  /** An empty store, into which the events are folded. */
  readonly scratch: Store
  readonly projections: readonly AnyProjection[]
  /** Holds what the log is kept in against its checksums, where this process can see that. */
  readonly checkBatches?: () => Iterable<{ topic: string; first: number; last: number; damage: string | undefined }>
}

export interface VerifyReport {
  /** Told what is being done, and how much of it: events, or rows where there is no total. */
  progress(stage: 'checking' | 'reading' | 'folding' | 'comparing', done: number, all: number | undefined): void
  /** Told each thing that is damaged, with its place. */
  damaged(what: string): void
  /** Told what was not looked at, and why. */
  left(what: string): void
  /** Told how many rows of a projection were compared. */
  compared(projection: string, rows: number): void
}

export interface Verified {
  readonly events: number
  readonly rows: number
  readonly damaged: number
}

const PAGE = { maxEvents: 10_000, maxBytes: 16_777_216 }
/** Stored batches that are checked before others have their turn. */
const CHECKED_AT_ONCE = 100
/** Damaged rows of one table that are told one by one. */
const MOST_NAMED = 20

/**
 * Reads the whole log and sees whether it is as it was written, then folds it into an empty store and compares that with
 * the one that is read. A service may run meanwhile.
 */
export async function verify(parts: VerifyParts, report: VerifyReport, signal: AbortSignal): Promise<Verified> {
  let damaged = 0
  const broken = new Set<string>()
  const tell = (topic: string, what: string) => {
    damaged++
    broken.add(topic)
    report.damaged(what)
  }
  await checkStored(parts, report, tell, signal)
  // Of a topic that is known to be damaged nothing more is to be found out.
  const sound = parts.topics.filter(topic => !broken.has(topic))
  const events = await readAll({ ...parts, topics: sound }, report, tell, signal)
  let rows = 0
  for (const projection of parts.projections) {
    const of = projection.topics.find(topic => broken.has(topic))
    if (of) report.left(`the rows of ${projection.name}: events of ${of} are damaged`)
    else {
      const found = await compareProjection(parts, projection, report, signal)
      rows += found.rows
      damaged += found.damaged
    }
  }
  return { events, rows, damaged }
}

async function checkStored(
  { checkBatches }: VerifyParts,
  report: VerifyReport,
  tell: (topic: string, what: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let [done, batches] = [0, 0]
  try {
    for (const { topic, first, last, damage } of checkBatches?.() ?? []) {
      done += last - first + 1
      report.progress('checking', done, undefined)
      if (damage) tell(topic, `${topic}, offsets ${first} to ${last}: ${damage}`)
      if (++batches % CHECKED_AT_ONCE === 0) await turn()
      signal.throwIfAborted()
    }
  } catch (error) {
    signal.throwIfAborted()
    tell('', `the log cannot be read on after ${done} events: ${(error as Error).message}`)
  }
}

/** Reads and decodes every event of every topic; tells the first of each stream that cannot be. */
async function readAll(
  { log, topics }: VerifyParts,
  report: VerifyReport,
  tell: (topic: string, what: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const all = await eventsAfter(log, topics, new Map())
  let done = 0
  for (const topic of topics) {
    const ends = await log.ends(topic)
    for (const stream of log.streams(topic)) {
      const read = (events: number) => {
        done += events
        report.progress('reading', done, Math.max(all, done))
      }
      await readStream(log, stream, ends.get(stream.name)!, read, signal).catch(error => {
        signal.throwIfAborted()
        tell(topic, (error as Error).message)
      })
    }
  }
  return done
}

async function readStream(
  log: Log,
  stream: Stream,
  end: number,
  onRead: (events: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const codec = createCodec(log)
  for (let after = -1; after < end; ) {
    signal.throwIfAborted()
    const page = await log.read(stream, after, { ...PAGE, waitMs: 1000, signal }).catch(error => {
      throw new Error(`${stream.name}, after offset ${after}: ${error.message}`)
    })
    for (const event of page.events) {
      try {
        await codec.prepare([event])
        codec.decode(event.value)
      } catch (error) {
        throw new Error(`${stream.name}, offset ${event.offset}: ${(error as Error).message}`)
      }
    }
    onRead(page.events.length)
    after = page.through
    await turn()
  }
}

/** Folds a projection up to exactly where the live rows are, and compares all of them. */
async function compareProjection(
  parts: VerifyParts,
  projection: AnyProjection,
  report: VerifyReport,
  signal: AbortSignal,
): Promise<{ rows: number; damaged: number }> {
  const { log, live, scratch } = parts
  const { name } = projection
  const nothing = { rows: 0, damaged: 0 }
  const filled = (await live?.generations.list())?.find(each => each.projection === name && each.state === 'live')
  if (!live || !filled) {
    report.left(`the rows of ${name}: there are none yet`)
    return nothing
  }
  if (filled.version !== projection.version) {
    const versions = `they are of version ${filled.version}, and this is version ${projection.version} of it`
    report.left(`the rows of ${name}: ${versions}; rebuild it`)
    return nothing
  }
  const beyond = await beyondLog(log, projection.topics, await live.checkpoints([name]))
  if (beyond) {
    // There is nothing to make them anew from: to wait for it would be for ever.
    report.damaged(`the rows of ${name}: ${beyond}`)
    return { rows: 0, damaged: 1 }
  }
  await scratch.declare(projection.tables)
  const all = await eventsAfter(log, projection.topics, new Map())
  const onPage = async (reached: ReadonlyMap<string, number>) => {
    report.progress('folding', all - (await eventsAfter(log, projection.topics, reached)), all)
  }
  const filling = startFilling({ log, store: scratch, projection, ...PAGE, atOnce: PAGE.maxEvents }, undefined, signal)
  const telling = setInterval(() => void onPage(filling.reached).catch(() => undefined), 500)
  try {
    // First as far as it is, which takes long, then as far as it is when it is compared.
    await filling.reach(await live.checkpoints([name]))
    const snapshot = await live.generations.snapshot()
    try {
      await filling.reach(await snapshot.checkpoints([name]))
      const made = await scratch.generations.snapshot()
      const shortened = await isShortened(log, projection.topics)
      const found = await compareTables(projection, snapshot, made, shortened, report, signal).finally(made.close)
      report.compared(name, found.rows)
      return found
    } finally {
      await snapshot.close()
    }
  } finally {
    clearInterval(telling)
    await filling.stop()
  }
}

async function compareTables(
  projection: AnyProjection,
  live: Snapshot,
  made: Snapshot,
  shortened: boolean,
  report: VerifyReport,
  signal: AbortSignal,
): Promise<{ rows: number; damaged: number }> {
  let [rows, damaged] = [0, 0]
  const floors = await live.floors()
  for (const table of allTables(projection.tables)) {
    let unlike = 0
    const onUnlike = (row: UnlikeRow) => {
      // What it followed from may be what retention has taken.
      if (shortened && row.only === 'live') return
      unlike++
      if (unlike <= MOST_NAMED) report.damaged(`table ${table.name}, key ${JSON.stringify(row.key)}: ${faultOf(row)}`)
    }
    rows += await compareRows(table, live, made, floors, onUnlike, signal)
    if (unlike > MOST_NAMED) report.damaged(`table ${table.name}: ${unlike - MOST_NAMED} more rows`)
    damaged += unlike
    report.progress('comparing', rows, undefined)
  }
  return { rows, damaged }
}

function faultOf({ columns, only }: UnlikeRow): string {
  if (only === 'live') return 'follows from no event'
  if (only === 'made') return 'is missing'
  return `${columns.join(', ')} ${columns.length === 1 ? 'is' : 'are'} not what follows from the events`
}
