import type { Config } from '../config.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import { pause } from '../kernel/pause.ts'
import { fetchToken, serviceUrl } from './client.ts'
import { command } from './command.ts'

export const watch = command({
  name: 'watch',
  summary: 'prints changes as they happen, a JSON line each',
  options: {
    dataset: { value: 'D', about: 'only changes of this data set' },
    since: { value: 'POSITION', about: 'first all changes after this position; from now on unless said' },
    count: { value: 'N', about: 'end after so many changes; goes on until Ctrl-C unless said' },
  },
  about: `Prints the messages of a WebSocket as they come. A connection that breaks is made again and goes on after the last
message, so nothing is missed or printed twice, also over a restart of the service.`,
  examples: [
    { about: 'the next two changes of a data set', line: 'superinsight-sync watch --dataset products --count 2' },
    {
      about: 'all that came after a push whose answer named this position, and what comes',
      line: 'superinsight-sync watch --since "$POSITION"',
    },
  ],
  async run({ config, options: { dataset, since, count } }) {
    const most = count === undefined ? Number.POSITIVE_INFINITY : Number(count)
    if (count !== undefined && !(Number.isInteger(most) && most > 0)) {
      throw invalid('--count', `expected a whole number from 1, got ${count}`)
    }
    await follow(config, dataset === undefined ? {} : { dataset }, { left: most, since })
    return 0
  },
})

const TRIES = 10
const RETRY_MS = 500

interface Watched {
  left: number
  /** Where to continue from. */
  since: string | undefined
}

/** Prints every message of a subscription as a line until so many changes have come. */
async function follow(config: Config, filters: object, watched: Watched): Promise<void> {
  for (let tries = 0; watched.left > 0; tries++) {
    const before = watched.since
    const why = await connect(config, filters, watched, tries > 0 || before !== undefined)
    if (watched.since !== before) tries = 0
    if (watched.left > 0 && tries >= TRIES) throw new DomainError('UNAVAILABLE', `the socket was closed: ${why}`)
    if (watched.left > 0) await pause(RETRY_MS)
  }
}

/** `patient`: that no service answers is a connection that has broken too. */
async function connect(config: Config, filters: object, watched: Watched, patient: boolean): Promise<string> {
  const token = await fetchToken(config).catch((error: Error) => {
    if (!patient || !(error instanceof DomainError) || error.code !== 'UNAVAILABLE') throw error
    return error
  })
  if (token instanceof Error) return token.message
  return listen(`${serviceUrl(config).replace(/^http/, 'ws')}/ws?token=${token}`, filters, watched)
}

/** One connection's life; resolves with why it ended. Rejects with why the subscription is refused. */
function listen(url: string, filters: object, watched: Watched): Promise<string> {
  const socket = new WebSocket(url)
  let subscribed = false
  return new Promise((resolve, reject) => {
    socket.onopen = () => {
      const from = watched.since === undefined ? {} : { since: watched.since }
      socket.send(JSON.stringify({ type: 'subscribe', payload: { channel: 'sync_updates', filters, ...from } }))
    }
    socket.onmessage = ({ data }) => {
      const { type, payload, position } = JSON.parse(String(data))
      if (type === 'error' && !subscribed) {
        // One that may be otherwise in a moment is a connection that has broken.
        if (payload.code !== 'UNAVAILABLE') reject(new DomainError(payload.code, payload.message))
        return socket.close()
      }
      subscribed ||= type === 'subscribed'
      console.log(String(data))
      watched.since = position
      if (type === 'resync_required') socket.close()
      if (type === 'record_change' && --watched.left <= 0) socket.close()
    }
    socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`)
  })
}
