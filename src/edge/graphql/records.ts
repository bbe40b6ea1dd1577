import { invalid } from '../../kernel/errors.ts'
import { encodePosition } from '../../kernel/position.ts'
import type { Row } from '../../kernel/projection.ts'
import type { Moment } from '../../store/store.ts'
import { DATASET_TOPICS, findDataset } from '../datasets.ts'
import { findRecord, originOf, placeOfRecord, recordsPage } from '../records.ts'
import type { Services } from '../services.ts'
import { readWhere } from '../where.ts'
import { AS_OF, camel, connectionTypes, connectRows, PAGE_ARGS, type PageArgs, readPage } from './connections.ts'
import type { Context } from './context.ts'
import { JsonText } from './json.ts'
import { nullIfMissing } from './missing.ts'
import { momentAsked } from './moments.ts'

/** A record on its way to the fields that are asked for. */
export interface RecordSource {
  readonly dataset: string
  readonly id: string
  readonly asOf: Moment | undefined
}

/** What a record, or a version of it, was made of; null: it was pushed. */
export function originSource(row: Row) {
  const { origin } = originOf(row)
  return origin === undefined ? null : camel(origin)
}

function recordSource(services: Services, row: Row, asOf: Moment | undefined) {
  const { dataset, id, version, updated_at } = row as Row & { dataset: string; id: string }
  return {
    ...{ dataset, id, version, asOf },
    data: new JsonText(row.data as string),
    updatedAt: updated_at,
    origin: originSource(row),
    position: () => encodePosition(placeOfRecord(services, row)),
  }
}

export interface RecordsArgs extends PageArgs {
  readonly where?: JsonText | null
}

/** A text as in REST, or an object. */
function whereText(where: JsonText | null | undefined): string | null {
  if (!where) return null
  const { text } = where
  if (text.startsWith('{') || text === 'null') return text === 'null' ? null : text
  if (text.startsWith('"')) return JSON.parse(text)
  throw invalid('where', 'expected an object of fields to values, or a text such as delay>=30')
}

/** A data set's records. */
export function recordsOf(dataset: string, args: RecordsArgs, { asked }: Context, asOf: Moment | undefined) {
  const { services } = asked.request
  const fields = readWhere(whereText(args.where))
  const read = (limit: number, after: string | undefined) =>
    recordsPage(services, { dataset, after, fields, limit, asOf })
  return connectRows(readPage(args), 'id', read, (row: Row) => recordSource(services, row, asOf))
}

/** The record of this id in a data set of this name in the log; null when there is none. */
export async function recordById({ asked }: Context, dataset: string, id: string, asOf?: Moment) {
  const { services } = asked.request
  const row = await nullIfMissing(findRecord(services, dataset, id, asOf))
  return row && recordSource(services, row, asOf)
}

export const recordTypes = `
  extend type Query {
    """A data set's records, in the order of their ids."""
    records(
      """The id, name or title of the data set."""
      dataset: String!,${PAGE_ARGS},
      """Conditions on fields of their data, such as {delay: {gte: 30}} or \\"delay>=30\\"."""
      where: JSON,${AS_OF}
    ): RecordConnection
    """One record; null when there is none of this id."""
    record("The id, name or title of its data set." dataset: String!, "Its id." id: ID!, ${AS_OF}): Record
  }
  """What was pushed under one id, as it stands."""
  type Record {
    """Its id, as it was pushed."""
    id: ID!
    """The name in the log of its data set."""
    dataset: String!
    """What it holds, as it was pushed: numbers keep their digits."""
    data: JSON!
    """Counts from 1, one more with each change."""
    version: Int!
    """When it last changed."""
    updatedAt: DateTime!
    """The record that a dilution or an augmentation has made it of; null: it was pushed."""
    origin: Origin
    """A place that includes what made it so."""
    position: String!
  }
  """The record that one was made of."""
  type Origin {
    """The id of the data set that it is from."""
    datasetId: ID!
    """Its id there."""
    recordId: ID!
    """What made it: dilution, or a strategy of augmentation."""
    strategy: String!
    """What the choice, or the chances of the strategy, followed from."""
    seed: String!
  }
  ${connectionTypes('Record', 'records')}`

export const recordResolvers = {
  Query: {
    async records(_: unknown, args: RecordsArgs & { dataset: string; asOf?: string | null }, context: Context) {
      const asOf = await momentAsked(context, args.asOf, DATASET_TOPICS)
      const { name } = await findDataset(context.asked.request.services.store, args.dataset, asOf)
      return recordsOf(name as string, args, context, asOf)
    },
    async record(_: unknown, args: { dataset: string; id: string; asOf?: string | null }, context: Context) {
      const asOf = await momentAsked(context, args.asOf, DATASET_TOPICS)
      const finding = findDataset(context.asked.request.services.store, args.dataset, asOf)
      const found = await nullIfMissing(finding)
      return found && recordById(context, found.name as string, args.id, asOf)
    },
  },
}
