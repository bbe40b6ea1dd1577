import { invalid } from '../../kernel/errors.ts'
import type { Moment } from '../../store/store.ts'
import { DATASET_TOPICS, datasetsPage, findDataset, shownDataset } from '../datasets.ts'
import { cursorAfter } from '../routes/pages.ts'
import { AS_OF, camel, connectionOf, connectionTypes, PAGE_ARGS, type PageArgs, readPage } from './connections.ts'
import type { Context } from './context.ts'
import { nullIfMissing } from './missing.ts'
import { momentAsked } from './moments.ts'
import { type RecordSource, type RecordsArgs, recordById, recordsOf } from './records.ts'

/** A data set on its way to the fields that are asked for. */
export interface DatasetSource {
  /** Its name in the log. */
  readonly dataset: string
  readonly asOf: Moment | undefined
  shown?: Promise<Record<string, unknown>>
}

/** All there is to say of it, asked for once. */
function shown(source: DatasetSource, { asked }: Context): Promise<Record<string, unknown>> {
  source.shown ??= shownDataset(asked.request.services, source.dataset, source.asOf).then(camel)
  return source.shown
}

const fromShown = (name: string) => async (source: DatasetSource, _: object, context: Context) =>
  name in source ? (source as unknown as Record<string, unknown>)[name] : (await shown(source, context))[name]

const FIELDS = [
  ...['id', 'name', 'category', 'categorySource', 'qualityScore', 'recordsCount', 'lastUpdated'],
  ...['position', 'schema', 'schemaContract', 'transformations', 'conflictPolicy'],
]

/** The data set of this id, name or title; null when there is none. */
async function datasetByName({ asked }: Context, given: string, asOf?: Moment): Promise<DatasetSource | null> {
  const row = await nullIfMissing(findDataset(asked.request.services.store, given, asOf))
  return row && { dataset: row.name as string, asOf }
}

interface DatasetsArgs extends PageArgs {
  readonly category?: string | null
  readonly search?: string | null
  readonly qualityMin?: number | null
  readonly asOf?: string | null
}

export const datasetTypes = `
  extend type Query {
    """Data sets, in the order of their names."""
    datasets(${PAGE_ARGS},
      """Those of this category."""
      category: String,
      """Those with this in their name, their category or the name of a column, whatever its case."""
      search: String,
      """Those with at least this score of quality, from 0 to 1."""
      qualityMin: Float,${AS_OF}
    ): DatasetConnection
    """The data set of this id, name or title; null when there is none."""
    dataset("Its id, name or title." id: ID!, ${AS_OF}): Dataset
  }
  """What records of one kind are in, made by its first record."""
  type Dataset {
    """Its id."""
    id: ID!
    """Its name in the log, which never changes."""
    dataset: String!
    """What it is called: its name in the log, unless it was given a title."""
    name: String!
    """What it was put under, or what its columns tell."""
    category: String
    """Which of the two: set or found; null without a category."""
    categorySource: String
    """How good its records are, from 0 to 1; null without records."""
    qualityScore: Float
    """How many records it has."""
    recordsCount: Long!
    """When it last changed."""
    lastUpdated: DateTime!
    """A place that includes its last change."""
    position: String
    """The JSON Schema that its rows are held against."""
    schema: JSON
    """What is done with rows that the schema does not fit: evolve, freeze, discard_row or discard_value."""
    schemaContract: String!
    """What is done with its rows before they go in; secrets are \\"***\\"."""
    transformations: JSON!
    """How conflicts are decided."""
    conflictPolicy: JSON!
    """Its records, in the order of their ids."""
    records(${PAGE_ARGS},
      """Conditions on fields of their data, such as {delay: {gte: 30}} or \\"delay>=30\\"."""
      where: JSON
    ): RecordConnection!
    """One of its records; null when there is none of this id."""
    record("Its id." id: ID!): Record
  }
  extend type Record {
    """Its data set, with all there is to know of it."""
    inDataset: Dataset
  }
  ${connectionTypes('Dataset', 'data sets')}`

export const datasetResolvers = {
  Query: {
    async datasets(_: unknown, args: DatasetsArgs, context: Context) {
      const { first, after } = readPage(args)
      const { category = null, search, qualityMin } = args
      if (typeof qualityMin === 'number' && !(qualityMin >= 0 && qualityMin <= 1))
        throw invalid('qualityMin', `expected a number from 0 to 1, got ${qualityMin}`)
      const asOf = await momentAsked(context, args.asOf, DATASET_TOPICS)
      const filter = { category, search: search ?? '', qualityMin: qualityMin ?? undefined, asOf }
      const asking = { ...filter, after, limit: Math.max(1, first) }
      const { datasets, names, next_cursor } = await datasetsPage(context.asked.request.services.store, asking)
      const edges = datasets.slice(0, first).map((view, n) => {
        return { cursor: cursorAfter(names[n]!), node: { ...camel(view), dataset: names[n]!, asOf } }
      })
      const connection = connectionOf(edges, { first, after }, first === 0 ? datasets.length > 0 : next_cursor !== null)
      // What does not fit is passed over: the next page begins after the last that was looked at.
      return next_cursor === null || first === 0
        ? connection
        : { ...connection, pageInfo: { ...connection.pageInfo, endCursor: next_cursor } }
    },
    async dataset(_: unknown, { id, asOf }: { id: string; asOf?: string | null }, context: Context) {
      return datasetByName(context, id, await momentAsked(context, asOf, DATASET_TOPICS))
    },
  },
  Dataset: {
    ...Object.fromEntries(FIELDS.map(name => [name, fromShown(name)])),
    records: ({ dataset, asOf }: DatasetSource, args: RecordsArgs, context: Context) =>
      recordsOf(dataset, args, context, asOf),
    record: ({ dataset, asOf }: DatasetSource, { id }: { id: string }, context: Context) =>
      recordById(context, dataset, id, asOf),
  },
  Record: {
    inDataset: ({ dataset, asOf }: RecordSource, _: object, context: Context) => datasetByName(context, dataset, asOf),
  },
}
