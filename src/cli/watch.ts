import type { Config } from '../config.ts'
import { DomainError } from '../kernel/errors.ts'
import { fetchToken, serviceUrl } from './client.ts'

export interface WatchOptions {
  dataset?: string | undefined
  since?: string | undefined
  /** End after so many changes; undefined: go on. */
  count?: number | undefined
}

/** Prints every message of a subscription as a line, until the socket closes or `count` changes have come. */
export async function watch(config: Config, { dataset, since, count }: WatchOptions): Promise<void> {
  const socket = new WebSocket(`${serviceUrl(config).replace(/^http/, 'ws')}/ws?token=${await fetchToken(config)}`)
  const filters = dataset === undefined ? {} : { dataset }
  let left = count ?? Number.POSITIVE_INFINITY
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => {
      const payload = { channel: 'sync_updates', filters, ...(since === undefined ? {} : { since }) }
      socket.send(JSON.stringify({ type: 'subscribe', payload }))
    }
    socket.onmessage = ({ data }) => {
      console.log(String(data))
      if (JSON.parse(String(data)).type === 'record_change' && --left <= 0) socket.close()
    }
    socket.onclose = ({ code, reason }) => {
      if (left <= 0 || code === 1000) return resolve()
      reject(new DomainError('UNAVAILABLE', `the socket was closed: ${code} ${reason}`))
    }
  })
}
