/** Longest that a source is left alone because it asked for it. */
const MAX_WAIT_MS = 86_400_000

/**
 * When a source that answered with Retry-After (RFC 9110, 10.2.3) wants to be asked again, milliseconds since 1970: it
 * says seconds, or a time, which is taken by the source's own clock when it tells that. Undefined when it says neither.
 */
export function retryAfter(header: unknown, date: unknown, now: number): number | undefined {
  if (typeof header !== 'string') return undefined
  const text = header.trim()
  const wait = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : timeOf(text) - (timeOf(date) || now)
  if (Number.isNaN(wait)) return undefined
  return now + Math.min(MAX_WAIT_MS, Math.max(0, wait))
}

/** The moment that an HTTP-date says, in any of its three forms. */
function timeOf(text: unknown): number {
  if (typeof text !== 'string' || !/\d\d:\d\d:\d\d/.test(text)) return Number.NaN
  // Only the oldest form names no zone; it means GMT like the others.
  return Date.parse(/GMT|UTC|[+-]\d{4}|Z$/.test(text) ? text : `${text} GMT`)
}
