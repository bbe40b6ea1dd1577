import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import avro from 'avsc'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { call } from '../kit/api.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Message {
  name: string
  contentType: string
  headers: { properties: Record<string, { const?: string }>; required: string[] }
  payload: { schemaFormat: string; schema: Schema }
  bindings: { kafka: { key: { description: string }; schemaIdLocation: string } }
}
interface Channel {
  address: string
  servers: { $ref: string }[]
  messages: Record<string, { $ref: string }>
  bindings: { kafka: { topic: string; partitions: number; topicConfiguration: Record<string, unknown> } }
}
interface Document {
  channels: Record<string, Channel>
  operations: Record<string, { action: string; channel: { $ref: string }; messages: { $ref: string }[] }>
  components: { messages: Record<string, Message> }
}
interface Topic {
  key: string
  records: string[]
  partitions: number
  cleanup_policy: string
  retention_ms: number
  max_message_bytes: number
}
interface Schema {
  name: string
  namespace: string
  doc: string
}

/** What the files say, read without any of our own code. */
const topics = new Map(
  readdirSync(join(ROOT, 'topics')).map(file => [
    file.replace(/\.yaml$/, ''),
    parse(readFileSync(join(ROOT, 'topics', file), 'utf8')) as Topic,
  ]),
)
const schemas = new Map(
  readdirSync(join(ROOT, 'schemas'))
    .flatMap(file => JSON.parse(readFileSync(join(ROOT, 'schemas', file), 'utf8')) as Schema | Schema[])
    .map(schema => [schema.name, schema]),
)

let service: Service
let document: Document
beforeAll(async () => {
  service = await startService()
  document = (await call<Document>(service, '/asyncapi.json')).body
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

describe('asyncapi.json', () => {
  it('is AsyncAPI 3, by the schema of AsyncAPI', () => {
    const specs = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json')
    const ajv = new Ajv({ strict: false, allErrors: true })
    formats.default(ajv)
    const valid = ajv.compile(specs)
    expect(valid(document), JSON.stringify(valid.errors?.slice(0, 5))).toBe(true)
    expect(valid({ ...document, channels: { broken: { address: 1 } } })).toBe(false)
  })

  it('has every topic of topics/, and no other, as it is there', () => {
    const onKafka = Object.entries(document.channels).filter(([, { bindings }]) => bindings && 'kafka' in bindings)
    expect(onKafka.map(([name]) => name).sort()).toEqual([...topics.keys()].sort())
    for (const [name, { address, servers, messages, bindings }] of onKafka) {
      const topic = topics.get(name)!
      expect([address, servers]).toEqual([name, [{ $ref: '#/servers/kafka' }]])
      expect(Object.keys(messages)).toEqual(topic.records)
      expect(bindings.kafka).toMatchObject({
        topic: name,
        partitions: topic.partitions,
        topicConfiguration: {
          'cleanup.policy': [topic.cleanup_policy],
          'retention.ms': topic.retention_ms,
          'max.message.bytes': topic.max_message_bytes,
        },
      })
      const { action, channel, messages: sent } = document.operations[name]!
      expect([action, channel.$ref]).toEqual(['send', `#/channels/${name}`])
      expect(sent.map(({ $ref }) => $ref)).toEqual(topic.records.map(record => `#/channels/${name}/messages/${record}`))
    }
  })

  it('has every record of schemas/, and no other, as it is there', () => {
    const messages = Object.entries(document.components.messages).filter(([, { payload }]) => 'schemaFormat' in payload)
    expect(messages.map(([name]) => name).sort()).toEqual([...schemas.keys()].sort())
    for (const [record, message] of messages) {
      const schema = schemas.get(record)!
      expect(message.payload).toEqual({ schemaFormat: 'application/vnd.apache.avro;version=1.9.0', schema })
      expect(avro.Type.forSchema(message.payload.schema as avro.Schema).name).toBe(message.name)
      const { properties, required } = message.headers
      expect([properties.ce_type!.const, properties.ce_specversion!.const]).toEqual([message.name, '1.0'])
      expect(required).toEqual(['ce_specversion', 'ce_type', 'ce_source', 'ce_id', 'content-type'])
      const [topic] = [...topics.values()].filter(({ records }) => records.includes(record))
      expect(message.bindings.kafka).toMatchObject({ key: { description: topic!.key }, schemaIdLocation: 'payload' })
      expect(message).toMatchObject({ summary: schema.doc, contentType: 'application/avro' })
    }
  })
})
