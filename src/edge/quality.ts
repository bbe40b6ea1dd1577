import { DomainError, invalid } from '../kernel/errors.ts'
import { datasetCounts } from '../projections/datasets.ts'
import { type Point, qualityHistory } from '../projections/quality-history.ts'
import { type DatasetQuality, qualityStateOf, scoreOf } from '../projections/quality-reads.ts'
import type { Moment } from '../store/store.ts'
import { placeOf, schemaText } from './datasets.ts'
import { cursorAfter } from './routes/pages.ts'
import type { Services } from './services.ts'

/** A data set's score with its dimensions and reasons. Throws UNAVAILABLE while its records have not been counted. */
export async function shownQuality(services: Services, dataset: string, asOf?: Moment): Promise<object> {
  const schema = await schemaText(services, dataset, asOf)
  const known = await qualityStateOf(services.store, dataset, asOf)
  if (!known) await requireEmpty(services, dataset, asOf)
  const position = known && placeOf(services, known.lasts)
  return { ...shown(known, schema), ...(position && { position }) }
}

function shown(known: DatasetQuality | undefined, schema: string | null) {
  const { quality_score, dimensions } = scoreOf(known, schema)
  const records_count = known?.state.records ?? 0
  return { quality_score: records_count === 0 ? null : quality_score, records_count, dimensions }
}

async function requireEmpty({ store }: Services, dataset: string, asOf: Moment | undefined): Promise<void> {
  const rows = await store.page({ table: datasetCounts, equal: { dataset }, limit: 1, asOf })
  if (rows.length === 0) return
  throw new DomainError(
    'UNAVAILABLE',
    `the records of ${dataset} are from before there were scores, and are being counted`,
  )
}

/** Changes that one request takes back, about. */
const MOST_UNDONE = 20_000

export interface HistoryAsked {
  readonly limit: number
  readonly step: number
  /** Where the page before has ended. */
  readonly after: Moment | undefined
  readonly asOf: Moment | undefined
}

/** A page of a data set's scores, the newest first, by the schema of now or of the moment that is asked for. */
export async function historyPage(services: Services, dataset: string, asked: HistoryAsked) {
  const { limit, step, after, asOf } = asked
  const schema = await schemaText(services, dataset, asOf)
  const items: object[] = []
  let last: Point['lasts'] | undefined
  for await (const point of qualityHistory(services.store, dataset, after ?? asOf, step)) {
    // The point that comes after the page is where the next one begins.
    if (items.length === limit || (items.length > 0 && point.undone >= MOST_UNDONE)) {
      last = point.lasts
      break
    }
    const { dimensions, ...rest } = shown(point, schema)
    const scores = Object.fromEntries(Object.entries(dimensions).map(([name, { score }]) => [name, score]))
    const position = placeOf(services, point.lasts)
    items.push({ position, time: new Date(point.time).toISOString(), ...rest, dimensions: scores })
  }
  return { items, next_cursor: last === undefined ? null : cursorAfter(JSON.stringify([...last])) }
}

/** The moment that a history's cursor names. Throws VALIDATION_ERROR. */
export function momentAfter({ log }: Services, cursor: string | undefined): Moment | undefined {
  if (cursor === undefined) return undefined
  const names = new Set(log.streams('sync.records').map(({ name }) => name))
  try {
    const entries = JSON.parse(cursor) as [string, number][]
    if (entries.length > 0 && entries.every(([name, offset]) => names.has(name) && Number.isSafeInteger(offset)))
      return new Map(entries)
  } catch {
    // Not JSON, or of another shape.
  }
  throw invalid('cursor', 'it is not a cursor that this list gave out')
}
