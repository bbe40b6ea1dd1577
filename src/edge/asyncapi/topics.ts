import { schemas } from '../../events/index.ts'
import { CONTENT_TYPE, eventTypeOf } from '../../log/cloud-events.ts'
import type { TopicSpec } from '../../log/log.ts'

const BINDING = '0.5.0'
const AVRO = 'application/vnd.apache.avro;version=1.9.0'

interface RecordSchema {
  readonly doc: string
}

const constant = (value: string, description: string) => ({ type: 'string', const: value, description })

/** What a message says of itself before it is decoded (docs/events.md). */
function headersOf(record: string): object {
  const properties = {
    ce_specversion: constant('1.0', 'CloudEvents, Kafka protocol binding, binary mode.'),
    ce_type: constant(eventTypeOf(record), 'What happened: the full name of the Avro record.'),
    ce_source: {
      type: 'string',
      pattern: '^/sync/',
      description: 'The log: /sync/ and its id, which positions begin with.',
    },
    ce_id: { type: 'string', description: 'Its own: no two events of a source share one.' },
    'content-type': constant(
      CONTENT_TYPE,
      "Avro, in the registry's frame: a zero byte, the schema's id as 32-bit big endian.",
    ),
    origin: {
      type: 'string',
      description: 'Of an event that was copied by migrate: its position in the log it was copied from.',
    },
  }
  return { type: 'object', properties, required: ['ce_specversion', 'ce_type', 'ce_source', 'ce_id', 'content-type'] }
}

function messageOf(record: string, { key }: TopicSpec): object {
  const schema = schemas[record as keyof typeof schemas] as unknown as RecordSchema
  return {
    name: eventTypeOf(record),
    title: record,
    summary: schema.doc,
    contentType: CONTENT_TYPE,
    headers: headersOf(record),
    payload: { schemaFormat: AVRO, schema },
    bindings: {
      kafka: {
        key: { type: 'string', description: key },
        ...{ schemaIdLocation: 'payload', schemaIdPayloadEncoding: 'confluent', bindingVersion: BINDING },
      },
    },
  }
}

function channelOf({ name, key, records, partitions, readers, ...topic }: TopicSpec): object {
  const topicConfiguration = {
    'cleanup.policy': [topic.cleanup_policy],
    'retention.ms': topic.retention_ms,
    'max.message.bytes': topic.max_message_bytes,
  }
  return {
    address: name,
    title: name,
    description: `Key: ${key}. Read by: ${readers.join(', ')}.`,
    servers: [{ $ref: '#/servers/kafka' }],
    messages: Object.fromEntries(records.map(record => [record, { $ref: `#/components/messages/${record}` }])),
    bindings: { kafka: { topic: name, partitions, topicConfiguration, bindingVersion: BINDING } },
  }
}

function operationOf({ name, records }: TopicSpec): object {
  return {
    action: 'send',
    channel: { $ref: `#/channels/${name}` },
    summary: 'Events as they are decided; those of one key in order.',
    messages: records.map(record => ({ $ref: `#/channels/${name}/messages/${record}` })),
  }
}

const byName = (topics: readonly TopicSpec[], of: (topic: TopicSpec) => object) =>
  Object.fromEntries(topics.map(topic => [topic.name, of(topic)]))

/** The topics that other services may read, as parts of an AsyncAPI document. */
export function describeTopics(topics: readonly TopicSpec[]) {
  return {
    servers: {
      kafka: {
        host: '{broker}',
        protocol: 'kafka',
        description:
          'Where the log is on Kafka (KAFKA_BROKERS): topics with these names, and their schemas in the registry under ' +
          '<topic>-value, or <topic>-<full name of the record> where a topic has several. In an embedded log they are read at /events.',
        variables: { broker: { default: 'localhost:9092', description: 'One of KAFKA_BROKERS.' } },
      },
    },
    channels: byName(topics, channelOf),
    operations: byName(topics, operationOf),
    messages: Object.fromEntries(
      topics.flatMap(topic => topic.records.map(record => [record, messageOf(record, topic)])),
    ),
  }
}
