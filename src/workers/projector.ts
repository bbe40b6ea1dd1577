import type { Events } from '../events/index.ts'
import { passPoint } from '../kernel/points.ts'
import { KEY_SEPARATOR, type Projection, type Row, type Rows, type Table } from '../kernel/projection.ts'
import { batchWriter } from '../log/batch.ts'
import { type Codec, createCodec } from '../log/codec.ts'
import type { Log, Page, Stream } from '../log/log.ts'
import { rowBytes, type Store, type TableChange } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'

export interface ProjectorOptions<Name extends keyof Events> {
  log: Log
  store: Store
  projection: Projection<Events[Name], Events['RecordChanged']>
  /** Where its outputs go, into the partition of the event they follow from. */
  outputTopic: string
  outputType: 'RecordChanged'
  logger: Logger
  /** Most events and bytes in one transaction: it grows with the backlog up to these. */
  maxEvents: number
  maxBytes: number
  /** Told how far each stream has been projected, and how many events that took. */
  onProgress: (stream: string, through: number, events: number) => void
}

const WAIT_MS = 500
const RETRY_MS = [100, 500, 1000, 2000, 5000]

/**
 * Keeps a read model up with its topics. For each page of a stream: read the rows it touches, fold the events over
 * them, append the outputs to the log, then commit rows and checkpoint in one transaction. After a crash between the
 * two the same events give the same outputs again, each naming its source, so whoever reads them drops the repeats.
 */
export function startProjector<Name extends keyof Events>(options: ProjectorOptions<Name>): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const codec = createCodec(options.log)
  const streams = options.projection.topics.flatMap(topic => options.log.streams(topic))
  const loops = streams.map(stream => follow(options, codec, stream, stopping.signal))
  return {
    async stop() {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}

async function follow<Name extends keyof Events>(
  options: ProjectorOptions<Name>,
  codec: Codec,
  stream: Stream,
  signal: AbortSignal,
): Promise<void> {
  const { log, store, projection, logger } = options
  const told: Told = { through: -1 }
  let failures = 0
  let after: number | undefined
  while (!signal.aborted) {
    try {
      if (after === undefined) {
        after = (await store.checkpoints(projection.name)).get(stream.name) ?? -1
        options.onProgress(stream.name, after, 0)
      }
      const limits = { maxEvents: options.maxEvents, maxBytes: options.maxBytes, waitMs: WAIT_MS, signal }
      const page = await log.read(stream, after, limits)
      if (page.events.length > 0) await project(options, codec, stream, page, told)
      if (page.through > after || page.events.length > 0)
        options.onProgress(stream.name, page.through, page.events.length)
      after = page.through
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      // The checkpoint in the store is the truth: begin again from there, a little later each time.
      after = undefined
      const delay = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]!
      logger.error(
        { err: error, projection: projection.name, stream: stream.name, failures },
        'projection failed, retrying',
      )
      await new Promise(resolve => setTimeout(resolve, delay))
    }
  }
}

/**
 * Up to where this process has put a stream's outputs into the log. When a commit fails after that, again and again as
 * on a full disk, the same outputs are not appended each time: the tries would fill what room is left.
 */
interface Told {
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
): Promise<void> {
  await codec.prepare(page.events)
  const keys = page.events.map(({ key }) => key.toString())
  for (let from = 0; from < keys.length; ) from = await projectFrom(options, codec, stream, page, keys, from, told)
}

/** Projects as many events of a page as its transaction has room for; gives back where the next one begins. */
async function projectFrom<Name extends keyof Events>(
  { log, store, projection, outputTopic, outputType }: ProjectorOptions<Name>,
  codec: Codec,
  stream: Stream,
  page: Page,
  keys: readonly string[],
  from: number,
  told: Told,
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
    const output = projection.evolve(working, codec.decode(event.value).data as Events[Name], sourceOf(i))
    if (!output || event.offset <= told.through) continue
    outputs.add(event.key, (buffer, at) => codec.write(outputType, output, buffer, at))
  }
  passPoint('projector.worked-out')
  const batch = outputs.take(outputTopic, stream.partition)
  const onAppended = () => {
    told.through = through
    passPoint('projector.changes-appended')
  }
  const appended = batch === undefined ? Promise.resolve() : log.append([batch]).then(onAppended)
  // The commit below awaits it, but perhaps later than it fails.
  appended.catch(() => undefined)
  // While the store waits inside a commit nobody else can use it: good when there is nobody else.
  if (log.streams(stream.topic).length > 1) await appended
  const checkpoint = { projection: projection.name, stream: stream.name, offset: through }
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
      const entry = entries.get(table)!.get(key)!
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
