import type { DatasetConfigured } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import { encodePosition, mergePositions } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { type OriginCount, sumOrigins } from '../projections/counted-origins.ts'
import {
  type Count,
  countAt,
  type DatasetView,
  datasetCounts,
  datasetId,
  datasets as datasetsTable,
  datasetView,
} from '../projections/datasets.ts'
import { settings as settingsTable } from '../projections/settings.ts'
import type { Moment } from '../store/store.ts'
import type { ReadStore } from '../threads/store.ts'
import { shownSettings } from './dataset-settings.ts'
import { summaryFor } from './dataset-summaries.ts'
import { asOfThen } from './moment.ts'
import { named } from './names.ts'
import { cursorAfter, MAX_PAGE, nextCursor } from './routes/pages.ts'
import type { Services } from './services.ts'

/** What data sets and records are read from. */
export const DATASET_TOPICS = ['sync.records', 'sync.datasets']

/** Pages that one request looks through for what fits, data sets in each, and how many of these at once. */
const MOST_PAGES = 20
const LOOKED_AT = 200
const AT_ONCE = 16

/** How many records each stream has brought to a data set; none when it had no record yet. */
async function countsOf(store: ReadStore, dataset: string, asOf: Moment | undefined): Promise<Count[]> {
  const rows = await store.page({ table: datasetCounts, equal: { dataset }, limit: MAX_PAGE, asOf })
  return rows.map(row => countAt(row, asOf?.get(row.stream as string)))
}

/** How many records a data set has now, and of how many of them each other data set gave what they were made of. */
export async function originsOf(
  store: ReadStore,
  dataset: string,
): Promise<{ records: number; origins: readonly OriginCount[] }> {
  const rows = await store.page({ table: datasetCounts, equal: { dataset }, limit: MAX_PAGE })
  const records = rows.reduce((sum, row) => sum + (row.records as number), 0)
  return { records, origins: sumOrigins(rows.map(({ origins }) => (origins as string | null) ?? null)) }
}

/** A data set, and the names of its columns; undefined when it had no record yet. */
async function viewOf(
  store: ReadStore,
  row: Row,
  asOf?: Moment,
): Promise<{ view: DatasetView; columns: readonly string[] } | undefined> {
  const name = row.name as string
  const [counts, [set]] = await Promise.all([countsOf(store, name, asOf), store.load(settingsTable, [[name]], asOf)])
  if (counts.length === 0) return undefined
  const known = await summaryFor(store, name, counts, schemaOf(set), asOf)
  return { view: datasetView(row, counts, known, set), columns: known.columns }
}

function schemaOf(set: Row | undefined): string | null {
  return (set?.schema as string | null | undefined) ?? null
}

/** The data set with this id, name or title; one for which something was set counts before its first record. Throws NOT_FOUND. */
export async function findDataset(store: ReadStore, given: string, asOf?: Moment): Promise<Row> {
  // A row is made once, by the first record, and never changes.
  const had = async (row: Row) => !asOf || (await countsOf(store, row.name as string, asOf)).length > 0
  const [byName] = await store.load(datasetsTable, [[given]])
  if (byName && (await had(byName))) return byName
  const [byId] = given.startsWith('ds_')
    ? await store.page({ table: datasetsTable, equal: { id: given }, limit: 1 })
    : []
  if (byId && (await had(byId))) return byId
  const [byKey] = await store.load(settingsTable, [[given]], asOf)
  const set = byKey ?? (given.startsWith('ds_') ? await settingsOf(store, given, asOf) : undefined)
  const [titled] = set ? [set] : await store.page({ table: settingsTable, equal: { title: given }, limit: 1, asOf })
  if (titled) {
    const name = titled.dataset as string
    const [row] = await store.load(datasetsTable, [[name]])
    return row ?? { name, id: datasetId(name), category: null }
  }
  throw new DomainError('NOT_FOUND', `there is no data set ${given.slice(0, 200)}${asOfThen(asOf)}`)
}

/** What is set for a data set that had no record yet, by its id: settings are not kept by that, and looked through. */
async function settingsOf(store: ReadStore, id: string, asOf: Moment | undefined): Promise<Row | undefined> {
  let after: string | undefined
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const rows = await store.page({ table: settingsTable, equal: {}, limit: MAX_PAGE, asOf, ...(after && { after }) })
    const found = rows.find(({ dataset }) => datasetId(dataset as string) === id)
    if (found || nextCursor(rows, MAX_PAGE, 'dataset') === null) return found
    after = rows.at(-1)!.dataset as string
  }
  return undefined
}

