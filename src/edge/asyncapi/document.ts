import { z } from 'zod'
import type { TopicSpec } from '../../log/log.ts'
import { BASE } from '../router.ts'
import { type ClientMessage, clientMessages } from './client-messages.ts'
import { closeCodes } from './close-codes.ts'
import { type HistoryMessage, historyMessages } from './history-messages.ts'
import { type ServerMessage, serverMessages } from './server-messages.ts'
import { describeTopics } from './topics.ts'

const TIMESTAMP = '2024-01-01T00:00:00.000Z'
const POSITION = '5f0c2a9e~log.2s'
/** What only sockets are answered: whoever reads events asks for everything in the request. */
const SOCKET_ONLY: readonly ServerMessage[] = ['authenticated', 'unsubscribed', 'refreshed', 'pong']

const timestamp = z.string().meta({ format: 'date-time' })

/** A message of the service around its payload. */
function fromServer(type: string, payload: z.ZodType) {
  return z.strictObject({
    type: z.literal(type),
    payload,
    timestamp,
    position: z.string().describe('A place in the log: subscribe with it as since, and nothing is missed.'),
    subscription_id: z.string().optional().describe('Which subscription it is about, where it is about one.'),
  })
}

/** A message of a client around its payload. It may carry more, such as the time; that is passed over. */
function fromClient(type: string, payload: z.ZodType | undefined) {
  const around = { type: z.literal(type), timestamp: timestamp.optional() }
  if (!payload) return z.object(around)
  return z.object({ ...around, payload: payload.safeParse({}).success ? payload.optional() : payload })
}

/** In the words that AsyncAPI shares with JSON Schema's draft 7. */
function schemaOf(schema: z.ZodType): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' })
  return rest
}

function clientMessage(name: string, { summary, payload, examples }: ClientMessage) {
  return {
    name,
    summary,
    payload: schemaOf(fromClient(name, payload)),
    examples: examples.map(each => ({ payload: { type: name, payload: each, timestamp: TIMESTAMP } })),
  }
}

function serverMessage(name: ServerMessage) {
  const { summary, payload, example } = serverMessages[name]
  const whole = { type: name, payload: example, timestamp: TIMESTAMP, position: POSITION }
  return { name, summary, payload: schemaOf(fromServer(name, payload)), examples: [{ payload: whole }] }
}

function historyMessage(key: HistoryMessage) {
  const { event, summary, payload, example } = historyMessages[key]
  return { name: event, summary, payload: schemaOf(payload), examples: [{ payload: example }] }
}

const messageRef = (name: string) => ({ $ref: `#/components/messages/${name}` })
const refs = (names: readonly string[]) => Object.fromEntries(names.map(name => [name, messageRef(name)]))
const within = (channel: string) => (name: string) => ({ $ref: `#/channels/${channel}/messages/${name}` })
const channelRef = (channel: string) => ({ $ref: `#/channels/${channel}` })

const fromService = Object.keys(serverMessages) as ServerMessage[]
const fromHistory = Object.keys(historyMessages) as HistoryMessage[]
const asEvents = fromService.filter(name => !SOCKET_ONLY.includes(name))

const tokenInQuery = {
  type: 'object',
  properties: { token: { type: 'string', description: 'An access token, instead of the header.' } },
}

const channels = {
  socket: {
    address: `${BASE}/ws`,
    title: 'WebSocket',
    servers: [{ $ref: '#/servers/socket' }],
    description: [
      'A credential comes with the upgrade (`token`, `Authorization`, `X-API-Key`) or as first message, `auth`.',
      'Close codes:',
      ...closeCodes.map(({ code, why, what }) => `- ${code}: ${why}. ${what[0]!.toUpperCase()}${what.slice(1)}.`),
    ].join('\n'),
    messages: refs([...Object.keys(clientMessages), ...fromService]),
    bindings: { ws: { method: 'GET', query: tokenInQuery, bindingVersion: '0.1.0' } },
  },
  events: {
    address: `${BASE}/stream`,
    title: 'Server-Sent Events',
    servers: [{ $ref: '#/servers/events' }],
    description:
      'The messages of a WebSocket with one subscription, `data:` holding the whole message and `id:` its position: ' +
      '`?channel=…&since=…` and the filters by their names. `Last-Event-ID` continues.',
    messages: refs(asEvents),
  },
  history: {
    address: `${BASE}/events`,
    title: 'History, as Server-Sent Events',
    servers: [{ $ref: '#/servers/events' }],
    description:
      'What happened, oldest first, and then what comes, with `Accept: text/event-stream`: `event:` is the name of a message, ' +
      '`message` where there is none, `data:` the payload. `?from=…&to=…&topic=…&type=…&key=…`, and `Last-Event-ID` continues.',
    messages: refs(fromHistory),
  },
}

const asked = Object.fromEntries(
  Object.entries<ClientMessage>(clientMessages).map(([name, { summary, answers }]) => [
    name,
    {
      action: 'receive',
      channel: channelRef('socket'),
      summary,
      messages: [within('socket')(name)],
      reply: { channel: channelRef('socket'), messages: [...answers, 'error'].map(within('socket')) },
    },
  ]),
)

const told = (channel: keyof typeof channels, names: readonly string[], summary: string) => ({
  action: 'send',
  channel: channelRef(channel),
  summary,
  messages: names.map(within(channel)),
})

const operations = {
  ...asked,
  tellSocket: told('socket', fromService, 'What matches the subscriptions, as it happens.'),
  tellEvents: told('events', asEvents, 'What matches the subscription, as it happens.'),
  tellHistory: told('history', fromHistory, 'What happened, and then what happens.'),
}

const components = {
  messages: {
    ...Object.fromEntries(Object.entries(clientMessages).map(([name, each]) => [name, clientMessage(name, each)])),
    ...Object.fromEntries(fromService.map(name => [name, serverMessage(name)])),
    ...Object.fromEntries(fromHistory.map(name => [name, historyMessage(name)])),
  },
  securitySchemes: {
    token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'It needs the scope sync:read.' },
    apiKey: { type: 'httpApiKey', in: 'header', name: 'X-API-Key' },
  },
}

const security = [{ $ref: '#/components/securitySchemes/token' }, { $ref: '#/components/securitySchemes/apiKey' }]

/**
 * What can be heard live and read from topics, as an AsyncAPI 3.0 document, for whoever reached the service under this
 * host.
 */
export function asyncApi(host: string, secure: boolean, topics: readonly TopicSpec[]): object {
  const onKafka = describeTopics(topics)
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'SuperInsight data sync, live',
      version: '1.0.0',
      description:
        'Changes of records, conflicts and jobs as they happen, and the history; a position continues them. And the topics, ' +
        'for services that read them from Kafka.',
    },
    defaultContentType: 'application/json',
    servers: {
      socket: { host, protocol: secure ? 'wss' : 'ws', security },
      events: { host, protocol: secure ? 'https' : 'http', security },
      ...onKafka.servers,
    },
    channels: { ...channels, ...onKafka.channels },
    operations: { ...operations, ...onKafka.operations },
    components: { ...components, messages: { ...components.messages, ...onKafka.messages } },
  }
}
