import { DomainError, type ErrorCode } from '../kernel/errors.ts'

/** The HTTP status of each error code: the only place that knows. */
const STATUS: Record<ErrorCode, number> = {
  VALIDATION_ERROR: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  GONE: 410,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  UNPROCESSABLE: 422,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  UNAVAILABLE: 503,
  NOT_YET_PROJECTED: 504,
}

export const ERROR_CODES = Object.keys(STATUS) as ErrorCode[]

/** WebSocket close codes; docs/websocket.md tells clients what to do about each. */
export const CLOSE = {
  badMessage: 4400,
  token: 4401,
  scope: 4403,
  slow: 4408,
  tooLarge: 4413,
  rate: 4429,
  shutdown: 1001,
  failed: 1011,
}

export interface Problem {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: {
    error: {
      code: ErrorCode
      message: string
      details: readonly { field: string; message: string }[]
      request_id: string
    }
  }
}

/** What a caller is told of an error. Anything that is not a DomainError is masked. */
export function problemOf(error: unknown, requestId: string): Problem {
  const known =
    error instanceof DomainError
      ? error
      : new DomainError('INTERNAL_ERROR', 'something went wrong on our side; the request id is in our logs')
  const { code, message, details, retryAfter } = known
  const headers: Record<string, string> = {}
  if (retryAfter !== undefined) headers['Retry-After'] = String(Math.max(1, Math.ceil(retryAfter)))
  if (code === 'UNAUTHORIZED') headers['WWW-Authenticate'] = 'Bearer realm="superinsight-sync"'
  return { status: STATUS[code], headers, body: { error: { code, message, details, request_id: requestId } } }
}

/** The RFC 6749 error name that stock OAuth2 clients look for. */
export function oauthError(error: unknown): string {
  const code = error instanceof DomainError ? error.code : 'INTERNAL_ERROR'
  if (code === 'INTERNAL_ERROR') return 'server_error'
  if (code === 'UNAVAILABLE' || code === 'RATE_LIMITED') return 'temporarily_unavailable'
  if (error instanceof OAuthError) return error.oauth
  return 'invalid_request'
}

/** A DomainError that also says which RFC 6749 error it is. */
export class OAuthError extends DomainError {
  readonly oauth: string
  constructor(code: ErrorCode, oauth: string, message: string) {
    const [, field] = /^([a-z_]+): /.exec(message) ?? []
    super(code, message, field === undefined ? {} : { details: [{ field, message: message.slice(field.length + 2) }] })
    this.oauth = oauth
  }
}
