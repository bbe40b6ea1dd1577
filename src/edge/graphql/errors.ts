import { GraphQLError } from 'graphql'
import { DomainError, type ErrorCode } from '../../kernel/errors.ts'
import { problemOf } from '../problem.ts'
import type { Request } from '../router.ts'

interface Http {
  readonly status?: number
  readonly spec?: boolean
  readonly headers?: Record<string, string>
}

/** A subscription that has to be made again elsewhere. */
export class ResyncRequired extends DomainError {
  /** Why, for programs, and the position to go on from. */
  readonly resync: object
  constructor(code: ErrorCode, reason: string, resync: object) {
    super(code, reason)
    this.resync = resync
  }
}

/** What was thrown in a resolver, or before; undefined for what GraphQL itself finds wrong with a request. */
function causeOf(error: unknown): unknown {
  if (!(error instanceof GraphQLError)) return error
  return error.originalError ? causeOf(error.originalError) : undefined
}

/** What GraphQL finds wrong is a fault in the request, of one kind or another. */
function faultOf(message: string, { status }: Http): DomainError {
  if (status === 405) return new DomainError('METHOD_NOT_ALLOWED', message)
  return new DomainError('VALIDATION_ERROR', message)
}

/**
 * An error as a client is told of it: the code and details of the API in its `extensions`, its status where there is no
 * data to go with it. What is not for clients is masked, and logged here.
 */
export function shownError(
  error: unknown,
  { exchange, services }: Pick<Request, 'exchange' | 'services'>,
): GraphQLError {
  const found = error instanceof GraphQLError ? error : undefined
  const http = (found?.extensions.http ?? {}) as Http
  const cause = causeOf(error) ?? (found?.extensions.unexpected ? found : faultOf(found!.message, http))
  const { status, headers, body } = problemOf(cause, exchange.requestId)
  const { code, message, details, request_id } = body.error
  if (code === 'INTERNAL_ERROR')
    services.logger.error({ err: cause, request_id: exchange.requestId }, 'a part of a GraphQL request failed')
  // A status of its own is for what is no part of the specification; that of the rest depends on what the client accepts.
  const own = http.spec === undefined ? { status, headers: { ...http.headers, ...headers }, spec: false } : http
  return new GraphQLError(message, {
    ...(found?.nodes ? { nodes: found.nodes } : {}),
    ...(found?.source && !found.nodes ? { source: found.source, positions: found.positions ?? [] } : {}),
    ...(found?.path ? { path: found.path } : {}),
    extensions: {
      ...{ code, details, request_id },
      ...(cause instanceof ResyncRequired ? { resync_required: cause.resync } : {}),
      ...(found?.path ? {} : { http: own }),
    },
  })
}
