import { SyncError } from './endings.ts'

const EXPECTED =
  'expected where the API is, such as https://sync.example.com/v1/sync: http or https, no user, query or fragment'
const PROTOCOLS = ['http:', 'https:', 'ws:', 'wss:']

/** The address of the WebSocket of an API. Throws a SyncError when `url` is not where an API can be. */
export function socketAddress(url: string): string {
  const { protocol, host, pathname } = parsed(url)
  return `${protocol.replace('http', 'ws')}//${host}${pathname.replace(/\/+$/, '')}/ws`
}

function parsed(url: string): URL {
  const found = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  const bare = found && !found.username && !found.password && !found.search && !found.hash
  if (!bare || !PROTOCOLS.includes(found.protocol))
    throw new SyncError('VALIDATION_ERROR', `url: ${EXPECTED}; got ${shown(url)}`)
  return found
}

/** Without what may be a secret in it. */
function shown(url: unknown): string {
  if (typeof url !== 'string') return typeof url
  return JSON.stringify(
    url
      .replace(/[?#].*$/s, '…')
      .replace(/\/\/.*@/s, '//…@')
      .slice(0, 200),
  )
}
