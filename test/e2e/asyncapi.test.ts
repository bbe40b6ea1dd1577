import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, pushBatch, tokenFor } from '../kit/api.ts'
import { conflictsAt, pushOne, resolve, setPolicy } from '../kit/conflicts.ts'
import { jobEnd, pushFile } from '../kit/forms.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen, type Message } from '../kit/sockets.ts'

interface Ref {
  $ref: string
}
interface Operation {
  action: string
  channel: Ref
  messages: Ref[]
  reply?: { channel: Ref; messages: Ref[] }
}
interface Document {
  asyncapi: string
  servers: Record<string, { host: string; protocol: string }>
  channels: Record<string, { address: string; description: string; messages: Record<string, Ref> }>
  operations: Record<string, Operation>
  components: { messages: Record<string, { payload: object; examples: { payload: Message }[] }> }
}

/** Of messages of sockets; asyncapi-topics.test.ts has those on Kafka, asyncapi-history.test.ts those of the history. */
const live = ({ channels, components: { messages } }: Document) =>
  Object.keys(channels.socket!.messages).map(name => [name, messages[name]!] as const)

let service: Service
let document: Document
const validators = new Map<string, ValidateFunction>()
beforeAll(async () => {
  // So long before its end that every token is about to end.
  service = await startService({ TOKEN_EXPIRING_SECONDS: '4000' })
  document = (await call<Document>(service, '/asyncapi.json')).body
  const ajv = new Ajv({ strict: true, strictTypes: false })
  formats.default(ajv)
  for (const [name, { payload }] of live(document)) validators.set(name, ajv.compile(payload))
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

/** What is wrong with a message by its schema. */
function faults(message: { type: string }): unknown {
  const validate = validators.get(message.type)
  if (!validate) return `there is no ${message.type}`
  return validate(message) ? undefined : validate.errors
}

const nameOf = ({ $ref }: Ref) => $ref.slice($ref.lastIndexOf('/') + 1)

function resolved({ $ref }: Ref): unknown {
  return $ref
    .split('/')
    .slice(1)
    .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], document)
}

describe('asyncapi.json', () => {
  it('is there for anyone, and names the host that was asked', async () => {
    const answer = await call<Document>(service, '/asyncapi.json', { as: null })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
    const { host } = new URL(service.url)
    expect(answer.body.servers).toMatchObject({ socket: { host, protocol: 'ws' }, events: { host, protocol: 'http' } })
    const tls = await call<Document>(service, '/asyncapi.json', { headers: { 'x-forwarded-proto': 'https' } })
    expect(tls.body.servers).toMatchObject({ socket: { protocol: 'wss' }, events: { protocol: 'https' } })
  })

  it('refers only to what is in it, and to every message', () => {
    const refs = JSON.stringify(document).match(/"\$ref":"[^"]+"/g)!
    expect(refs.length).toBeGreaterThan(50)
    for (const ref of refs) expect(resolved(JSON.parse(`{${ref}}`)), ref).toBeTypeOf('object')
    const told = Object.values(document.operations).flatMap(({ messages }) => messages.map(nameOf))
    expect([...new Set(told)].sort()).toEqual(Object.keys(document.components.messages).sort())
  })

  it('has examples that its own schemas take', () => {
    for (const [name, { examples }] of live(document)) {
      expect(examples.length).toBeGreaterThan(0)
      for (const { payload } of examples) expect(faults(payload), name).toBeUndefined()
    }
  })

  it('is what docs/websocket.md tells', () => {
    const page = readFileSync(fileURLToPath(new URL('../../docs/websocket.md', import.meta.url)), 'utf8')
    for (const [name] of live(document)) expect(page).toContain(`\`${name}`)
    const codes = document.channels.socket!.description.match(/^- \d{4}/gm)!.map(line => line.slice(2))
    expect(codes.length).toBe(8)
    for (const code of codes) expect(page).toContain(`| ${code} |`)
  })
})

describe('what is sent', () => {
  const seen: Message[] = []
  const listeners: Listener[] = []
  afterAll(() => {
    for (const listener of listeners) listener.close()
  })

  async function connected(query?: string): Promise<Listener> {
    const listener = await listen(service, query === undefined ? {} : { query })
    listeners.push(listener)
    listener.ws.on('message', data => seen.push(JSON.parse(data.toString())))
    return listener
  }

  /** Sends an example and gives back what it was answered, once it was answered as the operation says. */
  async function answered(listener: Listener, operation: Operation, message: object): Promise<string> {
    const replies = operation.reply!.messages.map(nameOf)
    const from = listener.messages.length
    listener.ws.send(JSON.stringify(message))
    const found = () => listener.messages.slice(from).find(({ type }) => replies.includes(type))
    return (await until(`one of ${replies}`, found, 10_000)).type
  }

  it('by a client: every example is taken, and answered as documented', async () => {
    const { access_token } = await tokenFor(service, 'sync:read')
    const body = { name: 'socket', permissions: ['sync:read'] }
    const { key } = (await call<{ key: string }>(service, '/api-keys', { body })).body
    const asked = Object.entries(document.operations).filter(([, { action }]) => action === 'receive')
    expect(asked.map(([name]) => name)).toEqual(['auth', 'subscribe', 'unsubscribe', 'refresh', 'ping'])
    const listener = await connected()
    for (const [name, operation] of asked) {
      for (const { payload: example } of document.components.messages[name]!.examples) {
        // In the place of the examples' credentials those of this service.
        const payload = { ...example.payload }
        if ('token' in payload) payload.token = access_token
        if ('api_key' in payload) payload.api_key = key
        const message = { ...example, payload }
        expect(faults(message)).toBeUndefined()
        const on = name === 'auth' ? await connected('') : listener
        expect(await answered(on, operation, message), JSON.stringify(message)).not.toBe('error')
      }
    }
  })

  it('by the service: everything is as documented', async () => {
    const listener = await connected()
    await listener.subscribe()
    listener.send('nonsense')
    await pushBatch(service, 'told', [{ id: 'a', data: { n: 1 } }])
    await pushBatch(service, 'told', [{ id: 'a', data: { deep: { äöü: [null, 1.5, ''] } } }])
    await pushBatch(service, 'told', [{ id: 'a', op: 'delete' }])
    await setPolicy(service, 'told', 'manual')
    const position = await pushOne(service, 'told', { id: 'b', data: { n: 1 } }).then(() =>
      pushOne(service, 'told', { id: 'b', data: { n: 2 }, metadata: { version: 0 } }),
    )
    const [conflict] = await conflictsAt(service, 'told', position)
    await resolve(service, conflict!.id, { resolution: 'accept_incoming' })
    const rows = Array.from({ length: 50_000 }, (_, n) => `${n},x`)
    const { body } = await pushFile(service, ['id,text', ...rows].join('\n'), { options: { dataset: 'told-file' } })
    await jobEnd(service, body.job_id)
    await until('the end of the job', () => seen.some(({ payload }) => payload.status === 'completed'), 10_000)
    await listener.untilChange('a')
    await until('five changes', () => listener.changes().filter(({ payload }) => payload.table === 'told').length === 5)
    await listener.next('token_expiring')
    for (const message of seen) expect(faults(message), JSON.stringify(message).slice(0, 1000)).toBeUndefined()
    const fromService = document.operations.tellSocket!.messages.map(nameOf)
    expect([...new Set(seen.map(({ type }) => type))].sort()).toEqual(fromService.sort())
  })
})
