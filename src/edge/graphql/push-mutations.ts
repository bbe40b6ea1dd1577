import { DomainError } from '../../kernel/errors.ts'
import { fingerprintOf } from '../idempotency/fingerprint.ts'
import { checkKey, onceUnder } from '../idempotency/once.ts'
import { readMend } from '../rejections.ts'
import type { Reply } from '../router.ts'
import { takeBatch } from '../routes/push.ts'
import { replayRejection } from '../routes/rejected.ts'
import { camel } from './connections.ts'
import type { Context } from './context.ts'
import { type JsonText, stringifyExact } from './json.ts'

export const pushMutationTypes = `
  extend type Mutation {
    """
    Pushes records as POST /push/batch does, and counts as a push. Records that are refused do not stop the others: they
    are told in errors, and kept among the rejected ones. When all are refused it is an error.
    """
    pushRecords(
      """Where they go, unless a record says otherwise; source unless given."""
      dataset: String,
      """Who sends them; the name of the caller's client or key unless given."""
      source: String,
      """Records: {id, data, metadata?: {version?, updated_at?}, op?: \\"upsert\\" or \\"delete\\", dataset?}."""
      records: [JSON!]!,
      """How they are taken."""
      options: PushOptions,
      """The same key and records again are answered as they were, and stored once."""
      idempotencyKey: String
    ): Push
    """Sends a record in again that was refused, mended or as it was; counts as a push."""
    replayRejected(
      """Its id among the rejected ones."""
      id: ID!,
      """The mended data."""
      data: JSON,
      """The mended id."""
      recordId: ID
    ): Replay
  }
  """How pushed records are taken."""
  input PushOptions {
    """false: one whose id is there already is a conflict."""
    upsert: Boolean
    """Whether they are held against the data set's schema."""
    validate: Boolean
    """Whether the data set's transformations are applied."""
    transform: Boolean
    """durable: when the log has them; projected: when reads see them."""
    ack: String
  }
  """What came of a push."""
  type Push {
    """The request it was part of."""
    requestId: ID!
    """How many records were taken."""
    accepted: Long!
    """How many were refused."""
    rejected: Long!
    """Why, for a hundred of them at most."""
    errors: [PushError!]!
    """How long it took."""
    processingTimeMs: Float!
    """A place that includes all of them."""
    position: String
  }
  """Why a record was refused."""
  type PushError {
    """Which of the records it is, from 0."""
    index: Int!
    """Its id, when it could be read."""
    id: ID
    """The field that is wrong."""
    field: String
    """What is wrong, for programs."""
    code: String!
    """What is wrong."""
    message: String!
    """Whether the same record may be taken another time."""
    retryable: Boolean!
  }
  """A refused record that was sent in again."""
  type Replay {
    """Its id among the rejected ones."""
    id: ID!
    """A place that includes the record."""
    position: String!
  }`

interface PushArgs {
  readonly dataset?: string | null
  readonly source?: string | null
  readonly records: readonly JsonText[]
  readonly options?: Record<string, unknown> | null
  readonly idempotencyKey?: string | null
}

const withoutNulls = (given: object) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))

/** What a push was answered, as the API answers it over HTTP. */
interface PushBody {
  readonly error?: { message: string; details: { field: string; message: string }[] }
  readonly errors: object[]
}

/** The answer to a push; thrown when none of it was taken. */
function shownPush({ body }: Reply) {
  const answer = (typeof body === 'string' ? JSON.parse(body) : body) as PushBody
  if (answer.error) {
    const { message, details } = answer.error
    throw new DomainError('VALIDATION_ERROR', message, { details })
  }
  return { ...camel(answer), errors: answer.errors.map(camel) }
}

export const pushMutations = {
  Mutation: {
    async pushRecords(_: unknown, { records, idempotencyKey, ...args }: PushArgs, { asked: { request } }: Context) {
      const { exchange, principal } = request
      const options = withoutNulls(args.options ?? {})
      const bytes = Buffer.from(stringifyExact({ ...withoutNulls({ ...args, options }), records }))
      const push = () => takeBatch(request, bytes, Date.now())
      if (idempotencyKey === null || idempotencyKey === undefined) return shownPush(await push())
      const key = checkKey('idempotencyKey', idempotencyKey)
      const fingerprint = fingerprintOf(exchange, [], bytes)
      const once = { scope: `${principal.id} graphql pushRecords`, key, header: 'idempotencyKey', fingerprint }
      return shownPush(await onceUnder(request, once, push))
    },
    replayRejected(
      _: unknown,
      { id, data, recordId }: { id: string; data?: JsonText | null; recordId?: string | null },
      { asked: { request } }: Context,
    ) {
      const { jsonDepth } = request.services.config
      const given = withoutNulls({ data: data ?? null, record_id: recordId ?? null })
      const body = Object.keys(given).length === 0 ? Buffer.alloc(0) : Buffer.from(stringifyExact(given))
      return replayRejection(request, id, readMend(body, jsonDepth))
    },
  },
}