/** The name in the log of the data set that is meant; one that is new is called what it is asked for by. */
export async function nameOf(store: ReadStore, given: string): Promise<string> {
  try {
    return (await findDataset(store, given)).name as string
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'NOT_FOUND' || given.startsWith('ds_')) throw error
    return named('dataset', given, '')
  }
}

export interface DatasetsAsked {
  readonly category: string | null
  /** Part of the name, of the category or of the name of a column, whatever its case. */
  readonly search: string
  readonly qualityMin: number | undefined
  /** The last name of the page before. */
  readonly after: string | undefined
  readonly limit: number
  readonly asOf?: Moment | undefined
}

/** A page of data sets in the order of their names, and what those are in the log. */
export async function datasetsPage(
  store: ReadStore,
  asked: DatasetsAsked,
): Promise<{ datasets: DatasetView[]; names: string[]; next_cursor: string | null }> {
  const { limit, asOf } = asked
  const datasets: DatasetView[] = []
  const names: string[] = []
  const all = asked.category === null && asked.search === '' && asked.qualityMin === undefined
  // What does not fit is passed over: a page is full, or the last one, or as many have been looked at as may be.
  const size = all ? limit : LOOKED_AT
  let { after } = asked
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const rows = await store.page({ table: datasetsTable, equal: {}, limit: size, ...(after && { after }) })
    for (let at = 0; at < rows.length; at += AT_ONCE) {
      const some = rows.slice(at, at + AT_ONCE)
      const views = await Promise.all(some.map(row => viewOf(store, row, asOf)))
      for (const [i, found] of views.entries()) {
        after = some[i]!.name as string
        if (found && fits(found.view, found.columns, asked)) {
          datasets.push(found.view)
          names.push(after)
        }
        if (datasets.length === limit) return { datasets, names, next_cursor: cursorAfter(after) }
      }
    }
    if (nextCursor(rows, size, 'name') === null) return { datasets, names, next_cursor: null }
  }
  return { datasets, names, next_cursor: cursorAfter(after!) }
}

function fits(
  { name, category, quality_score }: DatasetView,
  columns: readonly string[],
  { category: wanted, search, qualityMin }: DatasetsAsked,
): boolean {
  if (wanted !== null && category !== wanted) return false
  if (qualityMin !== undefined && (quality_score === null || quality_score < qualityMin)) return false
  const part = search.toLowerCase()
  return part === '' || [name, category ?? '', ...columns].some(text => text.toLowerCase().includes(part))
}

/** Where a data set's records have come to: a place that includes the last change of each stream. */
export function placeOf(
  { log }: Services,
  lasts: Iterable<readonly [stream: string, last: number]>,
): string | undefined {
  const streams = new Map(log.streams('sync.records').map(stream => [stream.name, stream]))
  const places = [...lasts].map(([stream, last]) => log.place(streams.get(stream)!, last))
  return places.length === 0 ? undefined : encodePosition(places.reduce(mergePositions))
}

/** A data set in full: also its id in the log, what is set for it, and a place that includes its last change. */
export async function shownDataset(services: Services, given: string, asOf?: Moment): Promise<object> {
  const { store } = services
  const row = await findDataset(store, given, asOf)
  const name = row.name as string
  await services.settings.caughtUp()
  const [counts, [known]] = await Promise.all([countsOf(store, name, asOf), store.load(settingsTable, [[name]], asOf)])
  const position = placeOf(
    services,
    counts.map(({ stream, last }) => [stream, last]),
  )
  const set = asOf ? (known as DatasetConfigured | undefined) : services.settings.view.get(name)
  const summary = await summaryFor(store, name, counts, set?.schema ?? null, asOf)
  const view = datasetView(row, counts, summary, known)
  const category_source = set?.category ? 'set' : view.category === null ? null : 'found'
  return { ...view, category_source, dataset: name, ...shownSettings(set), ...(position && { position }) }
}

/** The schema that is set for a data set, or was at a moment, as JSON text. */
export async function schemaText(services: Services, name: string, asOf?: Moment): Promise<string | null> {
  if (asOf) return schemaOf((await services.store.load(settingsTable, [[name]], asOf))[0])
  await services.settings.caughtUp()
  return services.settings.view.get(name)?.schema ?? null
}
