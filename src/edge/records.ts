import type { RecordPushed } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import { encodePosition, type Position } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { datasets } from '../projections/datasets.ts'
import { records } from '../projections/records.ts'
import type { FieldCondition, Moment } from '../store/store.ts'
import { findDataset } from './datasets.ts'
import { asOfThen } from './moment.ts'
import type { Services } from './services.ts'

export interface PageAsked {
  /** The last id of the page before. */
  readonly after: string | undefined
  readonly fields: readonly FieldCondition[]
  readonly limit: number
  readonly asOf?: Moment | undefined
}

export interface RecordsAsked extends PageAsked {
  readonly dataset: string
}

/** A page of a data set's records in the order of their ids. */
export function recordsPage({ store }: Services, asked: RecordsAsked): Promise<readonly Row[]> {
  const { dataset, after, fields, limit, asOf } = asked
  const from = after === undefined ? {} : { after }
  return store.page({ table: records, equal: { dataset, deleted: 0 }, ...from, fields, limit, asOf })
}

/** A page of the records of the data set with this id, name or title. Throws NOT_FOUND. */
export async function recordsPageOf(services: Services, given: string, asked: PageAsked): Promise<readonly Row[]> {
  // Asked together: most name it by its name.
  const [[named], rows] = await Promise.all([
    services.store.load(datasets, [[given]]),
    recordsPage(services, { ...asked, dataset: given }),
  ])
  if (named && (!asked.asOf || rows.length > 0)) return rows
  const { name } = await findDataset(services.store, given, asked.asOf)
  return name === given ? rows : recordsPage(services, { ...asked, dataset: name as string })
}

/** One record. Throws NOT_FOUND, also for one that was deleted. */
export async function findRecord({ store }: Services, dataset: string, id: string, asOf?: Moment): Promise<Row> {
  const [row] = await store.load(records, [[dataset, id]], asOf)
  if (row && row.deleted !== 1) return row
  throw new DomainError('NOT_FOUND', `there is no record ${id.slice(0, 200)} in data set ${dataset}${asOfThen(asOf)}`)
}

/** One record of the data set with this id, name or title. Throws NOT_FOUND for either. */
export async function findRecordOf(services: Services, given: string, id: string, asOf?: Moment): Promise<Row> {
  // Asked together: most name it by its name. One that was there was in a data set that was there, which need not be
  // looked up in the past.
  const [[named], [row]] = await Promise.all([
    services.store.load(datasets, [[given]]),
    services.store.load(records, [[given, id]], asOf),
  ])
  if (named && row && row.deleted !== 1) return row
  const { name } = await findDataset(services.store, given, asOf)
  return findRecord(services, name as string, id, asOf)
}

/** A place that includes the event that made a record what it is. */
export function placeOfRecord({ log }: Services, row: Row): Position {
  const stream = log.streams('sync.records').find(({ name }) => name === row.stream)!
  return log.place(stream, row.offset as number)
}

/** The record that a record was made of, as a member of an answer; nothing for one that was pushed. */
export function originOf({ origin }: Row): { origin?: NonNullable<RecordPushed['origin']> } {
  return origin ? { origin: JSON.parse(origin as string) } : {}
}

/** A record as JSON text: its data goes out as it came in, so no number is rounded on the way. */
export function recordJson(services: Services, row: Row): string {
  const { id, data, version, updated_at } = row
  const position = encodePosition(placeOfRecord(services, row))
  const rest = JSON.stringify({ version, updated_at, ...originOf(row), position })
  return `{"id":${JSON.stringify(id)},"data":${data},${rest.slice(1)}`
}
