import { DomainError } from '../../../../kernel/errors.ts'
import type { Redactor } from '../redact.ts'
import type { Asking } from './client.ts'

export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

/** No origin: what was redirected away from the source stays without its credentials, also when it comes back. */
const NOWHERE = ''

/** The request that a redirect asks for. Throws a DomainError for one that may not be followed. */
export function redirected(asking: Asking, location: string, status: number, redactor: Redactor): Asking {
  const url = nextAddress(location, asking.url, redactor)
  const isHome = url.origin === asking.home
  const keepsBody = status === 307 || status === 308 || asking.method === 'GET'
  const { 'content-type': _type, ...withoutBody } = asking.headers
  return {
    ...asking,
    url: isHome ? url : withoutSecrets(url, redactor),
    home: isHome ? asking.home : NOWHERE,
    ...(keepsBody ? {} : { method: 'GET', body: undefined, headers: withoutBody }),
  }
}

/**
 * An address that a source gives, whole and without what never leads anywhere. Throws a DomainError when it is none, or
 * not as secure as the one it came from.
 */
export function nextAddress(text: string, from: URL, redactor: Redactor): URL {
  const url = URL.canParse(text, from.href) ? new URL(text, from) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw refused(`it leads to ${redactor.text(text).slice(0, 200)}, which is no http address`)
  url.hash = ''
  url.username = ''
  url.password = ''
  if (from.protocol === 'https:' && url.protocol === 'http:')
    throw refused(`it leads from https to ${redactor.url(url)}, where everyone on the way can read along`)
  return url
}

const MIN_SECRET = 8

/**
 * An address without the secrets that a source has put into it: parameters are left out. Throws a DomainError when there
 * is one anywhere else.
 */
export function withoutSecrets(url: URL, redactor: Redactor): URL {
  const bare = new URL(url)
  for (const [name, value] of [...bare.searchParams]) if (redactor.has(value)) bare.searchParams.delete(name, value)
  const parts = [...bare.searchParams.values(), ...bare.pathname.split('/')].map(decode)
  if (parts.some(part => part.length >= MIN_SECRET && redactor.text(part) !== part))
    throw refused(`it leads to ${redactor.url(bare)}, which has a secret of this job in it`)
  return bare
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}

function refused(message: string): DomainError {
  return new DomainError('VALIDATION_ERROR', message)
}
