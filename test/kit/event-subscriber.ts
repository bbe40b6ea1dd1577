import { get, type IncomingMessage } from 'node:http'
import type { Service } from './service.ts'
import type { Subscriber, Told } from './subscriber.ts'

/**
 * A client of Server-Sent Events that does as a browser's EventSource does, and knows no more: when an answer has ended
 * it asks again, with the id of the last event it saw.
 */
export function createEventSubscriber(filters: object = {}): Subscriber {
  const told: Told[] = []
  const errors: string[] = []
  const history: string[] = []
  let lastId: string | undefined
  let resyncs = 0
  let current: { response: IncomingMessage | undefined; destroy: () => void; closed: Promise<void> } | undefined
  let paused = false

  function take(block: string): void {
    const id = /^id: (.*)$/m.exec(block)?.[1]
    const data = /^data: (.*)$/m.exec(block)?.[1]
    if (id !== undefined) lastId = id
    if (data === undefined) return
    const { type, payload, position } = JSON.parse(data)
    if (type === 'error') errors.push(data)
    if (type === 'resync_required') resyncs++
    if (type !== 'record_change') return void history.push(`after ${told.length} changes: ${data}`)
    const { operation, table, record_id, changes } = payload
    told.push({ position, operation, dataset: table, id: record_id, changes: JSON.stringify(changes) })
  }

  function connect(service: Pick<Service, 'url' | 'token'>, onEnd: () => void = () => undefined): Promise<void> {
    history.push(`after ${told.length} changes: Last-Event-ID ${lastId}`)
    const answered = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    const over = (why: string) => {
      history.push(`after ${told.length} changes: ${why}`)
      answered.resolve()
      closed.resolve()
    }
    const headers = { authorization: `Bearer ${service.token}`, ...(lastId ? { 'last-event-id': lastId } : {}) }
    const query = `filters=${encodeURIComponent(JSON.stringify(filters))}`
    const request = get(`${service.url}/stream?${query}`, { headers, agent: false }, response => {
      if (response.statusCode !== 200) errors.push(`answered ${response.statusCode}`)
      connection.response = response
      if (paused) response.pause()
      let rest = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        const blocks = (rest + chunk).split('\n\n')
        rest = blocks.pop()!
        for (const block of blocks) take(block)
        if (blocks.length > 0) answered.resolve()
      })
      response.on('error', error => over(String(error)))
      response.on('close', () => {
        over(response.complete ? 'ended' : 'cut')
        if (connection !== current) return
        if (response.complete) void connect(service, onEnd)
        else onEnd()
      })
    })
    const connection: NonNullable<typeof current> = {
      response: undefined,
      destroy: () => request.destroy(),
      closed: closed.promise,
    }
    request.on('error', error => {
      over(String(error))
      // Else the end of the answer tells.
      if (connection === current && !connection.response) onEnd()
    })
    current = connection
    return answered.promise
  }

  return {
    told,
    errors,
    history,
    get position() {
      return lastId
    },
    get resyncs() {
      return resyncs
    },
    connect,
    pause() {
      paused = true
      current?.response?.pause()
    },
    resume() {
      paused = false
      current?.response?.resume()
    },
    cut: () => current?.destroy(),
    async disconnect() {
      const closing = current
      current = undefined
      closing?.destroy()
      await closing?.closed
    },
  }
}
