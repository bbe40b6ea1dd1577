import { type Events, topicOf } from '../events/index.ts'
import { passPoint } from '../kernel/points.ts'
import { KEY_SEPARATOR, type Projection, type Row, type Rows, type Table } from '../kernel/projection.ts'
import { batchWriter } from '../log/batch.ts'
import { type Codec, createCodec } from '../log/codec.ts'
import type { Log, Page, Stream } from '../log/log.ts'
import { rowBytes, type Store, type TableChange } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { shareOut } from './share-out.ts'

export interface ProjectorOptions<Name extends keyof Events> {
  log: Log
  store: Store
  projection: Projection<Events[Name], Events['RecordChanged']>
  /** Where its outputs go, into the partition of the event they follow from; sync.changes unless said. */
  outputTopic?: string
  logger: Logger
  /** Most events and bytes in one transaction: it grows with the backlog up to these. */
  maxEvents: number
  maxBytes: number
  /** Told which streams of a topic are projected here from now on, by name. */
  onHolding: (topic: string, streams: readonly string[]) => void
  /** Told how far each stream has been projected, and how many events that took. */
  onProgress: (stream: string, through: number, events: number) => void
}

const WAIT_MS = 500
/** What projections put out. */
const OUTPUT = 'RecordChanged'

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
  const codec = createCodec(log)
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
      run: (stream, signal) => follow(options, codec, stream, signal),
    }),
  )
  const joined = await Promise.all(shares)
  return {
    async stop() {
      await Promise.all(joined.map(each => each.stop()))
    },
  }
}

/** A group shares the streams of one topic: a member that follows another topic would be given some, and leave them. */
function groupOf({ name, topics }: { name: string; topics: readonly string[] }, topic: string): string {
  return topics.length === 1 ? `projector-${name}` : `projector-${name}-${topic}`
}

/** Follows a stream until `signal` aborts or something fails; a failure leaves it to begin again from the checkpoints. */
async function follow<Name extends keyof Events>(
  options: ProjectorOptions<Name>,
  codec: Codec,
  stream: Stream,
  signal: AbortSignal,
): Promise<void> {
  const { log, store, projection } = options
  const group = groupOf(projection, stream.topic)
  const told: Told = { group, through: await log.own(group, stream) }
  const { epoch, offset } = await store.claim(projection.name, stream.name)
  let after = offset
  options.onProgress(stream.name, after, 0)
  while (!signal.aborted) {
    const limits = { maxEvents: options.maxEvents, maxBytes: options.maxBytes, waitMs: WAIT_MS, signal }
    const page = await log.read(stream, after, limits)
    if (page.events.length > 0) await project(options, codec, stream, page, told, epoch)
    if (page.through > after || page.events.length > 0)
      options.onProgress(stream.name, page.through, page.events.length)
    after = page.through
  }
}

/** Up to where the outputs of a stream are in the log, from this process or one before it: those are not appended again. */
interface Told {
  readonly group: string
  through: number
}

/** Events whose rows are read at once, at first and at most: a row may hold a megabyte, whatever its event holds. */
const FIRST_ROWS = 16
const MOST_ROWS = 64
/** Text of rows that one transaction works on; past it the rest of the page goes into the next one. */
const ROW_BYTES = 16 * 1024 * 1024

async function project<Name extends keyof Events>(
  options: ProjectorOptions<Name>,
  codec: Codec,
  stream: Stream,
  page: Page,
  told: Told,
  epoch: number,
): Promise<void> {
  await codec.prepare(page.events)
  const keys = page.events.map(({ key }) => key.toString())
  for (let from = 0; from < keys.length; )
    from = await projectFrom(options, codec, stream, page, keys, from, told, epoch)
}

/** Projects as many events of a page as its transaction has room for; gives back where the next one begins. */
async function projectFrom<Name extends keyof Events>(
  { log, store, projection, outputTopic = topicOf[OUTPUT] }: ProjectorOptions<Name>,
  codec: Codec,
  stream: Stream,
  page: Page,
  keys: readonly string[],
  from: number,
  told: Told,
  epoch: number,
): Promise<number> {
  // Made where it is used: what lives as long as the page is what the collector has to carry.
  const sourceOf = (i: number) => ({ stream: stream.name, offset: page.events[i]!.offset, key: keys[i]! })
  const working = workingSet(projection.tables)
  let to = from
  for (let bytes = 0, rows = FIRST_ROWS; to < keys.length && bytes < ROW_BYTES; rows = Math.min(rows * 2, MOST_ROWS)) {
    const end = Math.min(keys.length, to + rows)
    for (; to < end; to++) projection.wants(sourceOf(to), working.want)
    bytes += await working.load(store)
  }
  const through = to === keys.length ? page.through : page.events[to - 1]!.offset
  const outputs = batchWriter(64 * 1024)
  for (let i = from; i < to; i++) {
    const event = page.events[i]!
    const { type, data } = codec.decode(event.value)
    const output = projection.evolve(working, data as Events[Name], sourceOf(i), type)
    if (!output || event.offset <= told.through) continue
    outputs.add(event.key, (buffer, at) => codec.write(OUTPUT, output, buffer, at))
  }
  passPoint('projector.worked-out')
  const batch = outputs.take(outputTopic, stream.partition)
  const onAppended = () => {
    told.through = through
    passPoint('projector.changes-appended')
  }
  const consumed = { group: told.group, stream, offset: through }
  const appended = batch === undefined ? Promise.resolve() : log.append([batch], { consumed }).then(onAppended)
  // The commit below awaits it, but perhaps later than it fails.
  appended.catch(() => undefined)
  // While the store waits inside a commit nobody else can use it: good when there is nobody else.
  if (log.streams(stream.topic).length > 1) await appended
  const checkpoint = { projection: projection.name, stream: stream.name, offset: through, epoch }
  await store.commit(working.changes(), checkpoint, appended)
  passPoint('projector.committed')
  return to
}

interface WorkingSet extends Rows {
  want: (table: Table, key: string) => void
  /** Reads the rows that were wanted since the last time; gives back how much text they hold. */
  load(store: Store): Promise<number>
  changes(): TableChange[]
}

interface Entry {
  row: Row | undefined
  changed: boolean
}

/** The rows that some events touch, by table and key. */
function workingSet(tables: readonly Table[]): WorkingSet {
  const entries = new Map<Table, Map<string, Entry>>(tables.map(table => [table, new Map()]))
  const wanted = new Map<Table, string[]>(tables.map(table => [table, []]))
  return {
    want(table, key) {
      const known = entries.get(table)!
      if (known.has(key)) return
      known.set(key, { row: undefined, changed: false })
      wanted.get(table)!.push(key)
    },
    async load(store) {
      let bytes = 0
      for (const [table, keys] of wanted) {
        if (keys.length === 0) continue
        const parts = keys.sort().map(key => key.split(KEY_SEPARATOR))
        for (const row of await store.load(table, parts)) {
          entries.get(table)!.get(table.key.map(column => row[column]).join(KEY_SEPARATOR))!.row = row
          bytes += rowBytes(row)
        }
        keys.length = 0
      }
      return bytes
    },
    get: (table, key) => entries.get(table)!.get(key)!.row,
    put(table, key, row) {
      const entry = entries.get(table)!.get(key)
      if (!entry) return void entries.get(table)!.set(key, { row, changed: true })
      entry.row = row
      entry.changed = true
    },
    changes: () =>
      [...entries].map(([table, known]) => {
        const rows: Row[] = []
        for (const { row, changed } of known.values()) if (changed) rows.push(row!)
        return { table, rows }
      }),
  }
}
