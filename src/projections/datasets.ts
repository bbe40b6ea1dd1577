import type { RecordPushed } from '../events/index.ts'
import { fingerprint } from '../kernel/hash.ts'
import { KEY_SEPARATOR, type Row, type Rows, type Table, versioned } from '../kernel/projection.ts'
import { changeText, countBefore, idText, idTextLength, MOST_CHANGES } from './counted-changes.ts'
import { originsAfter } from './counted-origins.ts'

/** The data sets. A row is made by a data set's first record; everything in it follows from the name. */
export const datasets: Table = {
  name: 'datasets',
  columns: { name: 'text', id: 'text', category: 'text' },
  key: ['name'],
}

/**
 * How many records each stream has brought to a data set: a row has one writer, so projectors never meet in it. They
 * change with every record, so a row has its last changes in it and is not followed by another until they are many:
 * `offset` is the first of them, `last` the last, and `countAt` tells what there was after any between.
 */
export const datasetCounts = versioned({
  name: 'dataset_counts',
  columns: {
    dataset: 'text',
    stream: 'text',
    records: 'integer',
    updated_at: 'integer',
    offset: 'integer',
    last: 'integer',
    /** How many changes it has, and what each did: `withChange`. */
    size: 'integer',
    changes: 'text',
    /** The id of the record that each of them was about: `idText`. */
    ids: 'text',
    /** How many of the records were made of others, JSON text by data set and strategy: `originsAfter`; null for none. */
    origins: 'text',
  },
  key: ['dataset', 'stream'],
})

/** Text of ids in one row, about: ids may be long. */
const MOST_IDS_TEXT = 8192

let last = { dataset: '', stream: '', key: '' }
/** The key of a count, remembering the last one: most events ask for the same as the one before. */
export function countKey(dataset: string, stream: string): string {
  if (dataset !== last.dataset || stream !== last.stream) {
    last = { dataset, stream, key: dataset + KEY_SEPARATOR + stream }
  }
  return last.key
}

/** The id of a data set: the same in every rebuild and every process, because it follows from the name. */
export function datasetId(name: string): string {
  return `ds_${fingerprint(name)}`
}

/** A row whose texts are put together when they are asked for: piece by piece they would be a burden to the memory. */
interface LiveCounts extends Row {
  records: number
  updated_at: number
  readonly offset: number
  last: number
  size: number
  origins: string | null
}

interface Texts {
  changes: string
  readonly newChanges: string[]
  ids: string
  readonly newIds: string[]
  /** Of the text of all ids. */
  length: number
}

const texts = new WeakMap<Row, Texts>()
let lastTexts: { row: Row; texts: Texts } | undefined

/** The texts of a row, if it is a live one, remembering the last: most changes go where the one before went. */
function textsOf(row: Row): Texts | undefined {
  if (lastTexts?.row === row) return lastTexts.texts
  const found = texts.get(row)
  if (found) lastTexts = { row, texts: found }
  return found
}

type Start = Pick<LiveCounts, 'records' | 'updated_at' | 'offset' | 'last' | 'size' | 'origins'> & {
  dataset: string
  stream: string
}

function liveCounts(was: Start, changes: string, ids: string): LiveCounts {
  const own: Texts = { changes, newChanges: [], ids, newIds: [], length: ids.length }
  const { dataset, stream, records, updated_at, offset, last, size, origins } = was
  const row = {
    ...{ dataset, stream, records, updated_at, offset, last, size, origins },
    get changes() {
      own.changes += own.newChanges.join('')
      own.newChanges.length = 0
      return own.changes
    },
    get ids() {
      own.ids += own.newIds.map(idText).join('')
      own.newIds.length = 0
      return own.ids
    },
  }
  texts.set(row, own)
  return row
}

/**
 * Takes a change of `by` records (1, 0 or -1) into account, which was about the record of this id. `origins` are those of
 * the record before, as its row has it, and after it.
 */
export function countRecords(
  rows: Rows,
  dataset: string,
  id: string,
  by: number,
  origins: { readonly was: string | null; readonly now: RecordPushed['origin'] },
  { stream, offset }: { stream: string; offset: number },
  time: number,
): void {
  const key = countKey(dataset, stream)
  const was = rows.get(datasetCounts, key) as LiveCounts | undefined
  if (!rows.get(datasets, dataset)) {
    rows.put(datasets, dataset, { name: dataset, id: datasetId(dataset), category: null })
  }
  const row = openCounts(was, dataset, stream, offset)
  const own = textsOf(row)!
  const before = row.size === 0 ? undefined : { offset: row.last, time: row.updated_at }
  own.newChanges.push(changeText(before, { by, offset, time }))
  own.newIds.push(id)
  own.length += idTextLength(id)
  row.records += by
  row.updated_at = time
  row.last = offset
  row.size++
  row.origins = originsAfter(row.origins, origins.was, origins.now)
  // A live row has been put already: its texts are asked for when the transaction is written.
  if (row !== was) rows.put(datasetCounts, key, row)
}

/** The row that the next change goes into. */
function openCounts(was: LiveCounts | undefined, dataset: string, stream: string, offset: number): LiveCounts {
  const ids = was ? (textsOf(was)?.length ?? (was.ids as string | null)?.length ?? 0) : 0
  // One from before there were changes in it has none, and is followed as one that has all it may.
  if (was && ids > 0 && was.size > 0 && was.size < MOST_CHANGES && ids < MOST_IDS_TEXT) {
    return textsOf(was) ? was : liveCounts(was as LiveCounts & Start, was.changes as string, was.ids as string)
  }
  const { records, origins } = { records: was?.records ?? 0, origins: was?.origins ?? null }
  return liveCounts({ dataset, stream, records, updated_at: 0, offset, last: offset, size: 0, origins }, '', '')
}

/** What a row of counts says of the moment after `offset`, which is not before its own. */
export interface Count {
  readonly stream: string
  readonly records: number
  readonly updated_at: number
  /** The last event that counted. */
  readonly last: number
}

export function countAt(row: Row, offset = Number.POSITIVE_INFINITY): Count {
  const { stream, records, updated_at, changes } = row as unknown as Count & { changes: string | null }
  const last = (row.last ?? row.offset) as number
  if (last <= offset || !changes) return { stream, records, updated_at, last }
  return { stream, ...countBefore(changes, records, offset) }
}

export interface DatasetView {
  id: string
  name: string
  category: string | null
  quality_score: number | null
  records_count: number
  last_updated: string
}

/** A data set as the API shows it, from its row, its counts, what is known of its records and what is set for it. */
export function datasetView(
  row: Row,
  counts: readonly Count[],
  known: { quality_score: number | null; category: string | null },
  set?: Row,
): DatasetView {
  const category = (set?.category as string | null | undefined) ?? null
  const last = Math.max((set?.updated_at as number | undefined) ?? 0, ...counts.map(count => count.updated_at))
  return {
    id: row.id as string,
    name: (set?.title as string | undefined) ?? (row.name as string),
    category: category ?? known.category,
    quality_score: known.quality_score,
    records_count: counts.reduce((sum, count) => sum + count.records, 0),
    last_updated: new Date(last).toISOString(),
  }
}
