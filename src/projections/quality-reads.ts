import { categoryOf } from '../domain/dataset-category.ts'
import { type Quality, qualityOf } from '../domain/quality.ts'
import { addRecord, createQuality, type QualityState, removeRecord, replaceRecord } from '../domain/quality-state.ts'
import { mergeQuality, type QualityTexts, readQuality } from '../domain/quality-texts.ts'
import type { Row } from '../kernel/projection.ts'
import type { Moment, Store } from '../store/store.ts'
import { changesIn, idsIn } from './counted-changes.ts'
import { datasetCounts } from './datasets.ts'
import { datasetQuality } from './quality.ts'
import { records } from './records.ts'

export type Reads = Pick<Store, 'load' | 'page'>

/** What is known of all records of a data set. */
export interface DatasetQuality {
  /** The caller's own. */
  readonly state: QualityState
  /** The last change of each stream that is in it. */
  readonly lasts: ReadonlyMap<string, number>
}

const ROWS_A_PAGE = 100
const IDS_A_LOAD = 500

/**
 * What a data set's records are counted up to, now or as of a moment: exactly, but that uniqueness of more different
 * records than the sample holds may be estimated from half of what was sampled then. Undefined when nothing was counted:
 * there was no record yet, or the rows are from before there were scores and are being made anew. Throws GONE.
 */
export async function qualityStateOf(
  store: Reads,
  dataset: string,
  asOf?: Moment,
): Promise<DatasetQuality | undefined> {
  const found: { state: QualityState; stream: string; last: number }[] = []
  for (let after: string | undefined; ; ) {
    const query = { table: datasetQuality, equal: { dataset }, limit: ROWS_A_PAGE, asOf }
    const rows = await store.page(after === undefined ? query : { ...query, after })
    for (const row of rows) found.push(await stateAt(store, row, asOf?.get(row.stream as string)))
    if (rows.length === 0) break
    after = rows.at(-1)!.stream as string
  }
  if (found.length === 0) return undefined
  return {
    state: found.length === 1 ? found[0]!.state : mergeQuality(found.map(({ state }) => state)),
    lasts: new Map(found.map(({ stream, last }) => [stream, last])),
  }
}

/** What a row of a moment says of that moment: `offset` is not before the row's first change. */
async function stateAt(store: Reads, row: Row, offset = Number.POSITIVE_INFINITY) {
  const { dataset, stream, last } = row as unknown as { dataset: string; stream: string; last: number }
  const state = readQuality(row as unknown as QualityTexts)
  if (last <= offset) return { state, stream, last }
  const changes = await changesAfter(store, dataset, stream, offset, last)
  const before = await changesAt(store, dataset, stream, offset)
  await undo(store, state, dataset, stream, changes, { from: last, to: offset })
  return { state, stream, last: before }
}

/** A change of a record. */
export interface Change {
  readonly id: string
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly time: number
}

/** The changes that a row of counts has in it, in their order. */
export function changesOf(row: Row): Change[] {
  const ids = idsIn(row.ids as string)
  return changesIn(row.changes as string).map(({ offset, time }, at) => ({ id: ids[at]!, offset, time }))
}

/**
 * The rows of counts of a stream that have changes at or before an offset in them, the newest first: the one that is there
 * now, then its versions. Those that nothing is named in are left out: they are from before there were scores.
 */
export async function* countRows(
  store: Reads,
  dataset: string,
  stream: string,
  upTo = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<Row> {
  // First: if it is followed meanwhile, it is among the versions as well.
  const [now] = await store.load(datasetCounts, [[dataset, stream]])
  let next = upTo
  if (now && (now.offset as number) <= upTo && now.ids) {
    yield now
    next = (now.offset as number) - 1
  }
  for (;;) {
    const query = { table: datasetCounts.versions, equal: { dataset, stream }, upTo: String(next), newest: true }
    const rows = await store.page({ ...query, limit: ROWS_A_PAGE })
    for (const row of rows.toReversed()) if (row.ids) yield row
    if (rows.length === 0) return
    next = (rows[0]!.offset as number) - 1
  }
}

async function changesAfter(store: Reads, dataset: string, stream: string, after: number, through: number) {
  const changes: Change[] = []
  for await (const row of countRows(store, dataset, stream, through)) {
    if ((row.last as number) <= after) break
    changes.push(...changesOf(row).filter(({ offset }) => offset > after && offset <= through))
  }
  return changes
}

/** The last change at or before an offset; -1 for none. */
async function changesAt(store: Reads, dataset: string, stream: string, offset: number): Promise<number> {
  for await (const row of countRows(store, dataset, stream, offset)) {
    return changesOf(row).findLast(change => change.offset <= offset)?.offset ?? -1
  }
  return -1
}

/** Takes changes of a stream back: all that it had between two offsets, `to` and, with it, `from`. */
export async function undo(
  store: Reads,
  state: QualityState,
  dataset: string,
  stream: string,
  changes: readonly Change[],
  { from, to }: { from: number; to: number },
): Promise<void> {
  const ids = [...new Set(changes.map(({ id }) => id))].sort()
  for (let at = 0; at < ids.length; at += IDS_A_LOAD) {
    const some = ids.slice(at, at + IDS_A_LOAD)
    const now = await loadAll(store, dataset, some, new Map([[stream, from]]))
    const then = await loadAll(store, dataset, some, new Map([[stream, to]]))
    for (const id of some) {
      const [new_, old] = [now.get(id), then.get(id)]
      if (new_ && old) replaceRecord(state, new_.data, new_.verdict, old.data, old.verdict)
      else if (new_) removeRecord(state, new_.data, new_.verdict)
      else if (old) addRecord(state, old.data, old.verdict)
    }
  }
}

interface Counted {
  readonly data: string
  readonly verdict: number
}

/** The records of these ids that were there. */
async function loadAll(store: Reads, dataset: string, ids: readonly string[], asOf: Moment) {
  const found = new Map<string, Counted>()
  for (let rest = ids; rest.length > 0; ) {
    const rows = await store.load(
      records,
      rest.map(id => [dataset, id]),
      asOf,
    )
    const last = rows.at(-1)
    if (!last) break
    for (const { id, data, verdict } of rows) {
      if (data !== null) found.set(id as string, { data: data as string, verdict: (verdict as number | null) ?? 0 })
    }
    // It may be that there was no room for the others.
    rest = rest.slice(rest.indexOf(last.id as string) + 1)
  }
  return found
}

/** The score of what is known of a data set, nothing of one without records; `schema` is JSON text. */
export function scoreOf(known: DatasetQuality | undefined, schema: string | null): Quality {
  return qualityOf(known?.state ?? createQuality(), schema === null ? undefined : JSON.parse(schema))
}

/** What a list shows of a data set's records, and finds it by. */
export interface Summary {
  /** Null of one without records, and of one for which nothing was counted. */
  readonly quality_score: number | null
  readonly columns: readonly string[]
  /** By the names of the columns. */
  readonly category: string | null
}

export function summaryOf(known: DatasetQuality | undefined, schema: string | null): Summary {
  const columns = [...(known?.state.columns.values() ?? [])].map(({ name }) => name).sort()
  const quality_score = known && known.state.records > 0 ? scoreOf(known, schema).quality_score : null
  return { quality_score, columns, category: categoryOf(columns) }
}
