/** The closed list of what can go wrong. `edge/problem.ts` alone knows which number each one has on the wire. */
export type ErrorCode =
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'VALIDATION_ERROR'
  | 'RATE_LIMITED'
  | 'CONFLICT'
  | 'GONE'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'UNPROCESSABLE'
  | 'UNAVAILABLE'
  | 'NOT_YET_PROJECTED'
  | 'INTERNAL_ERROR'

/** One thing that is wrong with one field; `field` is a dotted path such as `records.0.id`. */
export interface ErrorDetail {
  field: string
  message: string
}

/** A failure whose message the caller may read. Every other error is an INTERNAL_ERROR and is masked at the edge. */
export class DomainError extends Error {
  readonly code: ErrorCode
  readonly details: readonly ErrorDetail[]
  /** Seconds after which the same request may succeed, for RATE_LIMITED and UNAVAILABLE. */
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, more: { details?: readonly ErrorDetail[]; retryAfter?: number } = {}) {
    super(message)
    this.name = 'DomainError'
    this.code = code
    this.details = more.details ?? []
    this.retryAfter = more.retryAfter
  }
}

/** A VALIDATION_ERROR about one field. */
export function invalid(field: string, message: string): DomainError {
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details: [{ field, message }] })
}
