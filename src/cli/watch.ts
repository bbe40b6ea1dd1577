import type { Config } from '../config.ts'
import { DomainError } from '../kernel/errors.ts'
import { fetchToken, serviceUrl } from './client.ts'

export interface WatchOptions {
  dataset?: string | undefined
  since?: string | undefined
  /** End after so many changes; undefined: go on. */
  count?: number | undefined
}

const TRIES = 10
const RETRY_MS = 500

interface Watched {
  left: number
  /** Where to continue from. */
  since: string | undefined
}

/**
 * Prints every message of a subscription as a line until `count` changes have come. A connection that breaks is made
 * again and continues after the last message, so nothing is missed or printed twice.
 */
export async function watch(config: Config, { dataset, since, count }: WatchOptions): Promise<void> {
  const watched: Watched = { left: count ?? Number.POSITIVE_INFINITY, since }
  for (let tries = 0; watched.left > 0; tries++) {
    const url = `${serviceUrl(config).replace(/^http/, 'ws')}/ws?token=${await fetchToken(config)}`
    const before = watched.since
    const why = await listen(url, dataset === undefined ? {} : { dataset }, watched)
    if (watched.since !== before) tries = 0
    if (watched.left > 0 && tries >= TRIES) throw new DomainError('UNAVAILABLE', `the socket was closed: ${why}`)
    if (watched.left > 0) await new Promise(resolve => setTimeout(resolve, RETRY_MS))
  }
}

/** One connection's life; resolves with why it ended. */
function listen(url: string, filters: object, watched: Watched): Promise<string> {
  const socket = new WebSocket(url)
  return new Promise(resolve => {
    socket.onopen = () => {
      const from = watched.since === undefined ? {} : { since: watched.since }
      socket.send(JSON.stringify({ type: 'subscribe', payload: { channel: 'sync_updates', filters, ...from } }))
    }
    socket.onmessage = ({ data }) => {
      console.log(String(data))
      const { type, position } = JSON.parse(String(data))
      watched.since = position
      if (type === 'resync_required') socket.close()
      if (type === 'record_change' && --watched.left <= 0) socket.close()
    }
    socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`)
  })
}
