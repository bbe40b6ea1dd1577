import { showHidden } from '../../intake/hidden.ts'
import type { Row } from '../../kernel/projection.ts'
import { jobs, type RunState, runs } from '../../projections/jobs.ts'
import type { Moment } from '../../store/store.ts'
import { configOf, JOB_TOPICS, jobColumns, shownJob, shownJobInFull, shownRun } from '../jobs.ts'
import { AS_OF, camel, connectionTypes, connectRows, PAGE_ARGS, type PageArgs, readPage } from './connections.ts'
import type { Context } from './context.ts'
import { momentAsked } from './moments.ts'

/** A job on its way to the fields that are asked for. */
export interface JobSource {
  readonly row: Row
  readonly asOf: Moment | undefined
}

export function jobSource(row: Row, asOf: Moment | undefined) {
  return { ...camel(shownJob(row, asOf)), row, asOf }
}

function runSource(row: Row, job: Pick<JobSource, 'asOf'>) {
  return { ...camel(shownRun(row as unknown as RunState)), jobId: row.job_id, asOf: job.asOf, position: row.position }
}

/** The job of this id; null when there is none. */
async function jobById({ asked }: Context, id: string, asOf?: Moment) {
  const [row] = await asked.request.services.store.load(jobs, [[id]], asOf)
  return row && row.deleted !== 1 ? jobSource(row, asOf) : null
}

/** As the REST API shows it, worked out once for all the fields that need it. */
const inFull = new WeakMap<Row, Promise<Record<string, unknown>>>()

function full({ row, asOf }: JobSource, { asked }: Context): Promise<Record<string, unknown>> {
  let shown = inFull.get(row)
  if (!shown) {
    shown = shownJobInFull(asked.request.services, row, asOf).then(camel)
    inFull.set(row, shown)
  }
  return shown
}

const fromFull = (name: string) => async (job: JobSource, _: object, context: Context) =>
  name in job ? (job as unknown as Record<string, unknown>)[name] : (await full(job, context))[name]

interface JobsArgs extends PageArgs {
  readonly status?: string | null
  readonly connectorType?: string | null
  readonly asOf?: string | null
}

