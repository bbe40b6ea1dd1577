import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, pushBatch, pushLines } from '../kit/api.ts'
import { type HistoryListener, listenToHistory, readHistory } from '../kit/history-listener.ts'
import { openLogAt } from '../kit/logs.ts'
import { retain } from '../kit/retention.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

interface Message {
  name: string
  payload: object
  examples: { payload: object }[]
}
interface Document {
  channels: { history: { address: string; messages: Record<string, { $ref: string }> } }
  components: { messages: Record<string, Message> }
}

let service: Service
let messages: Message[]
/** By what a message is called in the stream. */
const validators = new Map<string, ValidateFunction>()
beforeAll(async () => {
  service = await startService()
  const { channels, components } = (await call<Document>(service, '/asyncapi.json')).body
  expect(channels.history.address).toBe('/v1/sync/events')
  messages = Object.keys(channels.history.messages).map(name => components.messages[name]!)
  const ajv = new Ajv({ strict: true, strictTypes: false })
  formats.default(ajv)
  for (const { name, payload } of messages) validators.set(name, ajv.compile(payload))
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

/** What is wrong with a message by its schema. */
function faults(name: string, data: object): unknown {
  const validate = validators.get(name)
  if (!validate) return `there is no ${name}`
  return validate(data) ? undefined : validate.errors
}

it('has what the history sends as events, with examples that its own schemas take', () => {
  expect([...validators.keys()].sort()).toEqual(['message', 'problem', 'resync_required'])
  for (const { name, examples } of messages)
    for (const { payload } of examples) expect(faults(name, payload), name).toBeUndefined()
})

it('has everything that is sent, as it is sent', async () => {
  const lines = Array.from({ length: 3 }, (_, n) => JSON.stringify({ id: `r${n}`, data: { n } })).join('\n')
  await pushLines(service, 'dataset=kept', lines)
  const { position } = (await pushBatch(service, 'kept', [{ data: {} }, { id: 'r0', data: { n: 9 } }])).body
  await untilProjected(service, position)
  const [first] = await readHistory(service, 'topic=sync.changes')
  const seen = new Set<string>()
  const look = (listener: HistoryListener) => {
    const told = [
      ...listener.told().map(data => ['message', data] as const),
      ...listener.others().map(({ name, data }) => [name, data] as const),
    ]
    for (const [name, data] of told) {
      expect(faults(name, data), JSON.stringify(data).slice(0, 1000)).toBeUndefined()
      seen.add(name)
    }
  }

  const body = { name: 'brief', permissions: ['sync:read'] }
  const { key, id } = (await call<{ key: string; id: string }>(service, '/api-keys', { body })).body
  const ended = await listenToHistory(service, '', { as: null, headers: { 'x-api-key': key } })
  await ended.untilTold(8)
  await call(service, `/api-keys/${id}`, { method: 'DELETE' })
  expect(await ended.closed).toBe('ended')
  look(ended)

  const log = await openLogAt(`embedded:${join(service.dataDir, 'log.db')}`)
  await retain(log, 'sync.changes')
  await log.stop()
  const late = await listenToHistory(service, 'topic=sync.changes', { headers: { 'last-event-id': first!.position } })
  expect(await late.closed).toBe('ended')
  look(late)
  expect([...seen].sort()).toEqual([...validators.keys()].sort())
})
