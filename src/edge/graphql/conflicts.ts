import { encodePosition, type Position } from '../../kernel/position.ts'
import type { Row } from '../../kernel/projection.ts'
import type { Moment } from '../../store/store.ts'
import { check } from '../body.ts'
import {
  CONFLICT_TOPICS,
  conflictFilter,
  conflictsPage,
  findConflict,
  placeOfConflict,
  shownConflict,
} from '../conflicts.ts'
import { AS_OF, camel, connectionTypes, connectRows, PAGE_ARGS, type PageArgs, readPage } from './connections.ts'
import type { Context } from './context.ts'
import { JsonText } from './json.ts'
import { nullIfMissing } from './missing.ts'
import { momentAsked, renamed } from './moments.ts'
import { recordById } from './records.ts'

interface ConflictsArgs extends PageArgs {
  readonly status?: string | null
  readonly dataset?: string | null
  readonly recordId?: string | null
  readonly type?: string | null
  readonly asOf?: string | null
}

/** A conflict on its way to the fields that are asked for; its place is its record's unless said. */
export function conflictSource({ asked }: Context, row: Row, asOf: Moment | undefined, position?: Position) {
  const { services } = asked.request
  return {
    ...camel(shownConflict(row)),
    current: side(row.current),
    incoming: side(row.incoming),
    position: () => encodePosition(position ?? placeOfConflict(services, row)),
    asOf,
  }
}

const side = (data: unknown) => (data === null ? null : new JsonText(data as string))

function filterOf({ status, dataset, recordId, type }: ConflictsArgs): Record<string, string> {
  const given = Object.entries({ status, dataset, record_id: recordId, type }).filter(([, value]) => value)
  try {
    return check(Object.fromEntries(given), conflictFilter) as Record<string, string>
  } catch (error) {
    throw renamed(error, 'record_id', 'recordId')
  }
}

export const conflictTypes = `
  extend type Query {
    """Conflicts, in the order they were found."""
    conflicts(${PAGE_ARGS},
      """open or resolved."""
      status: String,
      """Those of the data set of this name in the log."""
      dataset: String,
      """Those of the record of this id."""
      recordId: String,
      """version, concurrent_field, delete_update or insert_insert."""
      type: String,${AS_OF}
    ): ConflictConnection
    """One conflict; null when there is none of this id."""
    conflict("Its id." id: ID!, ${AS_OF}): Conflict
  }
  """Two sides of one record, and which of them stands."""
  type Conflict {
    """Its id."""
    id: ID!
    """The name in the log of the data set."""
    dataset: String!
    """The id of the record."""
    recordId: ID!
    """The record as it stands; null when it was deleted."""
    record: Record
    """version, concurrent_field, delete_update or insert_insert."""
    type: String!
    """open or resolved."""
    status: String!
    """What the record was when it was found; null: it was not there."""
    current: JSON
    """What came in against it; null: that it be deleted."""
    incoming: JSON
    """Which side stands: accept_incoming, keep_current or merge; null while it is open."""
    resolution: String
    """The policy that found it."""
    policy: String!
    """The fields that both sides changed."""
    fields: [String!]!
    """Who sent what came in."""
    source: String!
    """The version of the record when it was found."""
    currentVersion: Int
    """The version that what came in was made from."""
    incomingVersion: Int
    """When the record as it was had changed, as it was said."""
    currentUpdatedAt: String
    """When what came in had changed, as it was said."""
    incomingUpdatedAt: String
    """The request that brought it."""
    requestId: String!
    """The job that brought it."""
    jobId: ID
    """When it was found."""
    detectedAt: DateTime!
    """Who decided it."""
    resolvedBy: String
    """When it was decided."""
    resolvedAt: DateTime
    """Who opened it again."""
    reopenedBy: String
    """When it was opened again."""
    reopenedAt: DateTime
    """A place that includes the record that was in conflict."""
    position: String!
  }
  ${connectionTypes('Conflict', 'conflicts')}`

export const conflictResolvers = {
  Query: {
    async conflicts(_: unknown, args: ConflictsArgs, context: Context) {
      const { services } = context.asked.request
      const equal = filterOf(args)
      const page = readPage(args)
      const asOf = await momentAsked(context, args.asOf, CONFLICT_TOPICS)
      const read = (limit: number, after: string | undefined) => conflictsPage(services, { equal, after, limit, asOf })
      return connectRows(page, 'id', read, row => conflictSource(context, row, asOf))
    },
    async conflict(_: unknown, { id, asOf: text }: { id: string; asOf?: string | null }, context: Context) {
      const { services } = context.asked.request
      const asOf = await momentAsked(context, text, CONFLICT_TOPICS)
      const row = await nullIfMissing(findConflict(services, id, asOf))
      return row && conflictSource(context, row, asOf)
    },
  },
  Conflict: {
    record(
      { dataset, recordId, asOf }: { dataset: string; recordId: string; asOf: Moment | undefined },
      _: object,
      context: Context,
    ) {
      return recordById(context, dataset, recordId, asOf)
    },
  },
}
