import { fingerprint } from '../kernel/hash.ts'
import { KEY_SEPARATOR, type Row, type Rows, type Table } from '../kernel/projection.ts'

/** The data sets. A row is made by a data set's first record; everything in it follows from the name. */
export const datasets: Table = {
  name: 'datasets',
  columns: { name: 'text', id: 'text', category: 'text' },
  key: ['name'],
}

/** How many records each stream has brought to a data set: a row has one writer, so projectors never meet in it. */
export const datasetCounts: Table = {
  name: 'dataset_counts',
  columns: { dataset: 'text', stream: 'text', records: 'integer', updated_at: 'integer', offset: 'integer' },
  key: ['dataset', 'stream'],
}

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

/** Takes a change of `by` records (1, 0 or -1) into account. */
export function countRecords(
  rows: Rows,
  dataset: string,
  by: number,
  at: { stream: string; offset: number; time: number },
): void {
  const key = countKey(dataset, at.stream)
  const was = rows.get(datasetCounts, key)
  if (!rows.get(datasets, dataset)) {
    rows.put(datasets, dataset, { name: dataset, id: datasetId(dataset), category: null })
  }
  rows.put(datasetCounts, key, {
    dataset,
    stream: at.stream,
    records: ((was?.records as number | undefined) ?? 0) + by,
    updated_at: at.time,
    offset: at.offset,
  })
}

export interface DatasetView {
  id: string
  name: string
  category: string | null
  quality_score: number | null
  records_count: number
  last_updated: string
}

/** A data set as the API shows it, from its row, its counts and what is set for it. */
export function datasetView(row: Row, counts: readonly Row[], set?: Row): DatasetView {
  const last = Math.max(
    (set?.updated_at as number | undefined) ?? 0,
    ...counts.map(count => count.updated_at as number),
  )
  return {
    id: row.id as string,
    name: (set?.title as string | undefined) ?? (row.name as string),
    category: (set?.category as string | undefined) ?? null,
    quality_score: null,
    records_count: counts.reduce((sum, count) => sum + (count.records as number), 0),
    last_updated: new Date(last).toISOString(),
  }
}
