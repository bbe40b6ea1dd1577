/*
 * Addresses of servers, as settings give them. They may hold a password, and most of all when they are spelled wrong
 * nobody knows where.
 */

const HIDDEN = '***'

/**
 * An address as it may be shown: user and password are left out, and whatever else may be one. A password may have any
 * character when it was not encoded, so all up to the last @ is taken for it.
 */
export function withoutPassword(address: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)?(.*)$/is.exec(address) ?? []
  const host = rest.slice(rest.lastIndexOf('@') + 1)
  const shown = host
    // `postgres://user:password` and `redis://:password`, where the host was forgotten.
    .replace(/^([^:/?#[]*):(?!\d{1,5}(?:[/?#,]|$))[^/]+/, `$1:${HIDDEN}`)
    .replace(/^:[^/]+/, `:${HIDDEN}`)
    .replace(/(pass\w*|pwd|secret|token)\s*=[^&;]*/gi, `$1=${HIDDEN}`)
  return `${scheme}${host === rest ? '' : `${HIDDEN}@`}${shown.slice(0, 200)}`
}

/** Whether a text is the URL of an HTTP server. */
export function isHttpUrl(text: string): boolean {
  const url = parse(text)
  return url !== undefined && ['http:', 'https:'].includes(url.protocol) && isDecodable(url)
}

/** Whether a text is the URL of a Redis, with or without the number of a database. */
export function isRedisUrl(text: string): boolean {
  const url = parse(text)
  if (url === undefined || url.hostname === '' || !/^(\/\d*)?$/.test(url.pathname)) return false
  return ['redis:', 'rediss:'].includes(url.protocol) && isDecodable(url)
}

/**
 * Whether a text is the URL of a PostgreSQL database. The host may be missing: then the server is on this machine, or a
 * socket that the parameter `host` names.
 */
export function isPostgresUrl(text: string): boolean {
  const url = parse(text.replace('@/', '@localhost/'))
  return url !== undefined && ['postgres:', 'postgresql:'].includes(url.protocol) && url.href.includes('://')
}

/** Whether a text is a host, by name or IPv4 address, and a port. */
export function isHostAndPort(text: string): boolean {
  const port = /^[a-z0-9._-]+:(\d{1,5})$/i.exec(text)?.[1]
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}
