import type { RecordPushed } from '../events/index.ts'
import { fingerprint } from '../kernel/hash.ts'
import { KEY_SEPARATOR, type Row, type Rows, type Table, versioned } from '../kernel/projection.ts'
import { countBefore, MOST_CHANGES, withChange, withId } from './counted-changes.ts'
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
    /** The id of the record that each of them was about: `withId`. */
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
  at: { stream: string; offset: number; time: number },
): void {
  const key = countKey(dataset, at.stream)
  const was = rows.get(datasetCounts, key)
  if (!rows.get(datasets, dataset)) {
    rows.put(datasets, dataset, { name: dataset, id: datasetId(dataset), category: null })
  }
  const size = (was?.size as number | null | undefined) ?? 0
  // One from before there were changes in it has none, and is followed as one that has all it may.
  const ids = (was?.ids as string | null | undefined) ?? ''
  const goesOn = size > 0 && size < MOST_CHANGES && ids !== '' && ids.length < MOST_IDS_TEXT
  const change = { by, offset: at.offset, time: at.time }
  rows.put(datasetCounts, key, {
    dataset,
    stream: at.stream,
    records: ((was?.records as number | undefined) ?? 0) + by,
    updated_at: at.time,
    offset: goesOn ? was!.offset! : at.offset,
    last: at.offset,
    size: goesOn ? size + 1 : 1,
    changes: goesOn
      ? withChange(was!.changes as string, { offset: was!.last as number, time: was!.updated_at as number }, change)
      : withChange('', undefined, change),
    ids: withId(goesOn ? ids : '', id),
    origins: originsAfter((was?.origins as string | null | undefined) ?? null, origins.was, origins.now),
  })
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