export const jobTypes = `
  extend type Query {
    """Jobs, in the order they were made."""
    jobs(${PAGE_ARGS},
      """pending, running, paused, waiting, completed, failed or cancelled."""
      status: String,
      """The type of their connector, such as rest_api or file."""
      connectorType: String,${AS_OF}
    ): JobConnection
    """One job; null when there is none of this id."""
    job("Its id." id: ID!, ${AS_OF}): Job
  }
  """What brings data in from elsewhere, once or by a schedule."""
  type Job {
    """Its id."""
    id: ID!
    """What it was called by whoever made it."""
    name: String!
    """What it reads from: rest_api, eventstore, file …"""
    connectorType: String!
    """pending, running, paused, waiting, completed, failed or cancelled."""
    status: String!
    """Of its last run, in percent; null when nobody knows how much there is."""
    progress: Float
    """Records that its last run has done."""
    recordsProcessed: Long!
    """Records that its last run has to do, when that is known."""
    recordsTotal: Long
    """Records of its last run that were refused."""
    recordsRejected: Long!
    """When its last run began."""
    startedAt: DateTime
    """When its last run ended."""
    endedAt: DateTime
    """When the run under way may be done."""
    eta: DateTime
    """When it was made."""
    createdAt: DateTime!
    """When it last changed."""
    updatedAt: DateTime!
    """When a run that waits goes on."""
    waitingUntil: DateTime
    """What it reads from, with its settings; secrets are \\"***\\"."""
    connector: JSON!
    """When it runs."""
    schedule: JSON!
    """What is done with each row."""
    transformations: JSON!
    """Where its rows go."""
    destination: JSON!
    """The next times of its schedule, five at most."""
    nextRuns: [DateTime!]!
    """The last time of its schedule that had no run of its own, and why."""
    lastSkipped: JSON
    """Why its last run failed: code, message, details."""
    error: JSON
    """What its last run gave."""
    result: JSON
    """Its run under way, or its last one."""
    runId: ID
    """A place that includes its last event and all that its last run has brought."""
    position: String!
    """Its runs, in the order they were queued."""
    runs(${PAGE_ARGS}): RunConnection!
    """What its runs told."""
    logs(${PAGE_ARGS},
      """The last so many instead, in the same order."""
      last: Int,
      """The least level: debug, info, warning or error."""
      level: String,
      """Not before this time."""
      since: String,
      """Not after this time."""
      until: String
    ): LogConnection!
  }
  """A job's run."""
  type Run {
    """Its id."""
    id: ID!
    """The job it is of."""
    jobId: ID!
    """The same, with all there is to know of it."""
    job: Job
    """pending, running, paused, waiting, completed, failed or cancelled."""
    status: String!
    """What it was started by: manual or schedule."""
    trigger: String!
    """In percent; null when nobody knows how much there is."""
    progress: Float
    """Records that it has done."""
    recordsProcessed: Long!
    """Records that it has to do, when that is known."""
    recordsTotal: Long
    """Records that were refused."""
    recordsRejected: Long!
    """The time of the schedule that it is for."""
    scheduledAt: DateTime
    """When it was asked for."""
    queuedAt: DateTime!
    """When it began."""
    startedAt: DateTime
    """When it ended."""
    endedAt: DateTime
    """When it goes on, if it waits."""
    waitingUntil: DateTime
    """Why it failed: code, message, details."""
    error: JSON
    """What it gave."""
    result: JSON
    """Includes all that it has brought, once it is over."""
    position: String
  }
  ${connectionTypes('Job', 'jobs', '"""How many there are in all."""\n totalCount: Int!')}
  ${connectionTypes('Run', 'runs')}`

const IN_FULL = ['endedAt', 'waitingUntil', 'nextRuns', 'lastSkipped', 'runId', 'updatedAt', 'position'] as const

export const jobResolvers = {
  Query: {
    async jobs(_: unknown, args: JobsArgs, context: Context) {
      const { store } = context.asked.request.services
      const page = readPage(args)
      const equal = jobColumns(args.status, args.connectorType)
      const asOf = await momentAsked(context, args.asOf, JOB_TOPICS)
      const read = (limit: number, after: string | undefined) =>
        store.page({ table: jobs, equal, limit, ...(after === undefined ? {} : { after }), asOf })
      const connection = await connectRows(page, 'id', read, row => jobSource(row, asOf))
      return { ...connection, totalCount: () => store.count({ table: jobs, equal, asOf }) }
    },
    async job(_: unknown, { id, asOf }: { id: string; asOf?: string | null }, context: Context) {
      return jobById(context, id, await momentAsked(context, asOf, JOB_TOPICS))
    },
  },
  Job: {
    ...Object.fromEntries(IN_FULL.map(name => [name, fromFull(name)])),
    connector: ({ row }: JobSource) => showHidden(configOf(row)).connector,
    schedule: fromFull('schedule'),
    transformations: fromFull('transformations'),
    destination: fromFull('destination'),
    recordsRejected: fromFull('recordsRejected'),
    error: fromFull('error'),
    result: fromFull('result'),
    runs({ row, asOf }: JobSource, args: PageArgs, { asked }: Context) {
      const { store } = asked.request.services
      const read = (limit: number, after: string | undefined) =>
        store.page({ table: runs, equal: { job_id: row.id! }, limit, ...(after === undefined ? {} : { after }), asOf })
      return connectRows(readPage(args), 'id', read, run => runSource(run, { asOf }))
    },
  },
  Run: {
    job: ({ jobId, asOf }: { jobId: string; asOf: Moment | undefined }, _: object, context: Context) =>
      jobById(context, jobId, asOf),
  },
}
