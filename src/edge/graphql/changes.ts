import { check } from '../body.ts'
import { type FilterSpec, filterSchema } from '../socket/filter.ts'
import { followChanges } from './change-feed.ts'
import { camelName } from './connections.ts'
import type { Context } from './context.ts'
import { renamed } from './moments.ts'

interface ChangesArgs {
  readonly dataset?: string | null
  readonly recordIds?: readonly string[] | null
  readonly operations?: readonly string[] | null
  readonly fields?: readonly string[] | null
  readonly jobId?: string | null
  readonly eventTypes?: readonly string[] | null
  readonly since?: string | null
}

const COMMON = `
    """What it is, as live messages call it."""
    type: String!
    """Give it as since, and nothing is missed."""
    position: String!
    """When."""
    timestamp: DateTime!`

const ABOUT_RECORD = `
    """The name in the log of the data set."""
    dataset: String!
    """The id of the record."""
    recordId: ID!`

export const changeTypes = `
  """What can be followed, as Server-Sent Events. Each answer has a position to go on from."""
  type Subscription {
    """
    What changes, as live messages tell it; after a position, what has changed since then comes first. Arguments go
    together, of a list one is enough. An error with resync_required in its extensions says where to go on.
    """
    changes(
      """Of the data set of this name in the log."""
      dataset: String,
      """Of the records of these ids."""
      recordIds: [String!],
      """create, update or delete."""
      operations: [String!],
      """Of which one of these fields changed."""
      fields: [String!],
      """Made by this job, or of it."""
      jobId: String,
      """record_created, record_updated, record_deleted, conflict_detected, conflict_resolved, job_status, sync_progress, file_progress."""
      eventTypes: [String!],
      """The position to begin after; with that of the last one that came nothing is missed."""
      since: String
    ): Change!
    """How a job is getting on: its status and its progress."""
    jobProgress("The job's id." id: ID!): Change!
  }
  """Something that changed."""
  interface Change {${COMMON}
  }
  """A record that was made, changed or deleted."""
  type RecordChange implements Change {${COMMON}${ABOUT_RECORD}
    """create, update or delete."""
    operation: String!
    """Each field that changed, with its old and its new value."""
    changes: JSON!
  }
  """A conflict that was found."""
  type ConflictDetected implements Change {${COMMON}${ABOUT_RECORD}
    """Its id."""
    conflictId: ID!
    """version, concurrent_field, delete_update or insert_insert."""
    conflictType: String!
    """Whether somebody has to decide it."""
    resolutionRequired: Boolean!
  }
  """A conflict that was decided."""
  type ConflictResolved implements Change {${COMMON}${ABOUT_RECORD}
    """Its id."""
    conflictId: ID!
    """accept_incoming, keep_current or merge."""
    resolution: String!
  }
  """A job whose status changed."""
  type JobStatus implements Change {${COMMON}
    """The job's id."""
    jobId: ID!
    """pending, running, paused, waiting, completed, failed or cancelled."""
    status: String!
  }
  """A job that got on."""
  type JobProgress implements Change {${COMMON}
    """The job's id."""
    jobId: ID!
    """In percent; null when nobody knows how much there is."""
    progress: Float
    """Records that it has done."""
    recordsProcessed: Long!
    """Records that it has to do, when that is known."""
    recordsTotal: Long
  }`

/** What is asked for under the names that filters have. Throws VALIDATION_ERROR under the names of the arguments. */
function filtersOf({ dataset, recordIds, operations, fields, jobId, eventTypes }: ChangesArgs): FilterSpec {
  const given = { dataset, record_ids: recordIds, operations, fields, job_id: jobId, event_types: eventTypes }
  const asked = Object.entries(given).filter(([, value]) => value !== null && value !== undefined)
  try {
    return check(Object.fromEntries(asked), filterSchema)
  } catch (error) {
    throw Object.keys(given).reduce<unknown>((told, name) => renamed(told, name, camelName(name)), error)
  }
}

export const changeResolvers = {
  Subscription: {
    changes: {
      subscribe: (_: unknown, args: ChangesArgs, { asked }: Context) =>
        followChanges('changes', filtersOf(args), args.since ?? undefined, asked),
    },
    jobProgress: {
      subscribe: (_: unknown, { id }: { id: string }, { asked }: Context) => {
        const event_types: FilterSpec['event_types'] = ['job_status', 'sync_progress']
        return followChanges('jobProgress', { job_id: id, event_types }, undefined, asked)
      },
    },
  },
  Change: {
    __resolveType: ({ kind }: { kind: string }) => kind,
  },
}
